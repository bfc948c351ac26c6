// The public pipeline of one reactor: origin, who asks, rate, quota, then the cache and an upstream, then the charge.
// A request is one task of its reactor; what its head said is copied out first. Owned by its reactor, off the hot path.
// Source: the HTTP contract, section 3.

import Reactor

/// `@unchecked Sendable`: tasks of its reactor hold it; every member is for the reactor's thread.
final class PublicSurface: @unchecked Sendable {
    let shared: SharedState
    let reactor: Reactor
    let server: HTTPServer
    let gate: any CallerGate

    init(shared: SharedState, reactor: Reactor, server: HTTPServer, gate: any CallerGate) {
        self.shared = shared
        self.reactor = reactor
        self.server = server
        self.gate = gate
    }

    // MARK: Head

    /// Refuses at the head what needs no waiting; nil lets the request in so far.
    func begin(_ request: borrowing Request, note: inout RequestNote) -> Problem? {
        note.tier = Tier.anonymous.rawValue
        noteOrigin(request, &note)
        switch shared.routes.rules[Int(note.route)].operation {
        case .versions, .preflight: return nil
        default: break
        }
        if case .refused(let problem) = gate.identify(request) { return problem }
        return nil
    }

    func noteOrigin(_ request: borrowing Request, _ note: inout RequestNote) {
        if !shared.origins.isEmpty { note.mark = shared.origins.mark(request.header(.origin)) }
    }

    // MARK: Request

    func handle(_ request: borrowing Request, note: RequestNote) {
        switch shared.routes.rules[Int(note.route)].operation {
        case .versions: versions(request.exchange)
        case .preflight: preflight(request.exchange, note)
        default: ask(request, note)
        }
    }

    private func versions(_ exchange: SlotID) {
        server.respond(exchange, status: 200) { shared.publicRoutes.writeVersions(to: &$0) }
    }

    private func preflight(_ exchange: SlotID, _ note: RequestNote) {
        guard note.mark != Origins.none else {
            return server.respond(exchange, .forbidden("this origin may not call from a browser"))
        }
        server.respond(
            exchange, status: 204, type: .none,
            headers: { out in
                let methods = shared.routes.preflightMethods[Int(note.route)] ?? ""
                shared.origins.writePreflight(methods: methods, to: &out)
            }, body: { _ in })
    }

    private func ask(_ request: borrowing Request, _ note: RequestNote) {
        let exchange = request.exchange
        let identification = gate.identify(request)
        reactor.spawn { [self] in
            do throws(Problem) {
                try await answer(exchange, note, identification)
            } catch {
                server.respond(exchange, error)
            }
        }
    }

    private func answer(
        _ exchange: SlotID, _ note: RequestNote, _ identification: Identification
    ) async throws(Problem) {
        let caller: Caller
        switch identification {
        case .caller(let known): caller = known
        case .refused(let problem): throw problem
        case .presented(let presented): caller = try await gate.resolve(presented)
        }
        let isUsage = shared.routes.rules[Int(note.route)].operation == .usage
        let admission = await gate.admit(caller, to: nil)
        var note = note
        note.tier = caller.tier.rawValue
        note.word = admission.rate?.word ?? 0
        server.setNote(note, of: exchange)
        if let problem = admission.refusal { throw problem }
        if isUsage { return try await usage(exchange, of: caller) }
        throw .unavailable("no such service")
    }

    private func usage(_ exchange: SlotID, of caller: Caller) async throws(Problem) {
        let body = try await gate.usage(of: caller)
        server.respond(exchange, status: 200) { $0.append(body.rawBytes) }
    }

    // MARK: Answer

    /// Appends what every answer of the surface carries, refusals included.
    func appendHeaders(_ note: RequestNote, to buffer: inout ByteBuffer) {
        buffer.append("X-Content-Type-Options: nosniff\r\n")
        shared.origins.write(note.mark, to: &buffer)
        if let rate = RateNote(word: note.word), let tier = Tier(rawValue: note.tier) {
            gate.appendHeaders(rate, tier: tier, to: &buffer)
        }
    }

    func hasRoom(_ exchange: SlotID) {}

    func abandoned(_ exchange: SlotID) {}
}
