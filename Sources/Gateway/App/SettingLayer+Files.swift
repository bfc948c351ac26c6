// Reads .env and YAML files into layers of settings.
// Pure functions of the files' text; synchronous, as no thread may exist before `serve` has blocked the signals.
// Source: operations.md section 1; the .env dialect is the one docker compose reads.

import Yams

/// A line of a settings file that cannot be read.
struct BadSettingsFile: Error, Equatable {
    /// One line, with the file's name and the line's number.
    var problem: String
}

extension SettingLayer {
    /// A reader of one kind of file, given its text and its name.
    typealias Reading = (_ text: String, _ name: String) throws(BadSettingsFile) -> SettingLayer

    /// Lines of NAME=value, `export NAME=value`, `# comment`; values bare, in '…' as they are, or in "…" with \n \" \\.
    /// Bare values end at ` #`.
    static func dotEnv(_ text: String, name: String) throws(BadSettingsFile) -> SettingLayer {
        var values: [String: String] = [:]
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            var line = trimmed(line)
            if line.isEmpty || line.hasPrefix("#") { continue }
            if line.hasPrefix("export ") { line = trimmed(line.dropFirst("export ".count)) }
            let equals = line.firstIndex(of: "=") ?? line.endIndex
            let key = trimmed(line[..<equals])
            let isName = key.utf8.allSatisfy { isWorkerIDByte($0) && $0 != UInt8(ascii: ":") }
            guard equals != line.endIndex, !key.isEmpty, isName else {
                throw BadSettingsFile(problem: "\(name) line \(index + 1): expected NAME=value")
            }
            guard let value = dotEnvValue(trimmed(line[equals...].dropFirst())) else {
                throw BadSettingsFile(problem: "\(name) line \(index + 1): \(key) has a quote that is not closed")
            }
            values[key] = value
        }
        return SettingLayer(name: name, values: values)
    }

    private static func dotEnvValue(_ text: String) -> String? {
        guard let quote = text.first, quote == "\"" || quote == "'" else {
            // A comment begins after white space only: passwords hold # too.
            var end = text.startIndex
            var previous: Character = " "
            while end < text.endIndex, !(text[end] == "#" && previous.isWhitespace) {
                previous = text[end]
                end = text.index(after: end)
            }
            return trimmed(text[..<end])
        }
        var value = ""
        var rest = text.dropFirst()
        while let character = rest.popFirst() {
            if character == quote {
                let after = trimmed(rest)
                return after.isEmpty || after.hasPrefix("#") ? value : nil
            }
            if character == "\\", quote == "\"", let escaped = rest.popFirst() {
                value.append(escaped == "n" ? "\n" : escaped)
            } else {
                value.append(character)
            }
        }
        return nil
    }

    /// A mapping of settings: `redis_url`, `REDIS_URL` and `GATEWAY_REDIS_URL` are the same; a nested mapping joins its
    /// names with `_` (`log: {level: debug}`), a sequence is a comma-separated list, null is not set.
    static func yaml(_ text: String, name: String) throws(BadSettingsFile) -> SettingLayer {
        let root: Node?
        do throws(BadYAML) {
            root = try composeYAML(text)
        } catch {
            throw BadSettingsFile(problem: "\(name): \(error.reason)")
        }
        var layer = SettingLayer(name: name, values: [:])
        guard let root, !isNull(root) else { return layer }
        guard case .mapping(let mapping) = root else {
            throw BadSettingsFile(problem: "\(name): expected a mapping of settings")
        }
        try layer.add(mapping, prefix: "GATEWAY")
        return layer
    }

    private mutating func add(_ mapping: Node.Mapping, prefix: String) throws(BadSettingsFile) {
        for (keyNode, node) in mapping {
            let line = keyNode.mark.map { " line \($0.line)" } ?? ""
            guard case .scalar(let scalar) = keyNode else {
                throw BadSettingsFile(problem: "\(name)\(line): a setting's name must be a word")
            }
            let upper = String(scalar.string.uppercased().map { $0 == "-" ? "_" : $0 })
            let key = upper.hasPrefix("GATEWAY_") && prefix == "GATEWAY" ? upper : "\(prefix)_\(upper)"
            switch node {
            case .mapping(let nested):
                try add(nested, prefix: key)
                continue
            case .scalar(let value):
                if Self.isNull(node) { continue }
                try set(key, value.string, line)
            case .sequence(let sequence):
                var entries: [String] = []
                for entry in sequence {
                    guard case .scalar(let value) = entry else {
                        throw BadSettingsFile(problem: "\(name)\(line): \(key) must be a list of plain values")
                    }
                    entries.append(value.string)
                }
                try set(key, entries.joined(separator: ","), line)
            case .alias:
                throw BadSettingsFile(problem: "\(name)\(line): \(key) is an alias, which is not read here")
            }
        }
    }

    private mutating func set(_ key: String, _ value: String, _ line: String) throws(BadSettingsFile) {
        guard values.updateValue(value, forKey: key) == nil else {
            throw BadSettingsFile(problem: "\(name)\(line): \(key) is set twice")
        }
    }

    private static func isNull(_ node: Node) -> Bool { node.null != nil }
}
