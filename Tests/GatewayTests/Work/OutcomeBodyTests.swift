// The bodies that end a task: all members optional, none of another type.

import Reactor
import Testing

@testable import Gateway

@Suite struct OutcomeBodyTests {
    private func complete(_ text: String) throws(JSONFailure) -> CompleteBody {
        try CompleteBody.decode(Array(text.utf8).span.bytes)
    }

    private func fail(_ text: String) throws(JSONFailure) -> FailBody {
        try FailBody.decode(Array(text.utf8).span.bytes)
    }

    private func message(_ body: () throws(JSONFailure) -> Void) -> String? {
        do throws(JSONFailure) {
            try body()
            return nil
        } catch {
            return "\(error.status) \(error.message)"
        }
    }

    @Test func `a complete body is read, and may be empty`() throws {
        let body = try complete(
            #"{"duration_ms":12.6,"bytes_downloaded":5000000000,"fields_parsed":90,"attempt":2,"x":0}"#)
        #expect(body.durationMs == 13 && body.bytesDownloaded == 5_000_000_000)
        #expect(body.fieldsParsed == 90 && body.attempt == 2)
        for text in ["", "{}", #"{"duration_ms":null}"#] {
            let body = try complete(text)
            #expect(body.durationMs == nil && body.attempt == nil)
        }
    }

    @Test(arguments: [
        (#"{"duration_ms":-1}"#, "422 duration_ms: expected a number of 0 or more"),
        (#"{"bytes_downloaded":"1"}"#, "422 bytes_downloaded: expected a number of 0 or more"),
        (#"{"attempt":1.5}"#, "422 attempt: expected an integer of 0 or more"),
        ("[]", "422 expected an object"), (" ", "400 byte 1: the document ends too early"),
    ])
    func `a bad complete body says what is wrong`(text: String, expected: String) {
        #expect(message { () throws(JSONFailure) in _ = try complete(text) } == expected)
    }

    @Test func `an amount is at most the largest that doubles tell from the next`() throws {
        #expect(try complete(#"{"fields_parsed":9007199254740991}"#).fieldsParsed == 9_007_199_254_740_991)
        for amount in ["9007199254740992", "9007199254740993", "1e16"] {
            let refused = message { () throws(JSONFailure) in _ = try complete("{\"fields_parsed\":\(amount)}") }
            #expect(refused == "422 fields_parsed: expected a number of 0 or more")
        }
    }

    @Test func `a fail body is read, and without one it is a network error worth a retry`() throws {
        let text =
            #"{"reason":"blocked","message":"HTTP 403\n","platform":"beacon","proxy_port":9050,"retry_suggested":false,"attempt":3}"#
        let body = try fail(text)
        #expect(body.reason == .blocked && body.proxyPort == 9050 && !body.isRetrySuggested && body.attempt == 3)
        let bytes = Array(text.utf8)
        let message = try #require(body.message)
        let platform = try #require(body.platform)
        let areEqual = [
            message.equals("HTTP 403\n", in: bytes.span.bytes), platform.equals("beacon", in: bytes.span.bytes),
            platform.equals("beacoN", in: bytes.span.bytes),
        ]
        #expect(areEqual == [true, true, false])
        for text in ["", "{}", #"{"reason":null,"retry_suggested":null}"#] {
            let body = try fail(text)
            #expect(
                body.reason == .networkError && body.isRetrySuggested && body.message == nil && body.proxyPort == nil)
        }
    }

    @Test func `every reason of the contract is known by its name`() throws {
        let names = [
            "platform_down", "format_changed", "rate_limited", "blocked", "parser_bug", "network_error", "timeout",
        ]
        #expect(FailReason.allCases.map(\.name.description) == names)
        for reason in FailReason.allCases {
            #expect(try fail("{\"reason\":\"\(reason.name)\"}").reason == reason)
        }
        #expect(try fail("{\"reason\":\"\\u0074imeout\"}").reason == .timeout)
    }

    @Test(arguments: [
        (
            #"{"reason":"bored"}"#,
            "422 reason: expected platform_down, format_changed, rate_limited, blocked, parser_bug, network_error or timeout"
        ),
        (#"{"reason":1}"#, "422 reason: expected a string"),
        (#"{"proxy_port":0}"#, "422 proxy_port: expected a port from 1 to 65535"),
        (#"{"proxy_port":65536}"#, "422 proxy_port: expected a port from 1 to 65535"),
        (#"{"retry_suggested":"no"}"#, "422 retry_suggested: expected true or false"),
        (#"{"message":[]}"#, "422 message: expected a string"), ("null", "422 expected an object"),
    ])
    func `a bad fail body says what is wrong`(text: String, expected: String) {
        #expect(message { () throws(JSONFailure) in _ = try fail(text) } == expected)
    }
}
