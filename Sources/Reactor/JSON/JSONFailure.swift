// Why a body was refused: not JSON (400, with the byte), or JSON of another shape than ours (422, with the field).
// Plain values without allocation; the text is only made where it is written into a response.
// Source: RFC 8259; the error table of the HTTP contract.

/// A body that is refused as a whole, or an item that is refused alone.
public enum JSONFailure: Error, Sendable {
    case syntax(SyntaxFailure)
    case schema(ValidationFailure)
}

/// The text is not JSON. `offset` is the index of the byte where that shows.
public struct SyntaxFailure: Error, Equatable, Sendable {
    public var reason: Reason
    public var offset: Int

    public enum Reason: UInt8, Sendable, CaseIterable {
        case end, endInString, notAValue, badNumber, leadingZero, nan, infinity, negativeInfinity, badLiteral
        case expectedKey, expectedColon, expectedCommaOrBrace, expectedCommaOrBracket, expectedArray
        case controlCharacter, badEscape, invalidUTF8, trailingBytes
    }

    @inlinable
    public init(_ reason: Reason, at offset: Int) {
        self.reason = reason
        self.offset = offset
    }
}

/// The text is JSON and not what the field asks for.
public struct ValidationFailure: Sendable {
    /// The list that `index` counts in, such as `results`.
    public var list: StaticString?
    public var index: Int?
    /// The member's name; empty where the whole value is wrong.
    public var field: StaticString
    /// Position inside a member that is an array.
    public var element: Int?
    /// What was expected, as half a sentence: "expected a string".
    public var rule: StaticString

    @inlinable
    public init(_ field: StaticString, _ rule: StaticString, element: Int? = nil) {
        self.list = nil
        self.index = nil
        self.field = field
        self.element = element
        self.rule = rule
    }
}

extension JSONFailure {
    @usableFromInline @inline(never)
    static func syntax(_ reason: SyntaxFailure.Reason, at offset: Int) -> JSONFailure {
        .syntax(SyntaxFailure(reason, at: offset))
    }

    public static func schema(_ field: StaticString, _ rule: StaticString, element: Int? = nil) -> JSONFailure {
        .schema(ValidationFailure(field, rule, element: element))
    }

    /// The same failure inside item `index` of `list`.
    public func inside(_ list: StaticString, at index: Int) -> JSONFailure {
        guard case .schema(var failure) = self else { return self }
        failure.list = list
        failure.index = index
        return .schema(failure)
    }

    /// The same failure, of the member `field` where so far it was of a value without a name.
    public func named(_ field: StaticString) -> JSONFailure {
        guard case .schema(var failure) = self, failure.field.utf8CodeUnitCount == 0 else { return self }
        failure.field = field
        return .schema(failure)
    }

    /// HTTP status: 400 or 422.
    public var status: Int {
        switch self {
        case .syntax: 400
        case .schema: 422
        }
    }

    public var code: StaticString {
        switch self {
        case .syntax: "INVALID_REQUEST"
        case .schema: "VALIDATION_ERROR"
        }
    }

    public var message: String {
        var text = ByteBuffer(capacity: 128)
        appendMessage(to: &text)
        return text.bytes.string
    }

    /// Plain text without quotes or escapes, so that it may stand between quotes as it is.
    public func appendMessage(to out: inout ByteBuffer) {
        switch self {
        case .syntax(let failure):
            out.append("byte ")
            out.append(decimal: failure.offset)
            out.append(": ")
            out.append(failure.reason.sentence)
        case .schema(let failure):
            failure.appendPath(to: &out)
            out.append(failure.rule)
        }
    }

    /// The `details` object of an error body: `{"offset":12}`, or `{"index":3,"field":"state"}`.
    public func appendDetails(to out: inout ByteBuffer) {
        var json = JSONWriter()
        json.openObject(&out)
        switch self {
        case .syntax(let failure):
            json.key("offset", &out)
            json.number(failure.offset, &out)
        case .schema(let failure):
            if let index = failure.index {
                json.key("index", &out)
                json.number(index, &out)
            }
            if failure.field.utf8CodeUnitCount > 0 {
                json.key("field", &out)
                out.append("\"")
                failure.appendField(to: &out)
                out.append("\"")
            }
        }
        json.closeObject(&out)
    }
}

extension ValidationFailure {
    /// `results[3].platforms[2]: `, or nothing for the document itself.
    func appendPath(to out: inout ByteBuffer) {
        let start = out.count
        if let list, let index {
            out.append(list)
            out.append("[")
            out.append(decimal: index)
            out.append("]")
            if field.utf8CodeUnitCount > 0 { out.append(".") }
        }
        appendField(to: &out)
        if out.count > start { out.append(": ") }
    }

    func appendField(to out: inout ByteBuffer) {
        out.append(field)
        guard let element else { return }
        out.append("[")
        out.append(decimal: element)
        out.append("]")
    }
}

extension SyntaxFailure.Reason {
    var sentence: StaticString {
        switch self {
        case .end: "the document ends too early"
        case .endInString: "the document ends inside a string"
        case .notAValue: "expected a JSON value"
        case .badNumber: "not a JSON number"
        case .leadingZero: "a JSON number has no leading zeros"
        case .nan: "NaN is not JSON (Python: json.dumps(..., allow_nan=False))"
        case .infinity: "Infinity is not JSON (Python: json.dumps(..., allow_nan=False))"
        case .negativeInfinity: "-Infinity is not JSON (Python: json.dumps(..., allow_nan=False))"
        case .badLiteral: "expected true, false or null"
        case .expectedKey: "expected a member name in double quotes"
        case .expectedColon: "expected a colon after the member name"
        case .expectedCommaOrBrace: "expected a comma or the end of the object"
        case .expectedCommaOrBracket: "expected a comma or the end of the array"
        case .expectedArray: "expected the start of an array"
        case .controlCharacter: "a control character in a string must be escaped"
        case .badEscape: "not a JSON escape sequence"
        case .invalidUTF8: "not UTF-8"
        case .trailingBytes: "bytes after the end of the JSON value"
        }
    }
}
