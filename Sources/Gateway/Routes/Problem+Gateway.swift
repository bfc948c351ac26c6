// The gateway's own refusals in the contract's words. Pure.

import Reactor

extension Problem {
    /// A body that is not JSON (400, with the byte) or not of the schema (422, with the field).
    init(_ failure: JSONFailure) {
        switch failure {
        case .syntax(let syntax):
            self = .invalidRequest(failure.message, .number("offset", syntax.offset))
        case .schema(let schema):
            var details: [Detail] = []
            if let index = schema.index { details.append(.number("index", index)) }
            if schema.field.utf8CodeUnitCount > 0 { details.append(.text("field", "\(schema.field)")) }
            self = .validation(failure.message, details)
        }
    }

    init(_ failure: RedisFailure) {
        switch failure {
        case .unavailable, .timedOut: self = .redisAway
        case .overloaded: self = .overloaded
        case .refused, .protocolViolation, .unsupported: self = .unavailable("\(failure)")
        }
    }

    /// What became of a request to another service, `service` in the words of a message.
    init(_ failure: HTTPClientFailure, of service: String) {
        let message = "\(service): \(failure)"
        switch failure {
        case .timedOut: self = .upstreamTimedOut(message)
        case .connectFailed, .resetBeforeResponse, .resetDuringResponse, .protocolViolation, .tooLarge:
            self = .upstreamFailed(message)
        case .overloaded, .unsupported, .cancelled: self = .unavailable(message)
        }
    }

    static func upstreamFailed(_ message: String) -> Problem {
        Problem(status: 502, code: "UPSTREAM_ERROR", message: message)
    }

    static func upstreamTimedOut(_ message: String) -> Problem {
        Problem(status: 504, code: "UPSTREAM_TIMEOUT", message: message)
    }

    static func methodNotAllowed(_ allow: String) -> Problem {
        var problem = Problem(
            status: 405, code: "METHOD_NOT_ALLOWED", message: "this path answers to \(allow)",
            details: [.text("allow", allow)])
        problem.headerLines = "Allow: \(allow)\r\n"
        return problem
    }

    static func unsupportedMediaType(_ message: String) -> Problem {
        Problem(status: 415, code: "UNSUPPORTED_MEDIA_TYPE", message: message)
    }

    static func rateLimited(retryAfterSeconds: Int) -> Problem {
        Problem(
            status: 429, code: "RATE_LIMIT_EXCEEDED", message: "too many requests; repeat after \(retryAfterSeconds) s",
            retryAfterSeconds: retryAfterSeconds)
    }

    static var redisAway: Problem { .unavailable("Redis is unreachable; nothing was done") }
    static var postgresAway: Problem { .unavailable("PostgreSQL is unreachable; the results may not be stored") }
    static var overloaded: Problem { .unavailable("too much work is waiting; nothing was done") }
}
