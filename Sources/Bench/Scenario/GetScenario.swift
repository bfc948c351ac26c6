// One request, the same again and again, to any HTTP server: what peers are measured with. Owned by one load loop.

import Reactor

final class GetScenario: Scenario {
    let kinds: [String]
    let requestBytes: Int
    let readsBodies = false
    let sendsHEAD: Bool
    private let request: [UInt8]
    private let good: Int?
    /// Where numbers stand, of so many different ones.
    private let places: [Int]
    private let distinct: Int
    private let step: Int
    private var number: Int

    static let placeholder = "{}"
    /// Four digits, hexadecimal.
    static let distinctMax = 1 << 16

    /// - Parameters:
    ///   - headers: besides Host and Content-Length.
    ///   - body: sent with a Content-Length, unless it is empty and the method has none.
    ///   - distinct: where > 0, each `{}` of the target and the headers is a number below it, another one each time.
    ///   - good: the status that is; nil for all below 400.
    init(
        target: Target, method: String, headers: [(String, String)], body: [UInt8], distinct: Int = 0,
        good: Int? = nil, share: LoopShare = LoopShare(index: 0, count: 1)
    ) {
        (self.distinct, self.good) = (distinct, good)
        (number, step) = (share.index, share.count)
        var text = RequestText(method, target.path, target: target, headers: headers).bytes
        if !body.isEmpty || method == "POST" || method == "PUT" || method == "PATCH" {
            text += Array("Content-Length: \(body.count)\r\n".utf8)
        }
        var places: [Int] = []
        if distinct > 0 { text = Self.numbered(text, &places) }
        self.places = places
        request = text + Array("\r\n".utf8) + body
        requestBytes = request.count
        kinds = [method]
        sendsHEAD = method == "HEAD"
    }

    func write(to out: inout ByteBuffer, now: Instant) -> Ticket {
        let start = out.count
        out.append(bytes: request)
        if distinct > 0 {
            let digits = Self.digits(number % distinct)
            for place in places { out.set(bigEndian: digits, at: start + place) }
            number += step
        }
        return Ticket()
    }

    /// Makes room for numbers, and tells where.
    private static func numbered(_ text: [UInt8], _ places: inout [Int]) -> [UInt8] {
        var out: [UInt8] = []
        var rest = text[...]
        while let at = rest.firstRange(of: Array(placeholder.utf8)) {
            out += rest[..<at.lowerBound]
            places.append(out.count)
            out += [UInt8](repeating: UInt8(ascii: "0"), count: 4)
            rest = rest[at.upperBound...]
        }
        return out + rest
    }

    /// Four hexadecimal digits as they are sent.
    private static func digits(_ number: Int) -> UInt32 {
        var digits: UInt32 = 0
        for shift in [12, 8, 4, 0] {
            let digit = UInt32(number >> shift & 15)
            digits = digits << 8 | (digit < 10 ? 0x30 + digit : 0x61 - 10 + digit)
        }
        return digits
    }

    func answered(_ ticket: Ticket, status: Int, body: RawSpan, now: Instant) -> Verdict {
        (good.map { status == $0 } ?? (status < 400)) ? .good : .refused
    }
}
