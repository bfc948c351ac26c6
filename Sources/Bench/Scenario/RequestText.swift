// How requests are spelled: the parts that never change are made once, the rest is appended. Plain data of one scenario.

import Reactor

/// The constant beginning of a request: request line and the header lines that all have.
struct RequestText {
    let bytes: [UInt8]

    /// - Parameters:
    ///   - last: begins a header line whose value the caller appends, or is empty.
    init(_ method: String, _ path: String, target: Target, headers: [(String, String)], last: String = "") {
        var text = "\(method) \(path) HTTP/1.1\r\nHost: \(target.authority)\r\n"
        for (name, value) in headers { text += "\(name): \(value)\r\n" }
        bytes = Array((text + last).utf8)
    }

    func append(to out: inout ByteBuffer) { out.append(bytes.span.bytes) }
}

extension ByteBuffer {
    /// Appends bytes of an array.
    mutating func append(bytes: [UInt8]) { append(bytes.span.bytes) }

    /// Appends the end of a head whose body follows.
    mutating func appendHeadEnd(bodyBytes: Int) {
        append("\r\nContent-Length: ")
        append(decimal: bodyBytes)
        append("\r\n\r\n")
    }
}

/// Who the workers are: their token and the beginning of their ids.
struct WorkerIdentity: Sendable {
    var token: String
    var idPrefix: String

    var headers: [(String, String)] { token.isEmpty ? [] : [("X-Worker-Token", token)] }
    /// Begins the header line of the id.
    var idLine: String { "X-Worker-ID: \(idPrefix)" }
}
