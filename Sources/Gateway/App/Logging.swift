// The backend of swift-log: formats events on the calling thread and hands the lines to the log's own thread.
// Handlers are values, any thread may log. Logging allocates and takes a mutex for the length of a copy: requests of the
// hot path log only what AccessLog lets through. Limits: LineWriter.bufferedBytesMax, LogLine.valueBytesMax.
// Source: operations.md section 2.

import Logging
import Reactor

/// The log of one process: `init → bootstrap → close`.
struct GatewayLog: Sendable {
    private let writer: LineWriter
    private let level: Logger.Level
    private let format: LogFormat

    /// Starts the log's thread.
    init(_ configuration: GatewayConfiguration, descriptor: Int32 = 1) {
        self.init(level: configuration.logLevel, format: configuration.logFormat, descriptor: descriptor)
    }

    init(level: LogLevel, format: LogFormat, descriptor: Int32) {
        self.level = level.swiftLogLevel
        self.format = format
        writer = LineWriter(descriptor: descriptor) { Self.droppedLine($0, format) }
    }

    /// What stands in the log for `count` lines that had no room.
    static func droppedLine(_ count: Int, _ format: LogFormat) -> [UInt8] {
        let event = LogEvent(
            level: .warning, message: "log lines dropped", metadata: nil, source: "gateway", file: #fileID,
            function: #function, line: #line)
        var line = ByteBuffer(capacity: 128)
        append(event, ["dropped": .stringConvertible(count)], format, to: &line)
        return line.bytes.copied
    }

    /// Makes this the log of all loggers; once a process.
    func bootstrap() {
        LoggingSystem.bootstrap { label in handler(label: label) }
    }

    func handler(label: String) -> GatewayLogHandler {
        GatewayLogHandler(writer: writer, format: format, logLevel: level)
    }

    /// Writes what waits; see `LineWriter.close`.
    @discardableResult
    func close() -> Bool { writer.close() }

    /// For the metrics.
    var droppedCount: Int { writer.droppedCount }

    fileprivate static func append(
        _ event: LogEvent, _ metadata: Logger.Metadata, _ format: LogFormat, to line: inout ByteBuffer
    ) {
        switch format {
        case .json: LogLine.append(json: event, metadata: metadata, at: .now(), to: &line)
        case .text: LogLine.append(text: event, metadata: metadata, at: .now(), to: &line)
        }
    }
}

struct GatewayLogHandler: LogHandler {
    let writer: LineWriter
    let format: LogFormat
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?

    init(writer: LineWriter, format: LogFormat, logLevel: Logger.Level) {
        self.writer = writer
        self.format = format
        self.logLevel = logLevel
    }

    subscript(metadataKey key: String) -> Logger.MetadataValue? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    /// The event's own metadata wins over the logger's, which wins over the provider's.
    func log(event: LogEvent) {
        var merged = metadataProvider?.get() ?? [:]
        merged.merge(metadata) { $1 }
        if let own = event.metadata { merged.merge(own) { $1 } }
        var line = ByteBuffer(capacity: 512)
        GatewayLog.append(event, merged, format, to: &line)
        writer.write(line.bytes)
    }
}

extension LogLevel {
    var swiftLogLevel: Logger.Level {
        switch self {
        case .trace: .trace
        case .debug: .debug
        case .info: .info
        case .notice: .notice
        case .warning: .warning
        case .error: .error
        case .critical: .critical
        }
    }
}

extension RawSpan {
    /// The bytes as an array.
    fileprivate var copied: [UInt8] {
        var bytes: [UInt8] = []
        for offset in 0..<byteCount { bytes.append(byte(at: offset)) }
        return bytes
    }
}
