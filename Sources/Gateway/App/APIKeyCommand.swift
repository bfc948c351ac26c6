// `gateway api-key create|list|revoke`: API keys of clients, in PostgreSQL. On the main thread of a process that does
// nothing else. A key is printed once, when it is made; afterwards it goes by the first digits of its SHA-256.
// Limits: `APIKey.activeMax` keys of a user at once; `userBytesMax`, `nameBytesMax`. Source: the HTTP contract, section 3.

import ArgumentParser
import Reactor

struct APIKeyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "api-key", abstract: "Make, list and revoke the API keys of clients.",
        discussion: """
            To change a client's key without a pause: create a second one, hand it over, revoke the first. A gateway that \
            has seen a key lately lets it in for up to GATEWAY_CREDENTIAL_CACHE_SECONDS after it was revoked.
            """,
        subcommands: [Create.self, List.self, Revoke.self])

    /// Nothing was changed, for a reason that stands on stderr.
    static let refusedExit = ExitCode(65)
    static let userBytesMax = 128
    static let nameBytesMax = 128
    /// Digits of a hash that name a key, at least.
    static let digitsMin = 8
    static let digitsShown = 16

    static func connect(_ options: ConfigurationOptions) throws -> PostgresTarget {
        try PostgresTarget(options.start().configuration.postgresURL)
    }

    static func refuse(_ reason: String) -> ExitCode {
        writeLine(reason, to: 2)
        return refusedExit
    }
}

extension APIKeyCommand {
    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "create", abstract: "Make a key and print it; it cannot be shown again.")

        @OptionGroup var options: ConfigurationOptions

        @Option(help: "Whose key it is: quotas and rates are counted by this name.")
        var user: String

        @Option(help: "free, starter, premium, enterprise or internal.")
        var tier = "free"

        @Option(help: "What the key is for, for people.")
        var name = ""

        @Option(
            help:
                "The last day of the key, as 2027-06-30 (UTC), or a time of RFC 3339. Without it the key does not end.")
        var expires: String?

        func validate() throws {
            let isUser =
                (1...userBytesMax).contains(user.utf8.count) && user.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
            guard isUser, user != Caller.anonymousUser, user != Caller.siteUser else {
                throw ValidationError(
                    "--user: expected 1 to \(userBytesMax) visible ASCII characters, no reserved name")
            }
            guard let tier = Tier(name: tier), APIKey.tiers.contains(tier) else {
                let names = APIKey.tiers.map(\.name).joined(separator: ", ")
                throw ValidationError("--tier: expected one of \(names)")
            }
            guard name.utf8.count <= nameBytesMax, name.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
                throw ValidationError("--name: expected at most \(nameBytesMax) characters on one line")
            }
            if let expires, Self.end(expires) == nil {
                throw ValidationError("--expires: expected a date, as 2027-06-30, or a time of RFC 3339")
            }
        }

        /// A date means to its end.
        static func end(_ text: String) -> String? {
            let full = text.utf8.count == 10 ? text + "T23:59:59Z" : text
            return Timestamp(Array(full.utf8).rawBytes) == nil ? nil : full
        }

        func run() throws {
            let session = try PostgresMigrationConnection(connect(options))
            let key = APIKey.make()
            let hash = SHA256Digest.of(key).hex
            let expires: PostgresValue = expires.flatMap { Self.end($0) }.map { .text($0) } ?? .null
            var isMade = false
            try session.transaction { (session: borrowing PostgresMigrationConnection) throws(PostgresFailure) in
                // One at a time for a user: two that count at once would both find room.
                try session.query("SELECT pg_advisory_xact_lock(hashtext($1))", [.text("api_keys:\(user)")])
                isMade = try !session.query(
                    """
                    INSERT INTO api_keys (key_hash, user_id, tier, name, expires_at)
                    SELECT $1, $2, $3, $4, $5::timestamptz
                    WHERE (SELECT count(*) FROM api_keys WHERE user_id = $2 AND active
                           AND (expires_at IS NULL OR expires_at > now())) < \(APIKey.activeMax)
                    RETURNING key_hash
                    """, [.text(hash), .text(user), .text(tier), .text(name), expires]
                ).isEmpty
            }
            guard isMade else {
                throw refuse("\(user) has \(APIKey.activeMax) active keys already: revoke one of them first")
            }
            writeLine(key, to: 1)
            writeLine("made \(hash.prefix(digitsShown)) for \(user), tier \(tier)", to: 2)
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "Print all keys, without the keys.")

        @OptionGroup var options: ConfigurationOptions

        @Option(help: "Only this user's.")
        var user: String?

        @Flag(help: "Revoked and expired ones too.")
        var all = false

        func run() throws {
            let session = try PostgresMigrationConnection(connect(options))
            let rows = try session.query(
                """
                SELECT left(key_hash, \(digitsShown)), user_id, tier,
                       CASE WHEN NOT active THEN 'revoked' WHEN expires_at <= now() THEN 'expired' ELSE 'active' END,
                       to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
                       coalesce(to_char(expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), '-'),
                       coalesce(to_char(last_used_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), '-'), name
                FROM api_keys
                WHERE ($1::text IS NULL OR user_id = $1)
                  AND ($2 OR (active AND (expires_at IS NULL OR expires_at > now())))
                ORDER BY user_id, created_at, key_hash
                """, [user.map { .text($0) } ?? .null, .bool(all)])
            let header = ["KEY", "USER", "TIER", "STATE", "CREATED", "EXPIRES", "LAST USED", "NAME"]
            for line in columns([header] + rows.map { $0.cells.map { $0 ?? "-" } }) { writeLine(line, to: 1) }
        }

        /// Each column as wide as its widest cell.
        private func columns(_ table: [[String]]) -> [String] {
            let widths = table[0].indices.map { column in table.map { $0[column].count }.max() ?? 0 }
            return table.map { row in
                let cells = zip(row, widths).map { cell, width in
                    cell + String(repeating: " ", count: width - cell.count)
                }
                return String(cells.joined(separator: "  ").reversed().drop { $0 == " " }.reversed())
            }
        }
    }

    struct Revoke: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "revoke", abstract: "End a key, by its digits in the list.")

        @OptionGroup var options: ConfigurationOptions

        @Argument(help: "The first 8 or more hexadecimal digits of the key's SHA-256, as `list` prints them.")
        var key: String

        func validate() throws {
            let isHash = key.utf8.allSatisfy { ($0 >= 0x30 && $0 <= 0x39) || ($0 >= 0x61 && $0 <= 0x66) }
            guard isHash, (digitsMin...64).contains(key.utf8.count) else {
                throw ValidationError("expected \(digitsMin) to 64 digits of a key in `list`, not the key itself")
            }
        }

        func run() throws {
            let session = try PostgresMigrationConnection(connect(options))
            let found = try session.query(
                "SELECT key_hash, user_id FROM api_keys WHERE starts_with(key_hash, $1) LIMIT 2", [.text(key)])
            guard found.count == 1, let hash = found[0][0], let user = found[0][1] else {
                throw refuse(
                    found.isEmpty ? "no key begins with \(key)" : "several keys begin with \(key): give more digits")
            }
            try session.query("UPDATE api_keys SET active = false WHERE key_hash = $1", [.text(hash)])
            writeLine("revoked \(hash.prefix(digitsShown)) of \(user)", to: 1)
        }
    }
}
