// Writes one log event as a line: a JSON object, or text for a terminal. Nothing in an event can break the line.
// Pure functions into a buffer. Limit: `valueBytesMax` of each value. Source: operations.md section 2, RFC 8259.

import Logging
import Reactor

enum LogLine {
    /// Longest value, in bytes before escaping; the rest is cut and marked with an ellipsis.
    static let valueBytesMax = 4096
    /// Keys of every line: metadata of these names gets an underscore behind it.
    private static let ownKeys: Set<String> = ["timestamp", "level", "message", "error"]

    /// `{"timestamp":…,"level":…,"message":…,…}` and a newline. Metadata follows in the order of its keys.
    static func append(
        json event: LogEvent, metadata: Logger.Metadata, at time: WallTime, to buffer: inout ByteBuffer
    ) {
        buffer.append("{\"timestamp\":\"")
        time.append(rfc3339: &buffer)
        buffer.append("\",\"level\":\"")
        buffer.append(event.level.rawValue)
        buffer.append("\",\"message\":")
        append(jsonString: event.message.description, to: &buffer)
        if let error = event.error {
            buffer.append(",\"error\":")
            append(jsonString: "\(error)", to: &buffer)
        }
        for (key, value) in flattened(metadata) {
            buffer.append(",")
            append(jsonString: key, to: &buffer)
            buffer.append(":")
            append(jsonValue: value, to: &buffer)
        }
        buffer.append("}\n")
    }

    /// `2026-02-04T10:00:00.000Z INFO message key=value` and a newline.
    static func append(
        text event: LogEvent, metadata: Logger.Metadata, at time: WallTime, to buffer: inout ByteBuffer
    ) {
        time.append(rfc3339: &buffer)
        buffer.append(" ")
        buffer.append(event.level.rawValue.uppercased())
        buffer.append(" ")
        appendEscaped(event.message.description, quoting: false, to: &buffer)
        if let error = event.error {
            buffer.append(" error=")
            append(jsonString: "\(error)", to: &buffer)
        }
        for (key, value) in flattened(metadata) {
            buffer.append(" ")
            appendEscaped(key, quoting: false, to: &buffer)
            buffer.append("=")
            let text = "\(value)"
            let isPlain = !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 != UInt8(ascii: "\"") && $0 != 0x7F }
            if isPlain {
                appendEscaped(text, quoting: false, to: &buffer)
            } else {
                append(jsonString: text, to: &buffer)
            }
        }
        buffer.append("\n")
    }

    /// Dictionaries inside become `outer.inner`; sorted, so that lines compare.
    private static func flattened(_ metadata: Logger.Metadata) -> [(key: String, value: Logger.MetadataValue)] {
        var flat: [(key: String, value: Logger.MetadataValue)] = []
        for (key, value) in metadata {
            if case .dictionary(let inner) = value {
                for (name, value) in flattened(inner) { flat.append((key: "\(key).\(name)", value: value)) }
            } else {
                flat.append((key: ownKeys.contains(key) ? key + "_" : key, value: value))
            }
        }
        return flat.sorted { $0.key < $1.key }
    }

    private static func append(jsonValue value: Logger.MetadataValue, to buffer: inout ByteBuffer) {
        switch value {
        case .string(let text): append(jsonString: text, to: &buffer)
        case .stringConvertible(let value): append(jsonConvertible: value, to: &buffer)
        case .array(let values):
            buffer.append("[")
            for (index, value) in values.enumerated() {
                if index > 0 { buffer.append(",") }
                append(jsonValue: value, to: &buffer)
            }
            buffer.append("]")
        case .dictionary(let inner):
            // Only inside arrays: elsewhere it has been flattened.
            buffer.append("{")
            for (index, entry) in flattened(inner).enumerated() {
                if index > 0 { buffer.append(",") }
                append(jsonString: entry.key, to: &buffer)
                buffer.append(":")
                append(jsonValue: entry.value, to: &buffer)
            }
            buffer.append("}")
        }
    }

    /// Numbers and truth values stay what they are; anything else is its description.
    private static func append(jsonConvertible value: any CustomStringConvertible, to buffer: inout ByteBuffer) {
        if value is any FixedWidthInteger || value is Bool {
            buffer.append(value.description)
        } else if let number = value as? Double, number.isFinite {
            buffer.append(number.description)
        } else {
            append(jsonString: value.description, to: &buffer)
        }
    }

    private static func append(jsonString text: String, to buffer: inout ByteBuffer) {
        buffer.append("\"")
        appendEscaped(text, quoting: true, to: &buffer)
        buffer.append("\"")
    }

    /// - Parameter quoting: whether quotes and backslashes are escaped too, as inside a JSON string.
    private static func appendEscaped(_ text: String, quoting: Bool, to buffer: inout ByteBuffer) {
        var room = valueBytesMax
        for scalar in text.unicodeScalars {
            room -= UTF8.width(scalar)
            if room < 0 {
                buffer.append("…")
                return
            }
            switch scalar {
            case "\"" where quoting: buffer.append("\\\"")
            case "\\" where quoting: buffer.append("\\\\")
            case "\n": buffer.append("\\n")
            case "\r": buffer.append("\\r")
            case "\t": buffer.append("\\t")
            default:
                if scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) {
                    buffer.append("\\u00")
                    appendHex(scalar.value >> 4, to: &buffer)
                    appendHex(scalar.value & 15, to: &buffer)
                } else {
                    for byte in UTF8.encode(scalar)! { buffer.append(byte) }
                }
            }
        }
    }

    private static func appendHex(_ nibble: UInt32, to buffer: inout ByteBuffer) {
        buffer.append(UInt8(truncatingIfNeeded: nibble < 10 ? 0x30 + nibble : 0x57 + nibble))
    }
}
