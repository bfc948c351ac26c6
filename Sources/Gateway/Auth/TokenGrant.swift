// A configured token: the secret, and the worker ids that may be used with it.
// A plain value of the configuration; the tables that requests are checked against are made from it.
// Limits: `bytesMax` a token, `countMax` tokens a list. Source: api.md section 2, operations.md section 1.

/// Which worker ids a token is good for.
enum WorkerBinding: Equatable, Sendable {
    case any
    case exactly(String)
    case prefix(String)
}

struct TokenGrant: Equatable, Sendable {
    static let bytesMax = 256
    static let countMax = 1024
    /// A shorter token is accepted with a warning.
    static let bytesAdvised = 16
    static let allowed =
        "a comma-separated list of token or token@worker-prefix*, tokens being 1 to \(bytesMax) visible ASCII characters"

    var token: String
    var binding: WorkerBinding

    /// - Parameter text: entries separated by commas or line ends.
    static func list(_ text: String) throws(BadSetting) -> [TokenGrant] {
        var grants: [TokenGrant] = []
        // Errors name the position: the entry itself is secret.
        for (index, entry) in commaSeparated(text).enumerated() {
            grants.append(try TokenGrant(entry, position: index + 1))
        }
        guard grants.count <= countMax else { throw BadSetting("more than \(countMax) tokens") }
        return grants
    }

    private init(_ entry: String, position: Int) throws(BadSetting) {
        // The binding follows the last @, as no worker id holds one.
        let at = entry.lastIndex(of: "@") ?? entry.endIndex
        token = String(entry[..<at])
        guard (1...Self.bytesMax).contains(token.utf8.count), token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw BadSetting("token \(position) is empty, too long or holds a character outside visible ASCII")
        }
        guard at != entry.endIndex else {
            binding = .any
            return
        }
        var worker = String(entry[entry.index(after: at)...])
        let isPrefix = worker.hasSuffix("*")
        if isPrefix { worker.removeLast() }
        guard worker.utf8.count <= 128, worker.utf8.allSatisfy(isWorkerIDByte), isPrefix || !worker.isEmpty else {
            throw BadSetting(
                "token \(position) is bound to something that is no worker id (with or without * at its end)")
        }
        if isPrefix {
            binding = worker.isEmpty ? .any : .prefix(worker)
        } else {
            binding = .exactly(worker)
        }
    }

    /// With the token itself masked.
    var shown: String {
        switch binding {
        case .any: "***"
        case .exactly(let worker): "***@\(worker)"
        case .prefix(let prefix): "***@\(prefix)*"
        }
    }
}

/// `[A-Za-z0-9._:-]`, of which worker ids are made (api.md section 2).
func isWorkerIDByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: ":"),
        UInt8(ascii: "-"):
        true
    default: false
    }
}
