// The fleet for operators: pages of workers, and commands for one or all. Tasks of the reactor.
// Limits: `workersLookedAtMax` a page (one with a filter may then hold fewer than `limit`, even none, and go on),
// `commandStep` workers a script call.

import Reactor

extension QueueOps {
    static let workerStep = 500
    static let workersLookedAtMax = 10_000
    static let commandStep = 500

    // MARK: Pages

    func workers(_ request: borrowing Request, _ kind: WorkKind) throws(Problem) {
        let page = try PageQuery(request.query)
        guard page.cursor.isEmpty || WorkerPage.isWorkerID(page.cursor) else { throw PageQuery.badCursor }
        let exchange = request.exchange
        answer(exchange) { [self] () async throws(Problem) in
            var found: [WorkerPage.Row] = []
            var (cursor, total, nowMs, lookedAt) = (page.cursor, 0, 0, 0)
            if cursor.isEmpty { cursor = Self.cursor(before: page.prefix) }
            repeat {
                let step = page.hasFilter ? Self.workerStep : page.limit - found.count
                let read = try await readWorkers(kind, after: cursor, limit: min(step, Self.workerStep))
                (total, nowMs, cursor) = (read.total, read.nowMs, read.next)
                lookedAt += read.rows.count
                let aliveSinceMs = nowMs - shared.configuration.leaseMs
                for row in read.rows {
                    guard row.worker.hasPrefix(page.prefix) else {
                        cursor = ""
                        break
                    }
                    guard row.isWanted(page, aliveSinceMs: aliveSinceMs) else { continue }
                    found.append(row)
                    if found.count < page.limit { continue }
                    if row.worker != read.rows.last?.worker { cursor = row.worker }
                    break
                }
            } while !cursor.isEmpty && found.count < page.limit && lookedAt < Self.workersLookedAtMax
            let (rows, next, count, sinceMs) = (found, cursor, total, nowMs - shared.configuration.leaseMs)
            server.respond(exchange, status: 200) { out in
                var json = JSONWriter()
                json.openObject(&out)
                json.key("workers", &out)
                json.openArray(&out)
                for row in rows { row.write(kind, aliveSinceMs: sinceMs, &json, &out) }
                json.closeArray(&out)
                Self.endPage(next: next, total: count, &json, &out)
            }
        }
    }

    /// A cursor behind all ids that come before those with a prefix, and before these: no id has a character above `z`.
    static func cursor(before prefix: String) -> String {
        guard let last = prefix.utf8.last else { return "" }
        return String(decoding: prefix.utf8.dropLast() + [last - 1, 0x7F], as: UTF8.self)
    }

    private func readWorkers(_ kind: WorkKind, after: String, limit: Int) async throws(Problem) -> WorkerPage {
        guard let page = WorkerPage(try await call(.workers, kind, [.string(after), .integer(limit)])) else {
            throw .internalError
        }
        return page
    }

    // MARK: Commands

    func command(_ request: borrowing Request, _ kind: WorkKind, to worker: String) throws(Problem) {
        let command: WorkerCommand
        do {
            command = try WorkerCommand.decode(request.body)
        } catch {
            throw Problem(error)
        }
        let exchange = request.exchange
        answer(exchange) { [self] () async throws(Problem) in
            let reached = worker == "*" ? try await tellAll(kind, command) : try await tell(worker, kind, command)
            server.respond(exchange, status: 202) { out in
                var json = JSONWriter()
                json.openObject(&out)
                json.key("status", &out)
                json.string("queued", &out)
                json.key("workers", &out)
                json.number(reached, &out)
                json.closeObject(&out)
            }
        }
    }

    private func tell(_ worker: String, _ kind: WorkKind, _ command: WorkerCommand) async throws(Problem) -> Int {
        let reply = try await call(.command, kind, [.string(worker), .string(command.rawValue)])
        switch reply.number {
        case 0: throw .notFound("no such worker")
        case 2:
            throw Problem(
                status: 409, code: "CONFLICT",
                message: "\(QueueLimits.commandsPerWorkerMax) commands wait for this worker already")
        default: return 1
        }
    }

    private func tellAll(_ kind: WorkKind, _ command: WorkerCommand) async throws(Problem) -> Int {
        var (reached, cursor) = (0, "")
        repeat {
            let reply = try await call(
                .commandAll, kind,
                [
                    .integer(shared.configuration.leaseMs), .string(command.rawValue), .string(cursor),
                    .integer(Self.commandStep),
                ])
            guard let parts = reply.elements, parts.count == 2, let next = parts[1].text else { throw .internalError }
            reached += parts[0].number ?? 0
            cursor = next
        } while !cursor.isEmpty
        return reached
    }
}
