// One HTTP/1.1 response as the test client saw it.

import Foundation

public struct HTTPResponse: Sendable {
    public var version: String
    public var status: Int
    public var reason: String
    /// In the order of arrival, names as they were sent.
    public var headers: [(name: String, value: String)]
    public var body: [UInt8]
    /// Fields after a chunked body.
    public var trailers: [(name: String, value: String)] = []

    /// 1xx: another response follows.
    public var isInterim: Bool { status < 200 }
    public var bodyText: String { String(decoding: body, as: UTF8.self) }

    /// The value of a header that must not come twice; nil when it is absent.
    public func header(_ name: String) -> String? { values(of: name).first }

    public func values(of name: String) -> [String] {
        headers.filter { $0.name.lowercased() == name.lowercased() }.map(\.value)
    }

    /// The body as JSON: dictionaries, arrays, strings, numbers.
    public func json() throws -> Any {
        do {
            return try JSONSerialization.jsonObject(with: Data(body), options: .fragmentsAllowed)
        } catch {
            throw TestFailure("the body of a \(status) is not JSON: \(bodyText)")
        }
    }

    public func jsonObject() throws -> [String: Any] {
        guard let object = try json() as? [String: Any] else { throw TestFailure("not a JSON object: \(bodyText)") }
        return object
    }

    /// `error.code` of an error body; nil when the body is none.
    public var errorCode: String? {
        let object = try? jsonObject()  // Not JSON: no code.
        return (object?["error"] as? [String: Any])?["code"] as? String
    }
}
