// The body of a results request: the whole of it is validated before any item is stored; items are ranges of the body.
// Plain data; the list that items go to is the caller's and keeps its storage, so nothing is allocated in steady state.
// Limits: 1,000 items, name lengths as below. Source: ParcelResult in the HTTP contract, section 2.

import Reactor

/// What results are keyed by: the one difference between the two kinds of work.
enum ResultKey {
    case parcel, party

    var field: StaticString {
        switch self {
        case .parcel: "parcel_id"
        case .party: "party_id"
        }
    }
}

/// One result as it was sent; every range lies in the body.
struct ParcelResult {
    static let itemsMax = 1000
    static let taskIDBytesMax = 128
    static let recordIDBytesMax = 128
    static let platformBytesMax = 64
    static let stateBytesMax = 64
    static let countyBytesMax = 128
    static let rawHTMLHashBytesMax = 128
    static let parseDurationMsMax = Int(Int32.max)
    static let attemptMax = Int(Int32.max)

    var taskID: JSONString
    /// `parcel_id`, or `party_id`.
    var recordID: JSONString
    var platform: JSONString
    var state: JSONString
    var county: JSONString
    /// An object, byte for byte as it was sent.
    var data: ByteRange
    /// Nil: the time of arrival.
    var scrapedAt: Timestamp?
    var parseDurationMs: Int
    var rawHTMLHash: JSONString?
    var attempt: Int?
    /// Why this item alone must fail: JSON of the right shape that storage would refuse.
    var problem: ItemProblem?

    /// Reads an array of results, or `{"results":[…]}`.
    /// - Parameter results: cleared first; its storage is kept.
    /// - Throws: `.syntax` for what is not JSON, else `.schema` for the first item that is not of the shape; `results` is
    ///   empty then.
    static func decode(
        _ body: RawSpan, key: ResultKey, into results: inout [ParcelResult]
    ) throws(JSONFailure) {
        results.removeAll(keepingCapacity: true)
        do throws(JSONFailure) {
            var reader = JSONReader(body)
            if try reader.peek() == .object {
                try readEnvelope(body, &reader, key, &results)
            } else {
                try readItems(body, &reader, key, &results)
            }
            try reader.end()
        } catch {
            results.removeAll(keepingCapacity: true)
            throw JSONReader.failure(error, of: body)
        }
    }

    private static func readEnvelope(
        _ body: RawSpan, _ reader: inout JSONReader, _ key: ResultKey, _ results: inout [ParcelResult]
    ) throws(JSONFailure) {
        var isFound = false
        var more = try reader.openObject()
        while more {
            let name = try reader.key()
            if reader.key(name, is: "results") {
                isFound = true
                results.removeAll(keepingCapacity: true)
                try readItems(body, &reader, key, &results)
            } else {
                _ = try reader.value()
            }
            more = try reader.moreMembers()
        }
        if !isFound { throw .schema("results", "is required") }
    }

    private static func readItems(
        _ body: RawSpan, _ reader: inout JSONReader, _ key: ResultKey, _ results: inout [ParcelResult]
    ) throws(JSONFailure) {
        guard try reader.peek() == .array else { throw .schema("results", "expected an array") }
        var more = try reader.openArray()
        guard more else { throw .schema("results", "expected 1 to 1000 items") }
        while more {
            guard results.count < itemsMax else { throw .schema("results", "expected 1 to 1000 items") }
            do throws(JSONFailure) {
                var members = ResultMembers()
                try members.read(&reader, key)
                results.append(try members.result(body, key))
            } catch {
                throw error.inside("results", at: results.count)
            }
            more = try reader.moreElements()
        }
    }
}

/// JSON that only storage cannot take; the code and message of one entry of `failures`.
struct ItemProblem {
    var field: StaticString
    var kind: Kind

    enum Kind {
        case nulCharacter, loneSurrogate, tooDeep, numberTooLarge, tooLong
    }

    /// Nil for no problem.
    init?(_ field: StaticString, _ problem: JSONStorageProblem) {
        self.field = field
        switch problem {
        case .none: return nil
        case .nulCharacter: kind = .nulCharacter
        case .loneSurrogate: kind = .loneSurrogate
        case .tooDeep: kind = .tooDeep
        case .numberTooLarge: kind = .numberTooLarge
        }
    }

    /// A string that storage refuses, or that is longer than its column; nil for neither.
    init?(_ field: StaticString, _ string: JSONString, in body: RawSpan, bytesMax: Int) {
        if string.problem != .none {
            self.init(field, string.problem)
            return
        }
        // Escapes never make a text longer, so the count as written often settles it.
        guard Int(string.range.count) > bytesMax, string.textByteCount(in: body) > bytesMax else { return nil }
        self.init(field, kind: .tooLong)
    }

    private init(_ field: StaticString, kind: Kind) {
        self.field = field
        self.kind = kind
    }

    var code: StaticString {
        switch kind {
        case .nulCharacter: "NUL_CHARACTER"
        case .loneSurrogate: "LONE_SURROGATE"
        case .tooDeep: "NESTING_TOO_DEEP"
        case .numberTooLarge: "NUMBER_TOO_LARGE"
        case .tooLong: "TOO_LONG"
        }
    }

    /// What is wrong, as half a sentence after the member's name.
    var rule: StaticString {
        switch kind {
        case .nulCharacter: "holds the character U+0000, which cannot be stored"
        case .loneSurrogate: "holds half of a surrogate pair, which cannot be stored"
        case .tooDeep: "is nested deeper than 128 levels"
        case .numberTooLarge: "holds a number beyond the range of the database"
        case .tooLong: "is longer than its column"
        }
    }

    /// `county: is longer than its column`, without quotes or escapes.
    func appendMessage(to out: inout ByteBuffer) {
        out.append(field)
        out.append(": ")
        out.append(rule)
    }
}

/// The members of one item, of any kind; of equal names the last.
private struct ResultMembers {
    var taskID = JSONValue.absent
    var recordID = JSONValue.absent
    var platform = JSONValue.absent
    var state = JSONValue.absent
    var county = JSONValue.absent
    var data = JSONValue.absent
    var scrapedAt = JSONValue.absent
    var parseDurationMs = JSONValue.absent
    var rawHTMLHash = JSONValue.absent
    var attempt = JSONValue.absent

    mutating func read(_ reader: inout JSONReader, _ key: ResultKey) throws(JSONFailure) {
        var more = try reader.openObject()
        while more {
            let name = try reader.key()
            let value = try reader.value()
            if reader.key(name, is: "task_id") {
                taskID = value
            } else if reader.key(name, is: key.field) {
                recordID = value
            } else if reader.key(name, is: "platform") {
                platform = value
            } else if reader.key(name, is: "state") {
                state = value
            } else if reader.key(name, is: "county") {
                county = value
            } else if reader.key(name, is: "data") {
                data = value
            } else if reader.key(name, is: "scraped_at") {
                scrapedAt = value
            } else if reader.key(name, is: "parse_duration_ms") {
                parseDurationMs = value
            } else if reader.key(name, is: "raw_html_hash") {
                rawHTMLHash = value
            } else if reader.key(name, is: "attempt") {
                attempt = value
            }
            more = try reader.moreMembers()
        }
    }

    func result(_ body: RawSpan, _ key: ResultKey) throws(JSONFailure) -> ParcelResult {
        var result = ParcelResult(
            taskID: try taskID.requiredName("task_id"),
            recordID: try recordID.requiredName(key.field),
            platform: try platform.requiredName("platform"),
            state: try state.requiredName("state"),
            county: try county.requiredName("county"),
            data: try data.requiredObject("data"),
            scrapedAt: try scrapedAt.optionalTimestamp("scraped_at", in: body),
            parseDurationMs: try parseDurationMs.requiredRounded(
                "parse_duration_ms", in: body, max: ParcelResult.parseDurationMsMax,
                "expected a number from 0 to 2147483647"),
            rawHTMLHash: try rawHTMLHash.optionalString("raw_html_hash"),
            attempt: try attempt.optionalInteger(
                "attempt", in: body, 0...ParcelResult.attemptMax, "expected an integer from 0 to 2147483647"))
        result.problem = problem(of: result, body, key)
        return result
    }

    /// The first reason, in the contract's order, for the item to fail alone.
    private func problem(of result: ParcelResult, _ body: RawSpan, _ key: ResultKey) -> ItemProblem? {
        ItemProblem("task_id", result.taskID, in: body, bytesMax: ParcelResult.taskIDBytesMax)
            ?? ItemProblem(key.field, result.recordID, in: body, bytesMax: ParcelResult.recordIDBytesMax)
            ?? ItemProblem("platform", result.platform, in: body, bytesMax: ParcelResult.platformBytesMax)
            ?? ItemProblem("state", result.state, in: body, bytesMax: ParcelResult.stateBytesMax)
            ?? ItemProblem("county", result.county, in: body, bytesMax: ParcelResult.countyBytesMax)
            ?? ItemProblem("data", data.problem)
            ?? result.rawHTMLHash.flatMap {
                ItemProblem("raw_html_hash", $0, in: body, bytesMax: ParcelResult.rawHTMLHashBytesMax)
            }
    }
}
