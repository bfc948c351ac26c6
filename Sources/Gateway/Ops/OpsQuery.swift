// What operators ask in queries and bodies: pages, lists of tasks, commands. Plain data; checked when it is read.
// Limits: `pageItemsMax` items a page, `taskIDsMax` named tasks a request. Source: api.md section 2, "Details".

import Reactor

/// `cursor`, `limit`, and what the fleet's rows are filtered by.
struct PageQuery {
    static let pageItemsMax = 1000
    static let pageItemsDefault = 100
    static let cursorBytesMax = 128

    var cursor = ""
    var limit = PageQuery.pageItemsDefault
    var platform: String?
    /// How the worker ids begin that are wanted; empty wants all.
    var prefix = ""
    /// Whether those who are wanted were heard from within the lease time; nil wants all.
    var isAlive: Bool?

    var hasFilter: Bool { platform != nil || isAlive != nil }

    /// - Throws: a 400 that names the parameter.
    init(_ query: RawSpan) throws(Problem) {
        var items = QueryItems(query.range)
        var value = ByteBuffer(capacity: 64)
        while let item = items.next(in: query) {
            value.clear()
            do {
                try RequestTarget.decode(item.value, of: query, plusIsSpace: true, into: &value)
            } catch {
                throw .invalidRequest(
                    "the query has a broken percent-escape", .text("parameter", query.slice(item.name).string))
            }
            if RequestTarget.isName(item.name, "cursor", query) {
                cursor = value.bytes.string
            } else if RequestTarget.isName(item.name, "limit", query) {
                guard let number = Int(value.bytes.string), (1...Self.pageItemsMax).contains(number) else {
                    throw .invalidRequest(
                        "limit: expected a whole number from 1 to \(Self.pageItemsMax)", .text("parameter", "limit"))
                }
                limit = number
            } else if RequestTarget.isName(item.name, "platform", query) {
                guard TaskBody.isPlatform(value.bytes) else {
                    throw .invalidRequest(
                        "platform: expected 1 to 64 characters of [A-Za-z0-9._:-]", .text("parameter", "platform"))
                }
                platform = value.bytes.string
            } else if RequestTarget.isName(item.name, "prefix", query) {
                prefix = value.bytes.string
                guard prefix.isEmpty || WorkerPage.isWorkerID(prefix) else {
                    throw .invalidRequest(
                        "prefix: expected at most 128 characters of [A-Za-z0-9._:-]", .text("parameter", "prefix"))
                }
            } else if RequestTarget.isName(item.name, "alive", query) {
                guard let wanted = Bool(value.bytes.string) else {
                    throw .invalidRequest("alive: expected true or false", .text("parameter", "alive"))
                }
                isAlive = wanted
            }
        }
    }

    static var badCursor: Problem {
        .invalidRequest("cursor: expected the next_cursor of an earlier page", .text("parameter", "cursor"))
    }
}

/// Dead letters that an operator means: those named, or all.
enum DeadSelection: Sendable {
    static let taskIDsMax = 100_000

    case named([String])
    case all

    /// Reads `{"task_ids":[…]}` or `{"all":true}`.
    static func decode(_ body: RawSpan) throws(JSONFailure) -> DeadSelection {
        do throws(JSONFailure) {
            return try read(body)
        } catch {
            throw JSONReader.failure(error, of: body)
        }
    }

    private static func read(_ body: RawSpan) throws(JSONFailure) -> DeadSelection {
        var reader = JSONReader(body)
        var (ids, all) = (JSONValue.absent, JSONValue.absent)
        var more = try reader.openObject()
        while more {
            let key = try reader.key()
            let value = try reader.value()
            if reader.key(key, is: "task_ids") {
                ids = value
            } else if reader.key(key, is: "all") {
                all = value
            }
            more = try reader.moreMembers()
        }
        try reader.end()
        let isAll = try all.optionalBool("all", in: body) ?? false
        guard let list = try ids.optionalArray("task_ids") else {
            guard isAll else { throw .schema("task_ids", "is required, or all: true") }
            return .all
        }
        guard !isAll else { throw .schema("task_ids", "expected either task_ids or all: true") }
        let (count, areAllStrings) = JSONStrings.count(body, list)
        guard areAllStrings else { throw .schema("task_ids", "expected a string", element: count) }
        guard count <= taskIDsMax else { throw .schema("task_ids", "expected at most 100000 task ids") }
        return .named(strings(list, in: body))
    }

    private static func strings(_ list: ByteRange, in body: RawSpan) -> [String] {
        var texts: [String] = []
        var strings = JSONStrings(body, list)
        var text = ByteBuffer(capacity: 128)
        while let string = strings.next() {
            text.clear()
            text.append(string, from: body)
            texts.append(text.bytes.string)
        }
        return texts
    }
}

/// What a worker can be told.
enum WorkerCommand: String, CaseIterable, Sendable {
    case pause, resume, shutdown
    case configUpdate = "config_update"

    /// Reads `{"command":"pause"}`.
    static func decode(_ body: RawSpan) throws(JSONFailure) -> WorkerCommand {
        do throws(JSONFailure) {
            return try read(body)
        } catch {
            throw JSONReader.failure(error, of: body)
        }
    }

    private static func read(_ body: RawSpan) throws(JSONFailure) -> WorkerCommand {
        var reader = JSONReader(body)
        var command = JSONValue.absent
        var more = try reader.openObject()
        while more {
            let key = try reader.key()
            let value = try reader.value()
            if reader.key(key, is: "command") { command = value }
            more = try reader.moreMembers()
        }
        try reader.end()
        let name = try command.requiredString("command")
        var text = ByteBuffer(capacity: 32)
        text.append(name, from: body)
        guard let known = WorkerCommand(rawValue: text.bytes.string) else {
            throw .schema("command", "expected pause, resume, shutdown or config_update")
        }
        return known
    }
}
