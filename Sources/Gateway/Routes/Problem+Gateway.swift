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
