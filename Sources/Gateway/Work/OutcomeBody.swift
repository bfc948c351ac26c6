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
        var reader = JSONReader(body)
        var (duration, bytes, fields, attempt) = (
            JSONValue.absent, JSONValue.absent, JSONValue.absent, JSONValue.absent
        )
        var more = try reader.openObject()
        while more {
            let key = try reader.key()
            let value = try reader.value()
            if reader.key(key, is: "duration_ms") {
                duration = value
            } else if reader.key(key, is: "bytes_downloaded") {
                bytes = value
            } else if reader.key(key, is: "fields_parsed") {
                fields = value
            } else if reader.key(key, is: "attempt") {
                attempt = value
            }
            more = try reader.moreMembers()
        }
        try reader.end()
        let rule: StaticString = "expected a number of 0 or more"
        return CompleteBody(
            durationMs: try duration.optionalRounded("duration_ms", in: body, max: Self.amountMax, rule),
            bytesDownloaded: try bytes.optionalRounded("bytes_downloaded", in: body, max: Self.amountMax, rule),
            fieldsParsed: try fields.optionalRounded("fields_parsed", in: body, max: Self.amountMax, rule),
            attempt: try attempt.optionalInteger("attempt", in: body, 0...Int.max, "expected an integer of 0 or more"))
    }

    /// The largest amount that a Double counts exactly.
    static let amountMax = 1 << 53
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
        var reader = JSONReader(body)
        var (reason, message, platform) = (JSONValue.absent, JSONValue.absent, JSONValue.absent)
        var (port, retry, attempt) = (JSONValue.absent, JSONValue.absent, JSONValue.absent)
        var more = try reader.openObject()
        while more {
            let key = try reader.key()
            let value = try reader.value()
            if reader.key(key, is: "reason") {
                reason = value
            } else if reader.key(key, is: "message") {
                message = value
            } else if reader.key(key, is: "platform") {
                platform = value
            } else if reader.key(key, is: "proxy_port") {
                port = value
            } else if reader.key(key, is: "retry_suggested") {
                retry = value
            } else if reader.key(key, is: "attempt") {
                attempt = value
            }
            more = try reader.moreMembers()
        }
        try reader.end()
        var fail = FailBody()
        if let name = try reason.optionalString("reason") { fail.reason = try self.reason(name, in: body) }
        fail.message = try message.optionalString("message")
        fail.platform = try platform.optionalString("platform")
        fail.proxyPort = try port.optionalInteger(
            "proxy_port", in: body, 1...65_535, "expected a port from 1 to 65535")
        fail.isRetrySuggested = try retry.optionalBool("retry_suggested", in: body) ?? true
        fail.attempt = try attempt.optionalInteger(
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
