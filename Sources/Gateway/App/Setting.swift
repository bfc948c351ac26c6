// One line of the settings table: a variable's name, how its text becomes a value and back, and how it is hidden.
// Immutable; used at the start and on SIGHUP only. The kinds (integer, seconds, file, …) are the vocabulary of the table.

import Reactor

/// Why a text is not a value. The message never repeats a secret.
struct BadSetting: Error, Equatable {
    var reason: String

    init(_ reason: String) { self.reason = reason }
}

struct Setting: Sendable {
    /// What is secret in the text.
    enum Secrecy: Sendable {
        case open
        /// A URL, whose password is.
        case password
        /// All of it. Such a setting may also come from a file: `NAME_FILE`.
        case secret
    }

    /// The environment variable.
    let name: String
    let allowed: String
    let help: String
    let secrecy: Secrecy
    let apply: @Sendable (_ text: String, _ configuration: inout GatewayConfiguration) throws(BadSetting) -> Void
    /// The value as it would be written, secrets masked; nil where it is not set.
    let show: @Sendable (GatewayConfiguration) -> String?
    /// Whether two configurations have the same value, secrets included.
    let isSame: @Sendable (GatewayConfiguration, GatewayConfiguration) -> Bool

    var fileName: String { name + "_FILE" }

    /// A text of this setting that may be shown, whether it could be parsed or not.
    func masked(_ text: String) -> String {
        switch secrecy {
        case .open: text
        case .password: maskURLPasswords(text)
        case .secret: "***"
        }
    }
}

typealias Field<Value> = WritableKeyPath<GatewayConfiguration, Value> & Sendable

extension Setting {
    /// The kind that all others are made of.
    static func value<Value: Equatable & Sendable>(
        _ name: String, _ field: any Field<Value>, allowed: String, secrecy: Secrecy = .open, _ help: String,
        parse: @escaping @Sendable (String) throws(BadSetting) -> Value,
        show: @escaping @Sendable (Value) -> String?
    ) -> Setting {
        Setting(
            name: "GATEWAY_" + name, allowed: allowed, help: help, secrecy: secrecy,
            apply: { text, configuration throws(BadSetting) in configuration[keyPath: field] = try parse(text) },
            show: { show($0[keyPath: field]) }, isSame: { $0[keyPath: field] == $1[keyPath: field] })
    }

    static func integer(
        _ name: String, _ field: any Field<Int>, _ range: ClosedRange<Int>, unit: String? = nil, _ help: String
    ) -> Setting {
        let allowed = "a whole number \(unit.map { "of \($0) " } ?? "")from \(range.lowerBound) to \(range.upperBound)"
        return value(
            name, field, allowed: allowed, help,
            parse: { text throws(BadSetting) in
                guard let number = Int(text) else { throw BadSetting("not a whole number") }
                guard range.contains(number) else { throw BadSetting("out of range") }
                return number
            }, show: { String($0) })
    }

    static func bytes(
        _ name: String, _ field: any Field<Int>, _ range: ClosedRange<Int>, _ help: String
    ) -> Setting {
        integer(name, field, range, unit: "bytes", help)
    }

    /// Seconds, fractions allowed, kept as whole milliseconds.
    static func seconds(
        _ name: String, _ field: any Field<Int>, ms range: ClosedRange<Int>, _ help: String
    ) -> Setting {
        let allowed =
            "seconds from \(secondsText(range.lowerBound)) to \(secondsText(range.upperBound)), fractions allowed"
        return value(
            name, field, allowed: allowed, help,
            parse: { text throws(BadSetting) in
                guard let seconds = Double(text), seconds.isFinite, abs(seconds) < 1e9 else {
                    throw BadSetting("not a number of seconds")
                }
                let ms = Int((seconds * 1000).rounded())
                guard range.contains(ms) else { throw BadSetting("out of range") }
                return ms
            }, show: { secondsText($0) })
    }

    static func choice<Value: RawRepresentable<String> & CaseIterable & Equatable & Sendable>(
        _ name: String, _ field: any Field<Value>, _ help: String
    ) -> Setting {
        let allowed = "one of " + Value.allCases.map(\.rawValue).joined(separator: ", ")
        return value(
            name, field, allowed: allowed, help,
            parse: { text throws(BadSetting) in
                guard let choice = Value(rawValue: text.lowercased()) else { throw BadSetting("not a choice") }
                return choice
            }, show: { $0.rawValue })
    }

    /// A file that must be readable now.
    static func file(_ name: String, _ field: any Field<String?>, _ help: String) -> Setting {
        value(
            name, field, allowed: "the path of a readable file", help,
            parse: { text throws(BadSetting) in
                do throws(FileError) {
                    try checkFileIsReadable(at: text)
                } catch {
                    throw BadSetting(error.description)
                }
                return text
            }, show: { $0 })
    }

    static func secret(_ name: String, _ field: any Field<String?>, _ help: String) -> Setting {
        let allowed = "1 to \(TokenGrant.bytesMax) visible ASCII characters"
        return value(
            name, field, allowed: allowed, secrecy: .secret, help,
            parse: { text throws(BadSetting) in
                guard text.utf8.count <= TokenGrant.bytesMax, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
                    throw BadSetting("too long, or holds a character outside visible ASCII")
                }
                return text
            }, show: { $0.map { _ in "***" } })
    }

    static func tokens(_ name: String, _ field: any Field<[TokenGrant]>, _ help: String) -> Setting {
        value(
            name, field, allowed: TokenGrant.allowed, secrecy: .secret, help,
            parse: TokenGrant.list, show: { list($0.map(\.shown)) })
    }

    /// A comma-separated list, each entry parsed for itself.
    static func list<Element: Equatable & Sendable>(
        _ name: String, _ field: any Field<[Element]>, of allowed: String, secrecy: Secrecy = .open, _ help: String,
        parse: @escaping @Sendable (String) throws(BadSetting) -> Element,
        show: @escaping @Sendable (Element) -> String
    ) -> Setting {
        value(
            name, field, allowed: "a comma-separated list of \(allowed)", secrecy: secrecy, help,
            parse: { text throws(BadSetting) in
                var elements: [Element] = []
                for entry in commaSeparated(text) { elements.append(try parse(entry)) }
                guard elements.count <= listCountMax else { throw BadSetting("more than \(listCountMax) entries") }
                return elements
            }, show: { list($0.map(show)) })
    }

    /// Most entries of any list but the tokens' and the networks', which have their own bounds.
    static let listCountMax = 1024

    /// nil for an empty list: it is not set.
    private static func list(_ shown: [String]) -> String? {
        shown.isEmpty ? nil : shown.joined(separator: ",")
    }

    /// Milliseconds as seconds, without needless digits.
    static func secondsText(_ ms: Int) -> String {
        guard ms % 1000 != 0 else { return String(ms / 1000) }
        var digits = String(ms % 1000)
        while digits.count < 3 { digits = "0" + digits }
        while digits.hasSuffix("0") { digits.removeLast() }
        return "\(ms / 1000).\(digits)"
    }
}
