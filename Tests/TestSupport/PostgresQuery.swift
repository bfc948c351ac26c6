// Asks PostgreSQL through psql: the tests' view of what is stored, independent of the client they test.
// Blocks for the run of one psql process. Not for volumes: all rows are held as strings.

import Foundation

public struct PostgresQuery: Sendable {
    public let url: String

    public init(url: String) { self.url = url }

    /// Runs one or more statements.
    /// - Returns: the rows of the last one, as text; nil is SQL's null.
    /// - Throws: `TestFailure` with PostgreSQL's message.
    @discardableResult
    public func run(_ sql: String, deadlineSeconds: Double = 60) throws -> [[String?]] {
        // Separators that no test's data has: the ASCII ones, and "substitute" for null.
        let result = try ChildProcess.run(
            Self.psql,
            [
                "--no-psqlrc", "--no-align", "--tuples-only", "--quiet", "--set=ON_ERROR_STOP=1",
                "--field-separator=\u{1F}", "--record-separator=\u{1E}", "--pset=null=\u{1A}", "--dbname=\(url)",
                "--file=-",
            ], input: sql, deadlineSeconds: deadlineSeconds)
        guard result.isSuccess else { throw TestFailure("psql: \(result.errors)") }
        var text = Substring(result.output)
        if text.last == "\n" { text.removeLast() }
        if text.isEmpty { return [] }
        return text.split(separator: "\u{1E}", omittingEmptySubsequences: false).map { record in
            record.split(separator: "\u{1F}", omittingEmptySubsequences: false).map {
                $0 == "\u{1A}" ? nil : String($0)
            }
        }
    }

    /// The one value of a query that returns one row of one column.
    public func value(_ sql: String) throws -> String? {
        let rows = try run(sql)
        guard rows.count == 1, rows[0].count == 1 else { throw TestFailure("not one value: \(sql) gave \(rows)") }
        return rows[0][0]
    }

    public func count(_ sql: String) throws -> Int {
        guard let text = try value(sql), let count = Int(text) else { throw TestFailure("not a number: \(sql)") }
        return count
    }

    /// Debian's /usr/bin/psql is a Perl script that looks for clusters first; the real one starts ten times faster.
    private static let psql: String = {
        let base = "/usr/lib/postgresql"
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: base)) ?? []  // None: PATH decides.
        let newest = versions.compactMap { Int($0) }.max()
        let path = newest.map { "\(base)/\($0)/bin/psql" } ?? "psql"
        return FileManager.default.isExecutableFile(atPath: path) ? path : "psql"
    }()
}
