// Dead letters for operators: pages of them, requeueing, deleting. Tasks of the reactor.
// Limits: `pageBytesMax` of a page (it ends early then), `pageStep` letters and `moveStep` moves a script call.

import Reactor

extension QueueOps {
    static let pageStep = 50
    static let pageBytesMax = 4 << 20
    static let moveStep = 500

    enum DeadMove {
        case requeue, delete

        /// Name of the count in the answer.
        var counted: StaticString { self == .requeue ? "requeued" : "deleted" }
        var argument: RedisArgument { self == .requeue ? "requeue" : "delete" }
    }

    // MARK: Pages

    func deadLetters(_ request: borrowing Request, _ kind: WorkKind) throws(Problem) {
        let page = try PageQuery(request.query)
        guard page.cursor.utf8.count <= 20, page.cursor.utf8.allSatisfy({ (48...57).contains($0) }) else {
            throw PageQuery.badCursor
        }
        let exchange = request.exchange
        answer(exchange) { [self] () async throws(Problem) in
            var found: [RedisValue] = []
            var (cursor, total, bytes) = (page.cursor, 0, 0)
            repeat {
                let step = min(Self.pageStep, page.limit - found.count / 4)
                let reply = try await call(.deadList, kind, [.string(cursor), .integer(step)])
                guard let parts = reply.elements, parts.count >= 2, let next = parts[1].text else {
                    throw .internalError
                }
                total = parts[0].number ?? 0
                cursor = next
                for part in parts.dropFirst(2) {
                    found.append(part)
                    if case .string(let text) = part { bytes += text.count }
                }
            } while !cursor.isEmpty && found.count / 4 < page.limit && bytes < Self.pageBytesMax
            let (letters, next, count) = (found, cursor, total)
            server.respond(exchange, status: 200) { out in
                var json = JSONWriter()
                json.openObject(&out)
                json.key("tasks", &out)
                json.openArray(&out)
                for index in stride(from: 0, to: letters.count - 3, by: 4) {
                    Self.write(Array(letters[index..<index + 4]), &json, &out)
                }
                json.closeArray(&out)
                Self.endPage(next: next, total: count, &json, &out)
            }
        }
    }

    /// Ends the object of a page.
    static func endPage(next: String, total: Int, _ json: inout JSONWriter, _ out: inout ByteBuffer) {
        json.key("next_cursor", &out)
        if next.isEmpty { json.null(&out) } else { json.string(text: next, &out) }
        json.key("total", &out)
        json.number(total, &out)
        json.closeObject(&out)
    }

    /// - Parameter letter: body, attempts, error, time of death in ms.
    private static func write(_ letter: [RedisValue], _ json: inout JSONWriter, _ out: inout ByteBuffer) {
        guard case .string(let body) = letter[0], case .string(let error) = letter[2],
            let attempts = letter[1].number, let diedMs = letter[3].number
        else { return }
        var task = ByteBuffer(capacity: body.count + error.count + 128)
        task.append(body.rawBytes)
        task.append(decimal: attempts)
        task.append(",\"error\":")
        task.append(error.rawBytes)
        task.append(",\"attempts\":")
        task.append(decimal: attempts)
        task.append(",\"died_at\":\"")
        task.append(Timestamp(microsSinceEpoch: Int64(diedMs) * 1000))
        task.append("\"}")
        json.raw(task.bytes, &out)
    }

    // MARK: Moves

    func moveDead(_ request: borrowing Request, _ kind: WorkKind, _ move: DeadMove) throws(Problem) {
        let selection: DeadSelection
        do {
            selection = try DeadSelection.decode(request.body)
        } catch {
            throw Problem(error)
        }
        let exchange = request.exchange
        answer(exchange) { [self] () async throws(Problem) in
            let moved =
                switch selection {
                case .all: try await moveAll(kind, move)
                case .named(let ids): try await moveNamed(kind, move, ids)
                }
            server.respond(exchange, status: 200) { out in
                var json = JSONWriter()
                json.openObject(&out)
                json.key(move.counted, &out)
                json.number(moved, &out)
                json.closeObject(&out)
            }
        }
    }

    /// Moves all there were when it began.
    private func moveAll(_ kind: WorkKind, _ move: DeadMove) async throws(Problem) -> Int {
        var (moved, cutoff, more) = (0, "", true)
        while more {
            let reply = try await call(
                .deadMove, kind, [move.argument, .integer(Self.moveStep), .string(cutoff)])
            guard let parts = reply.elements, parts.count == 3, let next = parts[1].text else { throw .internalError }
            moved += parts[0].number ?? 0
            cutoff = next
            more = parts[2].number == 1
        }
        return moved
    }

    private func moveNamed(_ kind: WorkKind, _ move: DeadMove, _ ids: [String]) async throws(Problem) -> Int {
        var moved = 0
        for start in stride(from: 0, to: ids.count, by: Self.moveStep) {
            let step = ids[start..<min(start + Self.moveStep, ids.count)]
            let reply = try await call(
                .deadMove, kind, [move.argument, .integer(Self.moveStep), ""] + step.map { .string($0) })
            moved += reply.elements?.first?.number ?? 0
        }
        return moved
    }
}
