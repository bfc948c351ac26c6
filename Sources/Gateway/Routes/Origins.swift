// Origins that browsers may call the public surface from: which one a request is of, and the header lines of its answer.
// An immutable value, shared by all reactors. Limit: 65,534 origins. Source: the Fetch standard, section 3.2 (CORS).

import Reactor

struct Origins: Sendable {
    /// Notes of a request: no origin, one that is not allowed, any; the others are positions in the list plus one.
    static let none: UInt16 = 0
    private static let any: UInt16 = .max
    static let preflightSeconds = 600

    private let list: [[UInt8]]
    private let allowsAny: Bool

    init(_ origins: [String]) {
        allowsAny = origins.contains("*")
        list = origins.filter { $0 != "*" }.map { Array($0.utf8) }
    }

    var isEmpty: Bool { list.isEmpty && !allowsAny }

    /// What to note of a request's `Origin`; `none` where it is not allowed.
    func mark(_ origin: RawSpan?) -> UInt16 {
        guard let origin else { return Self.none }
        if allowsAny { return Self.any }
        for (index, allowed) in list.enumerated() where allowed.rawBytes.hasSameBytes(as: origin) {
            return UInt16(index + 1)
        }
        return Self.none
    }

    /// Appends the lines of an answer to a request that was noted.
    func write(_ mark: UInt16, to out: inout ByteBuffer) {
        if isEmpty { return }
        if !allowsAny { out.append("Vary: Origin\r\n") }
        if mark == Self.none { return }
        out.append("Access-Control-Allow-Origin: ")
        if mark == Self.any {
            out.append("*")
        } else {
            let origin = list[Int(mark) - 1]
            out.append(origin.rawBytes)
        }
        out.append("\r\nAccess-Control-Expose-Headers: ")
        out.append(Self.exposed)
        out.append("\r\n")
    }

    /// Appends what a preflight asks for.
    func writePreflight(methods: String, to out: inout ByteBuffer) {
        out.append("Access-Control-Allow-Methods: ")
        out.append(methods)
        out.append("\r\nAccess-Control-Allow-Headers: ")
        out.append(Self.allowed)
        out.append("\r\nAccess-Control-Max-Age: ")
        out.append(decimal: Self.preflightSeconds)
        out.append("\r\n")
    }

    private static let exposed: StaticString =
        "Age, ETag, RateLimit, RateLimit-Policy, Retry-After, Sunset, X-Cache, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, X-Request-ID, X-Upgrade-Required"
    private static let allowed: StaticString =
        "Accept, Accept-Language, Authorization, Content-Type, If-None-Match, X-API-Key, X-Request-ID, traceparent, tracestate"
}
