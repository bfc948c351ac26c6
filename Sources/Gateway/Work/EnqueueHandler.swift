// `POST /internal/tasks`: an array or lines of tasks, read while they arrive, queued a batch at a time.
// One task of its reactor for each request. Limits: `batchItems` and `batchBytes` a script call, `itemBytesMax` an item
// (ItemSplitter), `errorsMax` errors told; the whole body may be of any size.

import Reactor

/// How many items of one request came to what.
private struct EnqueueCount: ~Copyable {
    var accepted = 0
    var duplicates = 0
    var rejected = 0
    /// Elements of the answer's `errors`, with their commas.
    var errors = ByteBuffer()
    var errorCount = 0
}

/// `@unchecked Sendable`: used on its reactor's thread, to which its tasks are bound.
final class EnqueueHandler: @unchecked Sendable {
    static let batchItems = 500
    static let batchBytes = 1024 * 1024
    static let errorsMax = 100

    private let reactor: Reactor
    private let server: HTTPServer
    private let redis: RedisClient
    private let script: RedisScript

    init(reactor: Reactor, server: HTTPServer, redis: RedisClient, scripts: QueueScripts) {
        self.reactor = reactor
        self.server = server
        self.redis = redis
        script = scripts[.enqueue]
    }

    /// Begins to take a request in.
    /// - Returns: where its body goes.
    func start(_ request: borrowing Request, _ kind: WorkKind) -> RequestBody {
        let body = RequestBody()
        let exchange = request.exchange
        let type = request.header(.contentType)?.string ?? ""
        reactor.spawn { [self] in
            do throws(Problem) {
                let count = try await take(body, kind, isLines: type.contains("ndjson") || type.contains("jsonl"))
                answer(exchange, count)
            } catch {
                server.respond(exchange, error)
            }
        }
        return body
    }

    private func take(_ body: RequestBody, _ kind: WorkKind, isLines: Bool) async throws(Problem) -> EnqueueCount {
        var splitter = ItemSplitter(isLines ? .lines : .detect)
        var count = EnqueueCount()
        var batch = EnqueueBatch()
        var chunk = ByteBuffer()
        while try await Self.read(body, &chunk) {
            var position = 0
            while true {
                let step = try Self.next(&splitter, chunk, &position)
                guard try await absorb(step, splitter, kind, &batch, &count) else { break }
            }
            chunk.clear()
        }
        while true {
            let step = try Self.finish(&splitter)
            guard try await absorb(step, splitter, kind, &batch, &count) else { break }
        }
        try await send(kind, &batch, &count)
        return count
    }

    /// Takes one step of the splitter in; false when it has no more for now.
    private func absorb(
        _ step: ItemSplitter.Step, _ splitter: borrowing ItemSplitter, _ kind: WorkKind, _ batch: inout EnqueueBatch,
        _ count: inout EnqueueCount
    ) async throws(Problem) -> Bool {
        switch step {
        case .needsMore, .end: return false
        case .tooLong(let number):
            Self.reject(number, code: "PAYLOAD_TOO_LARGE", "larger than 1 MiB", field: nil, splitter, &count)
        case .item(let number):
            do throws(JSONFailure) {
                try batch.add(splitter.item, at: reactor.wallMicroseconds)
            } catch {
                let field: String? = if case .schema(let schema) = error { "\(schema.field)" } else { nil }
                Self.reject(number, code: error.code, error.message, field: field, splitter, &count)
            }
            if batch.isFull { try await send(kind, &batch, &count) }
        }
        return true
    }

    private static func read(_ body: RequestBody, _ chunk: inout ByteBuffer) async throws(Problem) -> Bool {
        do {
            return try await body.read(into: &chunk)
        } catch {
            // The server has answered already, or there is nobody to answer.
            throw .invalidRequest("the body ended early")
        }
    }

    private static func next(
        _ splitter: inout ItemSplitter, _ chunk: borrowing ByteBuffer, _ position: inout Int
    ) throws(Problem) -> ItemSplitter.Step {
        do {
            return try splitter.next(chunk.bytes, &position)
        } catch {
            throw Problem(error)
        }
    }

    private static func finish(_ splitter: inout ItemSplitter) throws(Problem) -> ItemSplitter.Step {
        do {
            return try splitter.finish()
        } catch {
            throw Problem(error)
        }
    }

    private func send(_ kind: WorkKind, _ batch: inout EnqueueBatch, _ count: inout EnqueueCount) async throws(Problem)
    {
        guard !batch.arguments.isEmpty else { return }
        do throws(RedisFailure) {
            let reply = try await redis.call(
                script, keys: [.string(kind.queueKeys.prefix)], arguments: [""] + batch.arguments)
            for outcome in reply.text?.utf8 ?? "".utf8 {
                if outcome == UInt8(ascii: "1") { count.accepted += 1 } else { count.duplicates += 1 }
            }
        } catch {
            throw Problem(error)
        }
        batch.clear()
    }

    private static func reject(
        _ number: Int, code: StaticString, _ message: String, field: String?, _ splitter: borrowing ItemSplitter,
        _ count: inout EnqueueCount
    ) {
        count.rejected += 1
        guard count.errorCount < errorsMax else { return }
        if count.errorCount > 0 { count.errors.append(UInt8(ascii: ",")) }
        count.errorCount += 1
        var json = JSONWriter()
        json.openObject(&count.errors)
        json.key(splitter.format == .lines ? "line" : "index", &count.errors)
        json.number(number, &count.errors)
        if let field, !field.isEmpty {
            json.key("field", &count.errors)
            json.string(text: field, &count.errors)
        }
        json.key("code", &count.errors)
        json.string(code, &count.errors)
        json.key("message", &count.errors)
        json.string(text: message, &count.errors)
        json.closeObject(&count.errors)
    }

    private func answer(_ exchange: SlotID, _ count: borrowing EnqueueCount) {
        server.respond(exchange, status: 200) { out in
            out.append("{\"accepted\":")
            out.append(decimal: count.accepted)
            out.append(",\"duplicates\":")
            out.append(decimal: count.duplicates)
            out.append(",\"rejected\":")
            out.append(decimal: count.rejected)
            out.append(",\"errors\":[")
            out.append(count.errors.bytes)
            out.append("]}")
        }
    }
}

/// Tasks for one call of the `enqueue` script.
struct EnqueueBatch {
    /// Task id and body of each, as the script takes them.
    private(set) var arguments: [RedisArgument] = []
    private var bytes = 0

    var isFull: Bool { arguments.count >= 2 * EnqueueHandler.batchItems || bytes >= EnqueueHandler.batchBytes }

    mutating func clear() {
        arguments.removeAll(keepingCapacity: true)
        bytes = 0
    }

    mutating func add(_ item: RawSpan, at wallMicroseconds: Int64) throws(JSONFailure) {
        let task = try TaskDocument.decode(item)
        var body = ByteBuffer(capacity: item.byteCount + 128)
        try TaskBody.append(task, of: item, arrivedUs: wallMicroseconds, to: &body)
        var id = ByteBuffer(capacity: 128)
        id.append(task.taskID, from: item)
        arguments.append(.bytes(id.bytes.array))
        arguments.append(.bytes(body.bytes.array))
        bytes += body.count
    }
}
