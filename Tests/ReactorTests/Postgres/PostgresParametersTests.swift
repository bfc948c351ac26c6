import TestSupport
import Testing

@testable import Reactor

/// Binary values, checked by PostgreSQL itself: what it reads must be what was written.
@Suite struct PostgresParametersTests {
    private static let echo = """
        SELECT $1::text[]::text, $2::jsonb[]::text, $3::int4[]::text, $4::int8[]::text, $5::bool[]::text,
               ($6::timestamptz[])[1] AT TIME ZONE 'UTC' = '2024-02-29 12:00:00.000001', $7::int2[]::text,
               $8::float8[]::text, $9::text[]::text
        """

    @Test func `arrays of every element type arrive as they were written`() async throws {
        let url = try Services.shared.createDatabase()
        try await onReactor { reactor in
            var statements = PostgresStatements()
            let echo = statements.add("echo", Self.echo)
            let client = try await reactor.connected(url, statements: statements)
            var cells: [String] = []
            let probe = RowsProbe { rows in for column in 0..<9 { cells.append(rows.bytes(0, column).string) } }
            var parameters = PostgresParameters()
            Self.write(&parameters)
            let isSubmitted = client.submit(owner: probe, tag: 0, statement: echo, parameters: parameters)
            #expect(isSubmitted)
            try await reactor.until("echoed") { probe.isDone }
            #expect(probe.failure == nil)
            #expect(
                cells == [
                    #"{plain,NULL,"",ключ}"#, #"{"{\"a\": [1, null]}",NULL}"#, "{1,-2,NULL}",
                    "{9223372036854775807}", "{t,f}", "\u{1}", "{-3}", "{1.5}", "{}",
                ])
            client.close()
        }
    }

    private static func write(_ parameters: inout PostgresParameters) {
        parameters.beginArray(of: .text)
        parameters.element("plain")
        parameters.elementNull()
        parameters.element("")
        parameters.element("ключ")
        parameters.endArray()
        parameters.beginArray(of: .jsonb)
        parameters.elementJSON(Array(#"{"a":[1,null]}"#.utf8).span.bytes)
        parameters.elementNull()
        parameters.endArray()
        parameters.beginArray(of: .int4)
        parameters.element(Int32(1))
        parameters.element(Int32(-2))
        parameters.elementNull()
        parameters.endArray()
        parameters.beginArray(of: .int8)
        parameters.element(Int64.max)
        parameters.endArray()
        parameters.beginArray(of: .bool)
        parameters.element(true)
        parameters.element(false)
        parameters.endArray()
        parameters.beginArray(of: .timestamptz)
        parameters.elementTimestamptz(1_709_208_000_000_001)
        parameters.endArray()
        parameters.beginArray(of: .int2)
        parameters.element(Int16(-3))
        parameters.endArray()
        parameters.beginArray(of: .float8)
        parameters.element(1.5)
        parameters.endArray()
        parameters.beginArray(of: .text)
        parameters.endArray()
    }

    @Test func `single values arrive as they were written, and cells come back typed`() async throws {
        let url = try Services.shared.createDatabase()
        try await onReactor { reactor in
            var statements = PostgresStatements()
            let echo = statements.add(
                "echo",
                """
                SELECT $1::int2, $2::int4, $3::int8, $4::bool, $5::text, $6::timestamptz, $7::jsonb->>'k', $8::text,
                       $9::text, $10::float8 = 2.25
                """)
            let client = try await reactor.connected(url, statements: statements)
            var cells: [String] = []
            let probe = RowsProbe { rows in
                cells = [
                    "\(rows.count) \(rows.columnCount)", "\(rows.int16(0, 0))", "\(rows.int32(0, 1))",
                    "\(rows.int64(0, 2))", "\(rows.bool(0, 3))", rows.bytes(0, 4).string,
                    "\(rows.timestamptz(0, 5))", rows.bytes(0, 6).string, "\(rows.isNull(0, 7))",
                    "\(rows.isNull(0, 8)) \(rows.bytes(0, 8).byteCount)", "\(rows.bool(0, 9))",
                ]
            }
            var parameters = PostgresParameters()
            // Twice: what was cleared must leave nothing behind.
            for _ in 0..<2 {
                parameters.clear()
                parameters.int2(-5)
                parameters.int4(70_000)
                parameters.int8(.min)
                parameters.bool(true)
                parameters.text("text")
                parameters.timestamptz(1_700_000_000_123_456)
                parameters.jsonb(Array(#"{"k":"v"}"#.utf8).span.bytes)
                parameters.null()
                parameters.text("")
                parameters.float8(2.25)
            }
            let count = parameters.count
            #expect(count == 10)
            let isSubmitted = client.submit(owner: probe, tag: 0, statement: echo, parameters: parameters)
            #expect(isSubmitted)
            try await reactor.until("echoed") { probe.isDone }
            #expect(probe.failure == nil)
            #expect(
                cells == [
                    "1 10", "-5", "70000", "\(Int64.min)", "true", "text", "1700000000123456", "v", "true", "false 0",
                    "true",
                ])
            client.close()
        }
    }
}
