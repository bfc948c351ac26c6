// The public pipeline of one reactor: origin, who asks, rate, quota, then the cache and an upstream, then the charge.
// A request is one task of its reactor; what its head said is copied out first. Owned by its reactor, off the hot path.
// Answers are made in PublicSurface+Answers.swift. Source: the HTTP contract, section 3.

import Logging
import Reactor

/// `@unchecked Sendable`: tasks of its reactor hold it; every member is for the reactor's thread.
final class PublicSurface: @unchecked Sendable {
    let shared: SharedState
    let reactor: Reactor
    let server: HTTPServer
    let gate: KnownCallers
    let upstream: Upstream
    let cache: AnswerCache
    let shard: MetricsShard
    /// By exchange, for the log; the pipeline's.
    var callers = ShortTexts()
    let logger = Logger(label: "gateway.public")
    /// nil: no spans are kept.
    var tracer: Tracer?
    private var clients: [SlotID: PublicClient] = [:]

    init(
        shared: SharedState, reactor: Reactor, server: HTTPServer, gate: KnownCallers, upstream: Upstream,
        cache: AnswerCache, shard: MetricsShard
    ) {
        self.shared = shared
        self.reactor = reactor
        self.server = server
        self.gate = gate
        self.upstream = upstream
        self.cache = cache
        self.shard = shard
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
        case .usage: ask(request, note, nil)
        case .cacheDrop: dropCached(request)
        default:
            switch destination(of: request, note) {
            case .success(let destination):
                if isAnsweredAtOnce(request, destination) { return }
                ask(request, destination.note, call(request, destination))
            case .failure(let problem): server.respond(request.exchange, problem)
            }
        }
    }

    /// Begins a relayed request whose body goes to the upstream as it arrives, when its head is here.
    func stream(_ request: borrowing Request, note: RequestNote) -> BodyPlan {
        let found: PublicDestination
        switch destination(of: request, note) {
        case .success(let destination): found = destination
        case .failure(let problem): return .refuse(problem)
        }
        var call = call(request, found)
        let body = RequestBody()
        let length: Int? = if case .length(let count) = request.head.framing { count } else { nil }
        call.stream = HTTPClientBodyStream(source: body, length: length)
        ask(request, found.note, call)
        return .stream(body, bytesMax: shared.configuration.bodyBytesMax)
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

    /// Where a relayed request leads, by the tables of now. Refused are a path that would mean another one upstream, and one
    /// whose route went away while the body arrived.
    private func destination(
        of request: borrowing Request, _ note: RequestNote
    ) -> Result<PublicDestination, Problem> {
        guard case .found(let match) = shared.routes.find(request.head.method, request.path),
            case let relay = Int(shared.routes.rules[match.route].relay), relay >= 0
        else { return .failure(.notFound("no such path")) }
        if HTTPClientRequest.climbs(request.path, match) {
            return .failure(.invalidRequest("a path with the segment . or .. leads nowhere"))
        }
        var note = note
        note.route = UInt16(match.route)
        return .success(
            PublicDestination(
                note: note, match: match, route: shared.publicRoutes.routes[relay],
                sunsetLine: shared.live.tables.sunsetLines[relay]))
    }

    /// Copies out of a request what its task needs.
    private func call(_ request: borrowing Request, _ destination: PublicDestination) -> PublicCall {
        var call = PublicCall(
            exchange: request.exchange, note: destination.note, route: destination.route,
            sunsetLine: destination.sunsetLine, listener: request.listener,
            requestID: server.requestID(of: request.exchange), head: request.copyHead(), match: destination.match,
            body: request.body.array)
        if call.route.cacheMs > 0 {
            call.fields = VariantFields(request)
            call.ifNoneMatch = request.header(.ifNoneMatch)?.array
        }
        return call
    }

    /// - Parameter call: nil for `GET /v1/usage`.
    private func ask(_ request: borrowing Request, _ note: RequestNote, _ call: PublicCall?) {
        let exchange = request.exchange
        let identification = gate.identify(request)
        let client = PublicClient()
        clients[exchange] = client
        let task = reactor.spawn { [self] in
            do throws(Problem) {
                try await answer(exchange, note, identification, call, client)
            } catch {
                server.respond(exchange, error)
            }
            clients[exchange] = nil
        }
        client.bind(task)
    }

    private func answer(
        _ exchange: SlotID, _ note: RequestNote, _ identification: Identification, _ call: PublicCall?,
        _ client: PublicClient
    ) async throws(Problem) {
        let caller: Caller
        switch identification {
        case .caller(let known): caller = known
        case .refused(let problem): throw problem
        case .presented(let presented): caller = try await gate.resolve(presented)
        }
        // An exchange that is gone may have a successor in its slot.
        if !client.isGone { remember(caller, of: exchange) }
        let feature = call.flatMap { $0.route.feature }
        let admission = await gate.admit(caller, to: feature)
        var note = note
        note.tier = caller.tier.rawValue
        note.word = admission.rate?.word ?? 0
        server.setNote(note, of: exchange)
        if let problem = admission.refusal { throw problem }
        guard var call else { return try await usage(exchange, of: caller) }
        call.note = note
        do throws(Problem) {
            try await collect(&call)
            let status = try await relay(call, caller, client)
            settle(admission, status: client.isGone && status == nil ? nil : status)
        } catch {
            settle(admission, status: client.isGone ? nil : error.status)
            throw error
        }
    }

    func remember(_ caller: Caller, of exchange: SlotID) {
        let user = Array(caller.userID.utf8)
        callers.set(exchange.index, user.rawBytes)
    }

    /// A body in chunks that turns out to be short goes on with its length, as one that came with it.
    private func collect(_ call: inout PublicCall) async throws(Problem) {
        guard let stream = call.stream, stream.length == nil else { return }
        do throws(RequestBody.Failure) {
            guard let body = try await stream.source.whole(bytesMax: RequestPipeline.collectedBytesMax) else { return }
            call.body = body
            call.stream = nil
        } catch {
            // Its client has been told why, or has left.
            throw .unavailable("the body ended early")
        }
    }

    private func settle(_ admission: Admission, status: Int?) {
        if let charge = admission.charge { gate.settle(charge, status: status) }
    }

    private func usage(_ exchange: SlotID, of caller: Caller) async throws(Problem) {
        let body = try await gate.usage(of: caller)
        server.respond(exchange, status: 200) { $0.append(body.rawBytes) }
    }

    // MARK: Connection

    /// Appends what every answer of the surface carries, refusals included.
    func appendHeaders(_ note: RequestNote, to buffer: inout ByteBuffer) {
        buffer.append("X-Content-Type-Options: nosniff\r\n")
        shared.origins.write(note.mark, to: &buffer)
        if let rate = RateNote(word: note.word), let tier = Tier(rawValue: note.tier) {
            gate.appendHeaders(rate, tier: tier, to: &buffer)
        }
    }

    func hasRoom(_ exchange: SlotID) { clients[exchange]?.makeRoom() }

    func abandoned(_ exchange: SlotID) { clients.removeValue(forKey: exchange)?.leave() }
}
