// The one error body of the contract, whatever layer finds the error. Pure; appends to a buffer.

/// An error as clients see it: status, code, message, and details where they help.
public struct Problem: Error, Sendable {
    public var status: Int
    public var code: StaticString
    public var message: String
    public var details: [Detail]
    /// Seconds after which a repeat makes sense: `Retry-After`.
    public var retryAfterSeconds: Int?
    /// Whole header lines beyond the usual ones, each with its CRLF: `Allow`, rate limits.
    public var headerLines = ""

    public enum Detail: Sendable {
        case text(StaticString, String)
        case number(StaticString, Int)
    }

    public init(
        status: Int, code: StaticString, message: String, details: [Detail] = [], retryAfterSeconds: Int? = nil
    ) {
        self.status = status
        self.code = code
        self.message = message
        self.details = details
        self.retryAfterSeconds = retryAfterSeconds
    }

    /// What the parser refused, in the contract's words.
    init(_ failure: HTTPFailure) {
        var message = ByteBuffer()
        failure.appendMessage(to: &message)
        self.init(
            status: failure.status.code, code: failure.code, message: message.bytes.string,
            details: [.number("offset", failure.atByte)])
    }

    /// Appends `{"error":{…},"request_id":"…"}`.
    public func write(to buffer: inout ByteBuffer, requestID: RequestID) {
        buffer.append("{\"error\":{\"code\":\"")
        buffer.append(code)
        buffer.append("\",\"message\":")
        buffer.append(jsonString: message)
        if !details.isEmpty {
            buffer.append(",\"details\":{")
            for (index, detail) in details.enumerated() {
                if index > 0 { buffer.append(UInt8(ascii: ",")) }
                write(detail, to: &buffer)
            }
            buffer.append(UInt8(ascii: "}"))
        }
        buffer.append("},\"request_id\":\"")
        requestID.write(to: &buffer)
        buffer.append("\"}")
    }

    private func write(_ detail: Detail, to buffer: inout ByteBuffer) {
        let name: StaticString
        switch detail {
        case .text(let key, _), .number(let key, _): name = key
        }
        buffer.append(UInt8(ascii: "\""))
        buffer.append(name)
        buffer.append("\":")
        switch detail {
        case .text(_, let value): buffer.append(jsonString: value)
        case .number(_, let value): buffer.append(decimal: value)
        }
    }
}

extension Problem {
    public static func invalidRequest(_ message: String, _ details: Detail...) -> Problem {
        Problem(status: 400, code: "INVALID_REQUEST", message: message, details: details)
    }
    public static func unauthorized(_ message: String) -> Problem {
        Problem(status: 401, code: "UNAUTHORIZED", message: message)
    }
    public static func forbidden(_ message: String) -> Problem {
        Problem(status: 403, code: "FORBIDDEN", message: message)
    }
    public static func notFound(_ message: String) -> Problem {
        Problem(status: 404, code: "NOT_FOUND", message: message)
    }
    public static func timedOut(_ message: String) -> Problem {
        Problem(status: 408, code: "REQUEST_TIMEOUT", message: message)
    }
    public static func payloadTooLarge(_ message: String, _ details: Detail...) -> Problem {
        Problem(status: 413, code: "PAYLOAD_TOO_LARGE", message: message, details: details)
    }
    public static func validation(_ message: String, _ details: [Detail]) -> Problem {
        Problem(status: 422, code: "VALIDATION_ERROR", message: message, details: details)
    }
    public static func unavailable(_ message: String, retryAfterSeconds: Int = 1) -> Problem {
        Problem(
            status: 503, code: "SERVICE_UNAVAILABLE", message: message, retryAfterSeconds: retryAfterSeconds)
    }
    public static var internalError: Problem {
        Problem(status: 500, code: "INTERNAL_ERROR", message: "the gateway failed to answer; the log has the reason")
    }
}
