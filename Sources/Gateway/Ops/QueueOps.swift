// What operators ask and do to queues: figures, cancelling, and the hand-over to dead letters and fleet. Each request
// is one task of its reactor. Owned by its reactor.
// Limits: those of each script's steps; what goes on in steps stops with the first failure (503), and a
// repeat goes on where it stopped. Source: api.md section 2, the endpoints marked *ops*.

import Reactor

/// `@unchecked Sendable`: tasks of its reactor hold it; every member is for the reactor's thread.
final class QueueOps: @unchecked Sendable {
    let shared: SharedState
    let reactor: Reactor
    let server: HTTPServer
    let redis: RedisClient

    init(shared: SharedState, reactor: Reactor, server: HTTPServer, redis: RedisClient) {
        self.shared = shared
        self.reactor = reactor
        self.server = server
        self.redis = redis
    }

    /// - Parameters:
    ///   - kinds: those that the request is about: the path's, or all that its listener serves.
    ///   - parameter: of the path, still encoded.
    func handle(
        _ operation: Operation, _ request: borrowing Request, _ kind: WorkKind, kinds: [WorkKind], parameter: ByteRange
    ) {
        do throws(Problem) {
            switch operation {
            case .queue: figures(request.exchange, kinds)
            case .deadList: try deadLetters(request, kind)
            case .deadRequeue: try moveDead(request, kind, .requeue)
            case .deadDelete: try moveDead(request, kind, .delete)
            case .workers: try workers(request, kind)
            case .command: try command(request, kind, to: try Self.text(request.path.slice(parameter)))
            case .cancel: cancel(request.exchange, kind, task: try Self.text(request.path.slice(parameter)))
            default: preconditionFailure("not an operator's operation")
            }
        } catch {
            server.respond(request.exchange, error)
        }
    }

    /// A path segment, decoded.
    private static func text(_ segment: RawSpan) throws(Problem) -> String {
        var text = ByteBuffer(capacity: 128)
        do {
            try RequestTarget.decode(segment.range, of: segment, plusIsSpace: false, into: &text)
        } catch {
            throw .invalidRequest("the path has a broken percent-escape")
        }
        return text.bytes.string
    }

    /// Runs a request's work as a task, and answers what it throws.
    func answer(_ exchange: SlotID, _ body: @escaping @Sendable () async throws(Problem) -> Void) {
        reactor.spawn { [self] in
            do throws(Problem) {
                try await body()
            } catch {
                server.respond(exchange, error)
            }
        }
    }

    /// Calls one of the queue's scripts. Redis tells it the time.
    func call(
        _ script: QueueScript, _ kind: WorkKind, _ arguments: [RedisArgument]
    ) async throws(Problem) -> RedisValue {
        do throws(RedisFailure) {
            return try await redis.call(
                shared.scripts[script], keys: [.string(kind.queueKeys.prefix)], arguments: [""] + arguments)
        } catch {
            throw Problem(error)
        }
    }

    // MARK: Figures

    private func figures(_ exchange: SlotID, _ kinds: [WorkKind]) {
        answer(exchange) { [self] () async throws(Problem) in
            var figures: [(WorkKind, QueueFigures)] = []
            for kind in kinds { figures.append((kind, try await readFigures(kind))) }
            server.respond(exchange, status: 200) { out in
                var json = JSONWriter()
                json.openObject(&out)
                json.key("kinds", &out)
                json.openObject(&out)
                for (kind, figures) in figures {
                    json.key(kind == .parcel ? "parcel" : "party", &out)
                    figures.write(&json, &out)
                }
                json.closeObject(&out)
                json.closeObject(&out)
            }
        }
    }

    private func readFigures(_ kind: WorkKind) async throws(Problem) -> QueueFigures {
        do throws(RedisFailure) {
            return try await QueueFigures.read(kind, redis, shared.scripts, aliveMs: shared.configuration.leaseMs)
        } catch {
            throw Problem(error)
        }
    }

    // MARK: Cancel

    private func cancel(_ exchange: SlotID, _ kind: WorkKind, task: String) {
        answer(exchange) { [self] () async throws(Problem) in
            let reply = try await call(.cancel, kind, [.string(task)])
            guard let parts = reply.elements, parts.count == 2, let outcome = parts[0].text else {
                throw .internalError
            }
            guard outcome != "unknown" else { throw .notFound("no such task is queued, leased or dead") }
            server.respond(exchange, status: 200) { out in
                var json = JSONWriter()
                json.openObject(&out)
                json.key("status", &out)
                json.string("cancelled", &out)
                json.key("task_id", &out)
                json.string(text: task, &out)
                json.key("worker_id", &out)
                if let holder = parts[1].text, !holder.isEmpty {
                    json.string(text: holder, &out)
                } else {
                    json.null(&out)
                }
                json.closeObject(&out)
            }
        }
    }
}
