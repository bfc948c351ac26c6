// W3C trace context: a `traceparent` that is read, continued and sent on. Plain data; random ids are passed in.
// Source: W3C Trace Context, level 1, section 3.

import Reactor

struct TraceContext: Equatable, Sendable {
    /// The bit of `flags` by which a caller says that it keeps the trace.
    static let sampled: UInt8 = 1

    var traceHigh: UInt64
    var traceLow: UInt64
    /// The span that the next one hangs below.
    var span: UInt64
    var flags: UInt8

    /// Reads a header's value; nil where it is none: the trace starts anew then.
    init?(_ text: RawSpan) {
        guard text.byteCount >= 55, let version = Self.hex(text, 0, 2), version != 0xFF,
            version == 0 ? text.byteCount == 55 : (text.byteCount == 55 || text.byte(at: 55) == Self.dash),
            text.byte(at: 2) == Self.dash, text.byte(at: 35) == Self.dash, text.byte(at: 52) == Self.dash,
            let high = Self.hex(text, 3, 16), let low = Self.hex(text, 19, 16), high | low != 0,
            let span = Self.hex(text, 36, 16), span != 0, let flags = Self.hex(text, 53, 2)
        else { return nil }
        self.init(traceHigh: high, traceLow: low, span: span, flags: UInt8(flags))
    }

    init(traceHigh: UInt64, traceLow: UInt64, span: UInt64, flags: UInt8) {
        (self.traceHigh, self.traceLow, self.span, self.flags) = (traceHigh, traceLow, span, flags)
    }

    /// A trace that begins here, not sampled.
    static func fresh(using generator: inout some RandomNumberGenerator) -> TraceContext {
        TraceContext(
            traceHigh: generator.next(), traceLow: generator.next() | 1, span: generator.next() | 1, flags: 0)
    }

    /// The same trace, one span further.
    func child(using generator: inout some RandomNumberGenerator) -> TraceContext {
        var child = self
        child.span = generator.next() | 1
        return child
    }

    /// `00-<trace>-<span>-<flags>`
    func write(to out: inout ByteBuffer) {
        out.append("00-")
        Self.write(traceHigh, digits: 16, to: &out)
        Self.write(traceLow, digits: 16, to: &out)
        out.append("-")
        Self.write(span, digits: 16, to: &out)
        out.append("-")
        Self.write(UInt64(flags), digits: 2, to: &out)
    }

    private static let dash = UInt8(ascii: "-")

    /// Lower-case digits only, as the standard has it.
    private static func hex(_ text: RawSpan, _ start: Int, _ count: Int) -> UInt64? {
        var value: UInt64 = 0
        for at in start..<start + count {
            let byte = text.byte(at: at)
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt64(byte - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt64(byte - UInt8(ascii: "a") + 10)
            default: return nil
            }
        }
        return value
    }

    private static func write(_ value: UInt64, digits: Int, to out: inout ByteBuffer) {
        for shift in stride(from: (digits - 1) * 4, through: 0, by: -4) {
            let digit = UInt8(truncatingIfNeeded: value >> UInt64(shift)) & 15
            out.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
        }
    }
}
