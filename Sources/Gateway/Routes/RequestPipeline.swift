// The path of every request through one reactor: route, listener, credential, rate, body plan, handler; and the count
// of its answer. Owned by its reactor. Allocates nothing for the requests of the hot path.

import Reactor

final class RequestPipeline: RequestHandler {
    static let workerIDBytesMax = 128

    let shared: SharedState
    private let shard: MetricsShard
    private var log: RequestLog
    /// By exchange: the worker or the user, for the log.
    private let callers = ShortTexts()
    /// nil: no spans are kept.
    private let tracer: Tracer?
    /// Set by `connect` before the first request: they need the server, which needs this.
    private var handlers: WorkHandlers!
    private var ops: OpsHandlers!
    private var queueOps: QueueOps!
    private var overview: OpsOverview!
    private var publicSurface: PublicSurface!
    /// Routes that yield at this level or below are refused. Set at the end of a turn.
    var overloadLevel: UInt8 = 0
    /// Lent for the worker id of the request in hand.
    private var spareID = ByteBuffer(capacity: RequestPipeline.workerIDBytesMax)

    init(shared: SharedState, shard: MetricsShard, tracer: Tracer?) {
        self.shared = shared
        self.shard = shard
        self.tracer = tracer
        log = RequestLog(shared.configuration)
    }

    func connect(
        _ handlers: WorkHandlers, _ ops: OpsHandlers, _ queueOps: QueueOps, _ overview: OpsOverview,
        _ publicSurface: PublicSurface
    ) {
        self.overview = overview
        self.handlers = handlers
        self.ops = ops
        self.queueOps = queueOps
        self.publicSurface = publicSurface
        publicSurface.callers = callers
        publicSurface.tracer = tracer
    }

    // MARK: Head

    func begin(_ request: borrowing Request, note: inout RequestNote) -> BodyPlan {
        let match: RouteMatch
        switch shared.routes.find(request.head.method, request.path) {
        case .notFound: return refuseUnrouted(request, .notFound("no such path"), &note)
        case .methodNotAllowed(let allow): return refuseUnrouted(request, .methodNotAllowed(allow), &note)
        case .found(let found): match = found
        }
        let route = shared.routes.rules[match.route]
        let surfaces = shared.listeners[Int(request.listener)].surfaces
        guard !route.surfaces.isDisjoint(with: surfaces) else { return .refuse(.notFound("no such path")) }
        note.route = UInt16(match.route)
        callers.clear(request.exchange.index)
        note.tier = route.kind(on: surfaces).rawValue
        tracer?.begin(request, route.access)
        if route.isInternal, shared.security.bindsWorkers[Int(request.listener)],
            !publicSurface.server.hasClientCertificate(request.exchange)
        {
            return .refuse(.forbidden("a client certificate is needed here"))
        }
        if route.yieldsAt <= overloadLevel { return .refuse(refuseForOverload(route, request, &note)) }
        if let problem = admit(request, route, note: &note) { return .refuse(problem) }
        return plan(request, route, note)
    }

    private func refuseUnrouted(
        _ request: borrowing Request, _ problem: Problem, _ note: inout RequestNote
    ) -> BodyPlan {
        // Whoever misses a path is told so across origins too.
        publicSurface.noteOrigin(request, &note)
        return .refuse(problem)
    }

    private func refuseForOverload(
        _ route: RouteRule, _ request: borrowing Request, _ note: inout RequestNote
    ) -> Problem {
        if route.access == .caller {
            note.tier = Tier.anonymous.rawValue
            publicSurface.noteOrigin(request, &note)
        }
        shard.add(shared.metrics.overloadRefused[Int(route.yieldsAt) - 1], 1)
        return .unavailable(
            "the gateway is overloaded; nothing was done", retryAfterSeconds: Self.overloadRetrySeconds)
    }

    /// What those are told that are refused for overload.
    static let overloadRetrySeconds = 2

    private func plan(_ request: borrowing Request, _ route: RouteRule, _ note: RequestNote) -> BodyPlan {
        if route.body == .relayed { return planRelayed(request, note) }
        if route.body != .none, let problem = Self.refuseMediaType(request, takesForms: route.operation == .rawFile) {
            return .refuse(problem)
        }
        switch route.body {
        case .none: return .buffer(bytesMax: Self.unreadBodyBytesMax)
        case .buffered, .relayed: return .buffer(bytesMax: shared.configuration.bodyBytesMax)
        case .streamed where route.operation == .rawFile: return planRawFile(request)
        case .streamed: return .stream(handlers.enqueue.start(request, kind(of: note)), bytesMax: .max)
        }
    }

    /// Bodies up to this size are collected before the upstream is asked: they arrive with their head, as a rule.
    static let collectedBytesMax = 64 * 1024

    private func planRelayed(_ request: borrowing Request, _ note: RequestNote) -> BodyPlan {
        // What is asked by GET or HEAD goes on without a body.
        if request.head.method == .get || request.head.method == .head {
            return .buffer(bytesMax: Self.unreadBodyBytesMax)
        }
        let bytesMax = shared.configuration.bodyBytesMax
        switch request.head.framing {
        case .length(let count) where count > Self.collectedBytesMax && count <= bytesMax: break
        case .chunked: break
        case .none, .length: return .buffer(bytesMax: bytesMax)
        }
        return publicSurface.stream(request, note: note)
    }

    private func planRawFile(_ request: borrowing Request) -> BodyPlan {
        var worker = exchange(&spareID, for: ByteBuffer())
        readWorkerID(request, into: &worker)
        let body = handlers.rawFiles.start(request, worker: worker.bytes.string)
        spareID = worker
        return .stream(body, bytesMax: shared.rawFiles.bodyBytesMax)
    }

    /// A body where none is expected is read and ignored up to this size.
    static let unreadBodyBytesMax = 64 * 1024

    /// Bodies are plain JSON, whatever name they go by; coded or multipart ones are not.
    private static func refuseMediaType(_ request: borrowing Request, takesForms: Bool) -> Problem? {
        if let coding = request.header(.contentEncoding), !coding.equalsIgnoringCase("identity") {
            return .unsupportedMediaType("content codings are not supported: send the body as it is")
        }
        if takesForms { return nil }
        if let type = request.header(.contentType), type.byteCount >= 10,
            type.extracting(first: 10).equalsIgnoringCase("multipart/")
        {
            return .unsupportedMediaType("expected application/json")
        }
        return nil
    }

    // MARK: Credentials and rate

    /// Checks who asks; nil lets the request in.
    private func admit(_ request: borrowing Request, _ route: RouteRule, note: inout RequestNote) -> Problem? {
        switch route.access {
        case .open: nil
        case .ops: admitOps(request)
        case .worker: admitWorker(request, note: &note)
        case .caller: publicSurface.begin(request, note: &note)
        }
    }

    private func admitOps(_ request: borrowing Request) -> Problem? {
        guard let token = request.header(.xOpsToken), !request.isRepeated(.xOpsToken) else {
            return .unauthorized("X-Ops-Token is missing")
        }
        var id = exchange(&spareID, for: ByteBuffer())
        readWorkerID(request, into: &id)
        let verdict = shared.opsTokens.check(token, workerID: id.bytes)
        spareID = id
        return switch verdict {
        case .allowed: nil
        case .unauthorized: .unauthorized("X-Ops-Token is not valid")
        case .forbidden: .forbidden("this ops token is bound to another id")
        }
    }

    private func admitWorker(_ request: borrowing Request, note: inout RequestNote) -> Problem? {
        if !request.peer.isUnix,
            !shared.configuration.internalAllowList.allows(IPAddress(high: request.peer.high, low: request.peer.low))
        {
            return .forbidden("this address may not use the worker surface")
        }
        guard let token = request.header(.xWorkerToken), !request.isRepeated(.xWorkerToken) else {
            return .unauthorized("X-Worker-Token is missing")
        }
        if let sent = request.header(.xWorkerID) {
            let isValid = isWorkerID(sent, of: request)
            let id = isValid ? sent : sent.extracting(first: 0)
            return admitWorker(request, token, id, isValid: isValid, note: &note)
        }
        var id = exchange(&spareID, for: ByteBuffer())
        let isValid = readWorkerID(request, into: &id)
        let problem = admitWorker(request, token, id.bytes, isValid: isValid, note: &note)
        spareID = id
        return problem
    }

    private func admitWorker(
        _ request: borrowing Request, _ token: RawSpan, _ id: RawSpan, isValid: Bool, note: inout RequestNote
    ) -> Problem? {
        switch shared.workerTokens.check(token, workerID: id) {
        case .unauthorized: return .unauthorized("X-Worker-Token is not valid")
        case .forbidden where isValid: return .forbidden("this token is bound to another worker id")
        case .forbidden, .allowed: break
        }
        guard isValid else {
            return .invalidRequest("a worker id is needed: X-Worker-ID or ?worker_id=, 1 to 128 of [A-Za-z0-9._:-]")
        }
        callers.set(request.exchange.index, id)
        return takeToken(request, worker: id, note: &note)
    }

    private func takeToken(_ request: borrowing Request, worker: RawSpan, note: inout RequestNote) -> Problem? {
        if shared.workerRate.isUnlimited { return nil }
        let decision = shared.workerBuckets.take(
            key: shared.hash.hash(worker, domain: 0), nowNs: UInt64(request.now.nanoseconds),
            rate: shared.workerRate)
        let reset = Int(request.wallMicroseconds / 1_000_000) + decision.resetSeconds
        note.word = RateNote(remaining: decision.remaining, resetSeconds: reset).word
        if decision.isAllowed { return nil }
        shard.add(shared.metrics.rateLimitHits, 1)
        return .rateLimited(retryAfterSeconds: max(1, decision.retryAfterSeconds))
    }

    private func isWorkerID(_ sent: RawSpan, of request: borrowing Request) -> Bool {
        RequestTarget.isWorkerID(sent) && !request.isRepeated(.xWorkerID)
    }

    /// Reads the worker's id from its header, or else from the query; false where there is none or it is not one.
    @discardableResult
    private func readWorkerID(_ request: borrowing Request, into id: inout ByteBuffer) -> Bool {
        id.clear()
        if let sent = request.header(.xWorkerID) {
            guard isWorkerID(sent, of: request) else { return false }
            id.append(sent)
            return true
        }
        let query = request.query
        var items = QueryItems(query.range)
        while let item = items.next(in: query) {
            guard RequestTarget.isName(item.name, "worker_id", query) else { continue }
            id.clear()
            // `try?`: a broken escape is no worker id, like any other wrong character.
            guard (try? RequestTarget.decode(item.value, of: query, plusIsSpace: true, into: &id)) != nil else {
                return false
            }
        }
        return RequestTarget.isWorkerID(id.bytes)
    }

    // MARK: Body

    func handle(_ request: borrowing Request, note: RequestNote) {
        // `begin` has noted the route: only a path with parameters is walked once more.
        switch shared.routes.rules[Int(note.route)].operation {
        case .health: ops.health(request)
        case .ready: ops.ready(request)
        case .metrics: ops.metrics(request)
        case .contractYAML, .contractJSON, .docsPage, .docsStyle, .docsScript:
            let operation = shared.routes.rules[Int(note.route)].operation
            guard let document = shared.documents[operation] else { preconditionFailure("not a document") }
            ops.document(document, request)
        case .enqueue, .rawFile: preconditionFailure("a streamed request has no handler")
        case .queue, .deadList, .deadRequeue, .deadDelete, .workers, .command, .cancel:
            let surfaces = shared.listeners[Int(request.listener)].surfaces
            queueOps.handle(
                shared.routes.rules[Int(note.route)].operation, request, kind(of: note),
                kinds: shared.routes.kinds(of: Int(note.route), on: surfaces), parameter: parameter(request))
        case .page: OpsPage.respond("ops.html", request.exchange, server: ops.server)
        case .pageFile: OpsPage.respond(request.path.slice(parameter(request)), request.exchange, server: ops.server)
        case .overview: overview.answer(request)
        case .relay, .usage, .versions, .preflight, .cacheDrop: publicSurface.handle(request, note: note)
        case let operation: handleWorker(operation, request, kind(of: note))
        }
    }

    /// The id stands in its header, where it is used, or in the query, which may be encoded.
    private func handleWorker(_ operation: Operation, _ request: borrowing Request, _ kind: WorkKind) {
        if let sent = request.header(.xWorkerID) { return handle(operation, request, kind, worker: sent) }
        var id = exchange(&spareID, for: ByteBuffer())
        readWorkerID(request, into: &id)
        handle(operation, request, kind, worker: id.bytes)
        spareID = id
    }

    /// The first parameter of a path.
    private func parameter(_ request: borrowing Request) -> ByteRange {
        guard case .found(let match) = shared.routes.find(request.head.method, request.path) else {
            preconditionFailure("a request that was routed once is routed again")
        }
        return match.parameters[0]
    }

    private func handle(_ operation: Operation, _ request: borrowing Request, _ kind: WorkKind, worker: RawSpan) {
        switch operation {
        case .work: handlers.pull(request, kind, worker: worker)
        case .heartbeat: handlers.heartbeat(request, kind, worker: worker)
        case .results: handlers.results(request, kind, worker: worker)
        case .complete: handlers.complete(request, kind, worker: worker, task: parameter(request))
        case .fail: handlers.fail(request, kind, worker: worker, task: parameter(request))
        case .proxyCreate: handlers.proxies.create(request, kind, worker: worker)
        case .proxyRotate: handlers.proxies.rotate(request, kind, worker: worker, port: parameter(request))
        case .proxyBan: handlers.proxies.ban(request, kind, worker: worker, port: parameter(request))
        default: preconditionFailure("not a worker's operation")
        }
    }

    private func kind(of note: RequestNote) -> WorkKind {
        guard let kind = WorkKind(rawValue: note.tier) else { preconditionFailure("a note without a kind") }
        return kind
    }

    // MARK: Answer

    func appendHeaders(_ note: RequestNote, to buffer: inout ByteBuffer) {
        if note.route >= shared.routes.firstPage {
            if note.route < shared.routes.firstPublic { return OpsPage.appendHeaders(to: &buffer) }
            // Public and unrouted ones.
            return publicSurface.appendHeaders(note, to: &buffer)
        }
        RateNote(word: note.word)?.write(limitPerMinute: shared.workerRate.perMinute, to: &buffer)
    }

    func answered(_ exchange: borrowing AnsweredExchange) {
        shared.live.tables.routeMetrics.count(exchange, on: shard)
        log.record(exchange, shared.routes, by: callers)
        tracer?.answered(exchange, by: callers)
    }

    func abandoned(_ exchange: SlotID, note: RequestNote) {
        tracer?.abandoned(exchange, note: note)
        if note.route >= shared.routes.firstPublic { return publicSurface.abandoned(exchange) }
        handlers.abandoned(exchange)
    }

    func hasRoom(_ exchange: SlotID, note: RequestNote) { publicSurface.hasRoom(exchange) }

    func handshakeFailed(_ error: SystemError, peer: PeerAddress, listener: UInt32) {
        log.recordHandshake(error, peer: peer)
    }

    func expectsProxyHeader(listener: UInt32, peer: PeerAddress) -> Bool {
        let surfaces = shared.listeners[Int(listener)].surfaces
        return !shared.configuration.proxyProtocol.isDisjoint(with: surfaces) && shared.trustedProxies.includes(peer)
    }

    func connectionChanged(listener: UInt32, isOpen: Bool) {
        shard.add(shared.metrics.activeConnections[Int(listener)], isOpen ? 1 : -1)
        if isOpen { shard.add(shared.metrics.connections[Int(listener)], 1) }
    }
}
