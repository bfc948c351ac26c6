// The SQL that stores results, and its parameters in PostgreSQL's binary array format. One for each kind. Immutable.
//
// Rows come back only where they changed the table: `batch_ordinal` names the row, `xmax = 0` tells an insert from an
// update, and what does not come back was stale. Equal `scraped_at` is an update.

import Reactor

struct ResultStatements: Sendable {
    private let many: StatementID
    private let one: StatementID

    /// Adds the kind's statements to those that every connection prepares.
    init(_ kind: WorkKind, in statements: inout PostgresStatements) {
        many = statements.add("\(kind.name)_results_many", Self.sql(kind, source: Self.many))
        one = statements.add("\(kind.name)_results_one", Self.sql(kind, source: Self.one))
    }

    private static let many = """
        SELECT u.id, u.platform, u.state, u.county, u.scraped_at, u.duration, u.attempt, u.ordinal::smallint, u.task,
            u.worker, u.hash, u.data
        FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::int4[], $7::int4[],
            $8::text[], $9::text[], $10::text[], $11::jsonb[])
            WITH ORDINALITY AS u(id, platform, state, county, scraped_at, duration, attempt, task, worker, hash, data,
            ordinal)
        """

    private static let one = """
        VALUES ($1::text, $2::text, $3::text, $4::text, $5::timestamptz, $6::int4, $7::int4, 1::smallint, $8::text,
            $9::text, $10::text, $11::jsonb)
        """

    private static func sql(_ kind: WorkKind, source: String) -> String {
        let table = kind.resultTable
        return """
            INSERT INTO \(table) AS r (\(kind.resultKey.field), platform, state, county, scraped_at,
                parse_duration_ms, attempt, batch_ordinal, task_id, worker_id, raw_html_hash, data)
            \(source)
            ON CONFLICT (\(kind.resultKey.field), platform, state, county) DO UPDATE SET
                scraped_at = excluded.scraped_at, received_at = now(),
                parse_duration_ms = excluded.parse_duration_ms, attempt = excluded.attempt,
                batch_ordinal = excluded.batch_ordinal, task_id = excluded.task_id, worker_id = excluded.worker_id,
                raw_html_hash = excluded.raw_html_hash, data = excluded.data
            WHERE r.scraped_at <= excluded.scraped_at
            RETURNING batch_ordinal, (xmax = 0)
            """
    }

    /// Writes the rows at `group` of the chunk's order as parameters.
    /// - Returns: the statement to run with them: a row alone takes the plain one, which costs the server less.
    func encode(
        _ chunk: borrowing ResultChunk, _ group: Range<Int>, into parameters: inout PostgresParameters
    ) -> StatementID {
        parameters.clear()
        if group.count == 1 {
            encodeOne(chunk, chunk.rows[Int(chunk.order[group.lowerBound])], into: &parameters)
            return one
        }
        encodeNames(chunk, group, into: &parameters)
        encodeOthers(chunk, group, into: &parameters)
        return many
    }

    private func encodeOne(_ chunk: borrowing ResultChunk, _ row: ResultRow, into parameters: inout PostgresParameters)
    {
        let bytes = chunk.bytes.bytes
        parameters.text(bytes.slice(row.recordID))
        parameters.text(bytes.slice(row.platform))
        parameters.text(bytes.slice(row.state))
        parameters.text(bytes.slice(row.county))
        parameters.timestamptz(row.scrapedAtUs)
        parameters.int4(row.parseDurationMs)
        if let attempt = row.attempt { parameters.int4(attempt) } else { parameters.null() }
        parameters.text(bytes.slice(row.taskID))
        parameters.text(bytes.slice(row.worker))
        if let hash = row.rawHTMLHash { parameters.text(bytes.slice(hash)) } else { parameters.null() }
        parameters.jsonb(bytes.slice(row.data))
    }

    private func encodeNames(
        _ chunk: borrowing ResultChunk, _ group: Range<Int>, into parameters: inout PostgresParameters
    ) {
        encodeTexts(chunk, group, into: &parameters) { $0.recordID }
        encodeTexts(chunk, group, into: &parameters) { $0.platform }
        encodeTexts(chunk, group, into: &parameters) { $0.state }
        encodeTexts(chunk, group, into: &parameters) { $0.county }
        parameters.beginArray(of: .timestamptz)
        for position in group { parameters.elementTimestamptz(chunk.row(at: position).scrapedAtUs) }
        parameters.endArray()
        parameters.beginArray(of: .int4)
        for position in group { parameters.element(chunk.row(at: position).parseDurationMs) }
        parameters.endArray()
        parameters.beginArray(of: .int4)
        for position in group {
            if let attempt = chunk.row(at: position).attempt {
                parameters.element(attempt)
            } else {
                parameters.elementNull()
            }
        }
        parameters.endArray()
    }

    private func encodeOthers(
        _ chunk: borrowing ResultChunk, _ group: Range<Int>, into parameters: inout PostgresParameters
    ) {
        encodeTexts(chunk, group, into: &parameters) { $0.taskID }
        encodeTexts(chunk, group, into: &parameters) { $0.worker }
        encodeTexts(chunk, group, into: &parameters) { $0.rawHTMLHash }
        parameters.beginArray(of: .jsonb)
        for position in group { parameters.elementJSON(chunk.bytes.bytes.slice(chunk.row(at: position).data)) }
        parameters.endArray()
    }

    private func encodeTexts(
        _ chunk: borrowing ResultChunk, _ group: Range<Int>, into parameters: inout PostgresParameters,
        _ field: (ResultRow) -> ByteRange?
    ) {
        parameters.beginArray(of: .text)
        for position in group {
            if let range = field(chunk.row(at: position)) {
                parameters.element(chunk.bytes.bytes.slice(range))
            } else {
                parameters.elementNull()
            }
        }
        parameters.endArray()
    }
}
