// Writes a tree of YAML as JSON, by YAML's core schema as far as JSON reaches: a plain true, false, null or number is one,
// everything else is a string. Members keep their order; aliases stand for what they name. Pure.
// Source: YAML 1.2.2, section 10.3.

import Reactor
import Yams

extension JSONWriter {
    mutating func value(_ node: Node, _ out: inout ByteBuffer) {
        switch node {
        case .mapping(let mapping):
            openObject(&out)
            for (name, member) in mapping {
                key(text: Array((name.scalar?.string ?? "").utf8).rawBytes, &out)
                value(member, &out)
            }
            closeObject(&out)
        case .sequence(let sequence):
            openArray(&out)
            for element in sequence { value(element, &out) }
            closeArray(&out)
        case .scalar(let scalar): self.scalar(scalar, &out)
        case .alias: preconditionFailure("an alias that was not resolved while it was read")
        }
    }

    private mutating func scalar(_ scalar: Node.Scalar, _ out: inout ByteBuffer) {
        let text = scalar.string
        guard scalar.style == .plain else { return string(text: text, &out) }
        switch text {
        case "true": bool(true, &out)
        case "false": bool(false, &out)
        case "null", "~", "": null(&out)
        case _ where Self.isNumber(text): raw(Array(text.utf8).rawBytes, &out)
        default: string(text: text, &out)
        }
    }

    /// Whether a plain text is a number as JSON writes it.
    private static func isNumber(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        let isSpelled = bytes.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."),
                UInt8(ascii: "e"), UInt8(ascii: "E"):
                true
            default: false
            }
        }
        guard isSpelled, Double(text) != nil else { return false }
        // JSON has no "+1", ".5", "1." or "01".
        let digits = bytes.first == UInt8(ascii: "-") ? bytes.dropFirst() : bytes[...]
        guard let first = digits.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else { return false }
        if first == UInt8(ascii: "0"), let second = digits.dropFirst().first, second >= UInt8(ascii: "0") {
            return false
        }
        guard let point = digits.firstIndex(of: UInt8(ascii: ".")) else { return true }
        return digits[(point + 1)...].first.map { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ?? false
    }
}
