// One request, the same again and again, to any HTTP server: what peers are measured with. Owned by one load loop.

import Reactor

final class GetScenario: Scenario {
    let kinds: [String]
    let requestBytes: Int
    let readsBodies = false
    let sendsHEAD: Bool
    private let request: [UInt8]

    /// - Parameters:
    ///   - headers: besides Host and Content-Length.
    ///   - body: sent with a Content-Length, unless it is empty and the method has none.
    init(target: Target, method: String, headers: [(String, String)], body: [UInt8]) {
        var text = RequestText(method, target.path, target: target, headers: headers).bytes
        if !body.isEmpty || method == "POST" || method == "PUT" || method == "PATCH" {
            text += Array("Content-Length: \(body.count)\r\n".utf8)
        }
        request = text + Array("\r\n".utf8) + body
        requestBytes = request.count
        kinds = [method]
        sendsHEAD = method == "HEAD"
    }

    func write(to out: inout ByteBuffer, now: Instant) -> Ticket {
        out.append(bytes: request)
        return Ticket()
    }

    func answered(_ ticket: Ticket, status: Int, body: RawSpan, now: Instant) -> Verdict {
        status < 400 ? .good : .refused
    }
}
