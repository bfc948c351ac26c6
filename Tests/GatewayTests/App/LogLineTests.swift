// A log event as one line.
import Foundation
import Logging
import Reactor
import Testing

@testable import Gateway

@Suite struct LogLineTests {
    private struct SomeError: Error {}

    private func line(
        _ message: Logger.Message, _ metadata: Logger.Metadata = [:], error: (any Error)? = nil,
        format: LogFormat = .json
    ) -> String {
        let event = LogEvent(
            level: .notice, message: message, error: error, metadata: nil, source: nil, file: "", function: "", line: 1)
        var buffer = ByteBuffer()
        let time = WallTime(msSinceEpoch: 1_770_199_200_123)
        switch format {
        case .json: LogLine.append(json: event, metadata: metadata, at: time, to: &buffer)
        case .text: LogLine.append(text: event, metadata: metadata, at: time, to: &buffer)
        }
        return buffer.bytes.string
    }

    @Test func `a line is an object with timestamp, level, message and sorted metadata`() {
        #expect(
            line("hello", ["request_id": "r", "bytes": .stringConvertible(12), "ok": .stringConvertible(true)])
                == #"{"timestamp":"2026-02-04T10:00:00.123Z","level":"notice","message":"hello","bytes":12,"ok":true,"request_id":"r"}"#
                + "\n")
    }

    @Test func `nested metadata is flattened, arrays stay arrays`() {
        let text = line(
            "m", ["a": ["b": ["c": "1"], "d": "2"], "e": ["x", ["k": "v"]], "n": .stringConvertible(1.5)])
        #expect(text.hasSuffix(#""a.b.c":"1","a.d":"2","e":["x",{"k":"v"}],"n":1.5}"# + "\n"))
    }

    @Test func `metadata cannot take the place of a line's own keys`() {
        let text = line("m", ["level": "x", "message": "y"], error: SomeError())
        #expect(text.contains(#""level":"notice","message":"m","error":"SomeError()","level_":"x","message_":"y""#))
    }

    @Test func `whatever a value holds, the line is one line of valid JSON with that value`() throws {
        let hostile = "quote \" slash \\ nl \n cr \r tab \t nul \0 esc \u{1B}[31m del \u{7F} c1 \u{9B} é 漢 🚀 \u{2028}"
        let text = line("\(hostile)", ["\(hostile)": "\(hostile)"])
        #expect(text.utf8.count { $0 == UInt8(ascii: "\n") } == 1)
        #expect(text.utf8.allSatisfy { $0 >= 0x20 || $0 == UInt8(ascii: "\n") })
        let object = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: String])
        #expect(object["message"] == hostile)
        #expect(object[hostile] == hostile)
    }

    @Test func `numbers that JSON lacks become strings`() {
        #expect(line("m", ["x": .stringConvertible(Double.nan)]).contains(#""x":"nan""#))
    }

    @Test func `a long value is cut`() {
        let text = line("m", ["x": "\(String(repeating: "é", count: 5000))"])
        #expect(text.utf8.count < LogLine.valueBytesMax + 200)
        #expect(text.hasSuffix("é…\"}\n"))
    }

    @Test func `the text format is for people and cannot be broken by a value either`() {
        #expect(
            line("hello\nworld", ["a": "x y", "b": "z", "c": ""], error: SomeError(), format: .text)
                == "2026-02-04T10:00:00.123Z NOTICE hello\\nworld error=\"SomeError()\" a=\"x y\" b=z c=\"\"\n")
    }
}
