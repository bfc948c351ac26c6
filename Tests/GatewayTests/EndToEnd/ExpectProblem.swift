// What api.md section 1 says of every error, checked in one place.

import TestSupport
import Testing

/// What a refusal must look like besides its status and code; nil is not checked.
struct ProblemDetails: Sendable {
    /// A part of the message.
    var says: String?
    var offset: Int?
    var field: String?
    var index: Int?
    var parameter: String?
}

/// Checks an error answer: status, code, message, details, and the request id in header and body.
func expectProblem(
    _ response: HTTPResponse, _ status: Int, _ code: String, _ details: ProblemDetails = ProblemDetails(),
    at location: SourceLocation = #_sourceLocation
) throws {
    #expect(response.status == status, "\(response.bodyText)", sourceLocation: location)
    #expect(response.header("Content-Type") == "application/json", sourceLocation: location)
    #expect(response.header("Date") != nil, sourceLocation: location)
    let body = try response.jsonObject()
    let error = try #require(body["error"] as? [String: Any], sourceLocation: location)
    #expect(error["code"] as? String == code, sourceLocation: location)
    let message = try #require(error["message"] as? String, sourceLocation: location)
    #expect(!message.isEmpty, sourceLocation: location)
    if let part = details.says { #expect(message.contains(part), "\(message)", sourceLocation: location) }
    let found = error["details"] as? [String: Any] ?? [:]
    if let offset = details.offset { #expect(found["offset"] as? Int == offset, "\(found)", sourceLocation: location) }
    if let field = details.field { #expect(found["field"] as? String == field, "\(found)", sourceLocation: location) }
    if let index = details.index { #expect(found["index"] as? Int == index, "\(found)", sourceLocation: location) }
    if let name = details.parameter {
        #expect(found["parameter"] as? String == name, "\(found)", sourceLocation: location)
    }
    let requestID = try #require(response.header("X-Request-ID"), sourceLocation: location)
    #expect(body["request_id"] as? String == requestID, sourceLocation: location)
    #expect(isRequestID(requestID), "\(requestID)", sourceLocation: location)
    expectStatusHeaders(response, at: location)
}

/// 1 to 128 characters of `[A-Za-z0-9._-]`.
private func isRequestID(_ text: String) -> Bool {
    (1...128).contains(text.utf8.count)
        && text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                true
            default: false
            }
        }
}

/// Headers that come with a status whatever caused it.
private func expectStatusHeaders(_ response: HTTPResponse, at location: SourceLocation) {
    switch response.status {
    case 401: #expect(response.header("WWW-Authenticate") != nil, sourceLocation: location)
    case 405: #expect(response.header("Allow")?.isEmpty == false, sourceLocation: location)
    case 429, 503:
        let seconds = response.header("Retry-After").flatMap { Int($0) } ?? 0
        #expect(seconds >= 1, "Retry-After: \(response.header("Retry-After") ?? "none")", sourceLocation: location)
    default: break
    }
}

extension RawHTTP {
    /// The connection goes on: it answers one more request.
    func expectKept(at location: SourceLocation = #_sourceLocation) throws {
        #expect(try exchange("GET", "/health").status == 200, sourceLocation: location)
    }
}
