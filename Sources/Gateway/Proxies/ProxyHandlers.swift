// `/internal/proxy/…`: a worker borrows, rotates and bans proxies. Tasks on their reactor; not on the hot path.
// Source: the worker endpoints of the HTTP contract, section 2.

import Reactor

/// `@unchecked Sendable`: tasks of its reactor hold it; every member is for the reactor's thread.
final class ProxyHandlers: @unchecked Sendable {
    private let reactor: Reactor
    private let server: HTTPServer
    let pool: ProxyPool

    init(reactor: Reactor, server: HTTPServer, pool: ProxyPool) {
        self.reactor = reactor
        self.server = server
        self.pool = pool
    }

    /// The query parameters of all three.
    private struct Parameters: Sendable {
        var platform = ""
        var reason = ""
        var minutes = ProxyPool.banMinutes
    }

    func create(_ request: borrowing Request, _ kind: WorkKind, worker: RawSpan) {
        run(request, worker) { [self] parameters, worker, exchange throws(Problem) in
            answer(exchange, try await pool.take(kind, worker: worker, platform: parameters.platform))
        }
    }

    func rotate(_ request: borrowing Request, _ kind: WorkKind, worker: RawSpan, port segment: ByteRange) {
        let port = Self.port(request.path.slice(segment))
        run(request, worker) { [self] parameters, worker, exchange throws(Problem) in
            let proxy = try await pool.rotate(
                kind, worker: worker, platform: parameters.platform, port: Self.known(port),
                reason: parameters.reason)
            answer(exchange, proxy)
        }
    }

    func ban(_ request: borrowing Request, _ kind: WorkKind, worker: RawSpan, port segment: ByteRange) {
        let port = Self.port(request.path.slice(segment))
        run(request, worker) { [self] parameters, worker, exchange throws(Problem) in
            let port = try Self.known(port)
            let until = try await pool.ban(
                kind, worker: worker, platform: parameters.platform, port: port, minutes: parameters.minutes)
            guard let until else { throw .notFound("no proxy has the port \(port)") }
            server.respond(exchange, status: 200) { out in
                out.append("{\"status\":\"banned\",\"until\":\"")
                out.append(Timestamp(microsSinceEpoch: Int64(until) * 1000))
                out.append("\"}")
            }
        }
    }

    /// Bans the proxy that a task was blocked with and lends another.
    /// - Parameter taskPlatform: of the task, where the worker did not name one; empty where the task is not known.
    /// - Returns: nil where nothing was blocked, or there is no other: the task has failed all the same.
    func replaceBlocked(
        _ report: FailReport, _ kind: WorkKind, worker: String, taskPlatform: String?
    ) async -> ProxyInfo? {
        guard let port = report.blockedPort else { return nil }
        let named = report.platform.flatMap { TaskBody.isPlatform($0.utf8) ? $0 : nil }
        guard let platform = named ?? taskPlatform, !platform.isEmpty else { return nil }
        // `try?`: the worker is told by the absence of a proxy, and asks for one itself.
        return try? await pool.replaceBlocked(kind, worker: worker, platform: platform, port: port)
    }

    private func answer(_ exchange: SlotID, _ proxy: ProxyInfo) {
        server.respond(exchange, status: 200) { out in
            var json = JSONWriter()
            proxy.write(&json, &out)
        }
    }

    private static func port(_ segment: RawSpan) -> Int? {
        guard let port = Int(segment.string), (1...65_535).contains(port) else { return nil }
        return port
    }

    private static func known(_ port: Int?) throws(Problem) -> Int {
        guard let port else { throw .invalidRequest("the port in the path: expected a number from 1 to 65535") }
        return port
    }

    private func run(
        _ request: borrowing Request, _ worker: RawSpan,
        _ body: @escaping @Sendable (Parameters, _ worker: String, SlotID) async throws(Problem) -> Void
    ) {
        let exchange = request.exchange
        let parameters: Parameters
        do throws(Problem) {
            parameters = try Self.read(request.query)
        } catch {
            return server.respond(exchange, error)
        }
        let worker = worker.string
        reactor.spawn { [self] in
            do throws(Problem) {
                try await body(parameters, worker, exchange)
            } catch {
                server.respond(exchange, error)
            }
        }
    }

    private static func read(_ query: RawSpan) throws(Problem) -> Parameters {
        var parameters = Parameters()
        var value = ByteBuffer(capacity: query.byteCount)
        var items = QueryItems(query.range)
        while let item = items.next(in: query) {
            value.clear()
            do {
                try RequestTarget.decode(item.value, of: query, plusIsSpace: true, into: &value)
            } catch {
                throw .invalidRequest(
                    "the query has a broken percent-escape", .text("parameter", query.slice(item.name).string))
            }
            if RequestTarget.isName(item.name, "platform", query) {
                parameters.platform = value.bytes.string
            } else if RequestTarget.isName(item.name, "reason", query) {
                parameters.reason = value.bytes.string
            } else if RequestTarget.isName(item.name, "duration_minutes", query) {
                guard let minutes = Int(value.bytes.string), (1...ProxyPool.banMinutesMax).contains(minutes) else {
                    throw .invalidRequest(
                        "duration_minutes: expected a whole number from 1 to \(ProxyPool.banMinutesMax)",
                        .text("parameter", "duration_minutes"))
                }
                parameters.minutes = minutes
            }
        }
        guard TaskBody.isPlatform(parameters.platform.utf8) else {
            throw .invalidRequest(
                "platform: expected 1 to 64 characters of [A-Za-z0-9._:-]", .text("parameter", "platform"))
        }
        return parameters
    }
}
