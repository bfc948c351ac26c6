// The small bodies with which a worker ends a task: complete and fail. Every member is optional, and so is the body.
// Plain data; no allocation. Source: the worker endpoints of the HTTP contract, section 2.

import Reactor

/// The body of `POST /internal/tasks/{id}/complete`.
struct CompleteBody {
    var durationMs: Int?
    var bytesDownloaded: Int?
    var fieldsParsed: Int?
    var attempt: Int?

    /// - Parameter body: may be empty.
    static func decode(_ body: RawSpan) throws(JSONFailure) -> CompleteBody {
        do throws(JSONFailure) {
            return try read(body)
        } catch {
            throw JSONReader.failure(error, of: body)
        }
    }

    private static func read(_ body: RawSpan) throws(JSONFailure) -> CompleteBody {
        if body.byteCount == 0 { return CompleteBody() }
        let members = try JSONMembers<4>(body, ["duration_ms", "bytes_downloaded", "fields_parsed", "attempt"])
        let rule: StaticString = "expected a number of 0 or more"
        return CompleteBody(
            durationMs: try members[0].optionalRounded("duration_ms", in: body, max: Self.amountMax, rule),
            bytesDownloaded: try members[1].optionalRounded("bytes_downloaded", in: body, max: Self.amountMax, rule),
            fieldsParsed: try members[2].optionalRounded("fields_parsed", in: body, max: Self.amountMax, rule),
            attempt: try members[3].optionalInteger(
                "attempt", in: body, 0...Int.max, "expected an integer of 0 or more"))
    }

    /// The largest amount that a Double tells from the next one.
    static let amountMax = (1 << 53) - 1
}

/// Why a task failed, in the contract's words.
enum FailReason: UInt8, CaseIterable {
    case platformDown, formatChanged, rateLimited, blocked, parserBug, networkError, timeout

    var name: StaticString {
        switch self {
        case .platformDown: "platform_down"
        case .formatChanged: "format_changed"
        case .rateLimited: "rate_limited"
        case .blocked: "blocked"
        case .parserBug: "parser_bug"
        case .networkError: "network_error"
        case .timeout: "timeout"
        }
    }
}

/// The body of `POST /internal/tasks/{id}/fail`.
struct FailBody {
    var reason = FailReason.networkError
    var message: JSONString?
    var platform: JSONString?
    var proxyPort: Int?
    var isRetrySuggested = true
    var attempt: Int?

    /// - Parameter body: may be empty.
    static func decode(_ body: RawSpan) throws(JSONFailure) -> FailBody {
        do throws(JSONFailure) {
            return try read(body)
        } catch {
            throw JSONReader.failure(error, of: body)
        }
    }

    private static func read(_ body: RawSpan) throws(JSONFailure) -> FailBody {
        if body.byteCount == 0 { return FailBody() }
        let members = try JSONMembers<6>(
            body, ["reason", "message", "platform", "proxy_port", "retry_suggested", "attempt"])
        var fail = FailBody()
        if let name = try members[0].optionalString("reason") { fail.reason = try self.reason(name, in: body) }
        fail.message = try members[1].optionalString("message")
        fail.platform = try members[2].optionalString("platform")
        fail.proxyPort = try members[3].optionalInteger(
            "proxy_port", in: body, 1...65_535, "expected a port from 1 to 65535")
        fail.isRetrySuggested = try members[4].optionalBool("retry_suggested", in: body) ?? true
        fail.attempt = try members[5].optionalInteger(
            "attempt", in: body, 0...Int.max, "expected an integer of 0 or more")
        return fail
    }

    private static func reason(_ name: JSONString, in body: RawSpan) throws(JSONFailure) -> FailReason {
        for reason in FailReason.allCases where name.equals(reason.name, in: body) { return reason }
        throw .schema(
            "reason",
            "expected platform_down, format_changed, rate_limited, blocked, parser_bug, network_error or timeout")
    }
}
