// How a public request is answered: from the cache, or by an upstream's answer that is passed on as it arrives.
// Tasks on their reactor. Limits: an answer up to `wholeBytesMax` is sent at once, a longer one in pieces, of which
// `HTTPLimits.streamBytesMax` wait for the client before the upstream is read no further.

import Logging
import Reactor

extension PublicSurface {
    static let wholeBytesMax = 64 * 1024

    /// - Returns: the status that was answered; nil where the client had gone.
    func relay(_ call: PublicCall, _ caller: Caller, _ client: PublicClient) async throws(Problem) -> Int? {
        let route = call.route
        let service = shared.service(route.service)
        guard route.cacheMs > 0 else {
            let response = try await askUpstream(service, call, caller, route)
            if let drops = route.drops, response.status < 400 { await drop(drops, call) }
            return try await pass(LiveAnswer(response: response), call, client)
        }
        let query = CacheQuery(
            base: CacheKey(path: call.head.path, query: call.head.query, tier: caller.tier), fields: call.fields,
            routeMs: route.cacheMs, timeoutMs: timeoutMs(route))
        let outcome = await cache.answer(query) { [self] in
            do throws(Problem) {
                return .success(try await askUpstream(service, call, caller, route))
            } catch {
                return .failure(error)
            }
        }
        switch outcome {
        case .answer(let answer, let source):
            count(source, call.note, of: call.exchange)
            return respond(
                call.exchange, answer, source, sunsetLine: call.sunsetLine, ifNoneMatch: call.ifNoneMatch)
        case .live(let live):
            count(.miss, call.note, of: call.exchange)
            return try await pass(live, call, client)
        case .failed(let problem): throw problem
        case .pass:
            count(.miss, call.note, of: call.exchange)
            let response = try await askUpstream(service, call, caller, route)
            return try await pass(LiveAnswer(response: response), call, client)
        }
    }

    /// Asks the upstream, in a span of its own where the request leaves one.
    private func askUpstream(
        _ service: UpstreamService, _ call: PublicCall, _ caller: Caller, _ route: PublicRoute
    ) async throws(Problem) -> HTTPClientResponse {
        guard let tracer, let span = tracer.child(of: call.exchange) else {
            return try await upstream.send(upstreamRequest(call, caller, route), to: service)
        }
        let request = upstreamRequest(call, caller, route, span.trace)
        do throws(Problem) {
            let response = try await upstream.send(request, to: service)
            tracer.end(span, request.http.method, to: service.name, status: response.status)
            return response
        } catch {
            tracer.end(span, request.http.method, to: service.name, status: nil, failure: error.message)
            throw error
        }
    }

    private func upstreamRequest(
        _ call: PublicCall, _ caller: Caller, _ route: PublicRoute, _ trace: TraceContext? = nil
    ) -> UpstreamRequest {
        let by = ForwardedBy(
            serviceToken: shared.live.tables.serviceToken, isSecure: shared.isSecure(listener: call.listener))
        var http = HTTPClientRequest(
            forwarding: call.head, to: route, call.match, body: call.body, by: by, isCached: route.cacheMs > 0,
            requestID: call.requestID, trace: trace, using: &server.reactor.random)
        http.stream = call.stream
        http.addCaller(caller)
        return UpstreamRequest(http: http, timeoutMs: timeoutMs(route), retries: route.retries)
    }

    private func timeoutMs(_ route: PublicRoute) -> Int {
        route.timeoutMs ?? shared.configuration.upstreamTimeoutMs
    }

    private func drop(_ template: PathTemplate, _ call: PublicCall) async {
        var path = ByteBuffer(capacity: 128)
        template.write(call.head.path, call.match.parameters, to: &path)
        // `try?`: the upstream has done what was asked; with Redis away there is no cache to serve the old.
        _ = try? await cache.drop(path: CacheKey.normalisedPath(path.bytes))
    }

    private func count(_ source: CacheOutcome.Source, _ note: RequestNote, of exchange: SlotID) {
        shared.live.tables.routeMetrics.count(source, route: Int(note.route), on: shard)
        var note = note
        note.detail = source.rawValue
        server.setNote(note, of: exchange)
    }

    // MARK: From the cache

    /// Answers what needs no waiting: a caller whom nothing limits, and an answer that lies in this reactor.
    func isAnsweredAtOnce(_ request: borrowing Request, _ destination: PublicDestination) -> Bool {
        guard destination.route.cacheMs > 0, case .caller(let caller) = gate.identify(request),
            shared.tiers[caller.tier].isUnlimited,
            let answer = cache.answerAtHand(
                CacheKey(path: request.path, query: request.query, tier: caller.tier), for: request)
        else { return false }
        var note = destination.note
        note.tier = caller.tier.rawValue
        remember(caller, of: request.exchange)
        count(.hit, note, of: request.exchange)
        _ = respond(
            request.exchange, answer, .hit, sunsetLine: destination.sunsetLine,
            ifNoneMatch: request.header(.ifNoneMatch)?.array)
        return true
    }

    private func respond(
        _ exchange: SlotID, _ answer: CachedAnswer, _ source: CacheOutcome.Source, sunsetLine: String,
        ifNoneMatch: [UInt8]?
    ) -> Int {
        let isUnchanged = answer.isNamed(by: ifNoneMatch)
        let status = isUnchanged ? 304 : 200
        let age = answer.ageSeconds(nowMs: cache.nowMs)
        server.respond(
            exchange, status: status, type: .none,
            headers: { out in
                if isUnchanged {
                    Self.writeVary(answer, to: &out)
                } else {
                    out.append(answer.lines.rawBytes)
                }
                out.append("ETag: ")
                out.append(answer.etag.rawBytes)
                // A shared cache further on does not know what the tier is told by.
                out.append("\r\nCache-Control: private, max-age=")
                out.append(decimal: answer.lifetimeSeconds)
                out.append("\r\nAge: ")
                out.append(decimal: age)
                out.append("\r\nX-Cache: ")
                out.append(source.name)
                out.append("\r\n")
                out.append(sunsetLine)
            }, body: { if !isUnchanged { $0.append(answer.body.rawBytes) } })
        return status
    }

    private static func writeVary(_ answer: CachedAnswer, to out: inout ByteBuffer) {
        guard !answer.vary.isEmpty else { return }
        out.append("Vary: ")
        out.append(answer.vary.joined(separator: ", "))
        out.append("\r\n")
    }

    // MARK: From the upstream

    /// Passes an answer on. One that cannot be read to its end is a 502, or is cut where it has begun.
    private func pass(_ live: LiveAnswer, _ call: PublicCall, _ client: PublicClient) async throws(Problem) -> Int? {
        let response = live.response
        var lines = ByteBuffer(capacity: 512)
        let passing = response.passingLines(isCached: false)
        lines.append(passing.rawBytes)
        if call.route.cacheMs > 0 { lines.append("X-Cache: MISS\r\n") }
        lines.append(call.sunsetLine)
        if !call.isHead, live.collected.isEmpty, let length = response.contentLength, length <= Self.wholeBytesMax {
            return try await passWhole(response, lines, call, client)
        }
        return await passPieces(live, lines, call, client)
    }

    private func passWhole(
        _ response: HTTPClientResponse, _ lines: borrowing ByteBuffer, _ call: PublicCall, _ client: PublicClient
    ) async throws(Problem) -> Int? {
        var body = ByteBuffer()
        do throws(HTTPClientFailure) {
            while try await response.read(into: &body) {}
        } catch {
            throw Problem(error, of: "the upstream service")
        }
        if client.isGone { return nil }
        server.respond(
            call.exchange, status: response.status, type: .none, headers: { $0.append(lines.bytes) },
            body: { $0.append(body.bytes) })
        return response.status
    }

    private func passPieces(
        _ live: LiveAnswer, _ lines: borrowing ByteBuffer, _ call: PublicCall, _ client: PublicClient
    ) async -> Int? {
        let response = live.response
        if client.isGone { return nil }
        let announced = call.isHead ? response.list("content-length").flatMap { Int($0) } : nil
        server.beginResponse(
            call.exchange, status: response.status, type: .none, length: response.contentLength ?? announced,
            headers: { $0.append(lines.bytes) })
        if call.isHead {
            server.endResponse(call.exchange)
            return response.status
        }
        var piece = ByteBuffer()
        piece.append(live.collected.rawBytes)
        do throws(HTTPClientFailure) {
            repeat {
                guard let waiting = server.writeBody(call.exchange, piece.bytes) else { return response.status }
                piece.clear()
                if waiting >= server.limits.streamBytesMax {
                    client.expectRoom()
                    await client.waitForRoom()
                }
            } while try await response.read(into: &piece)
            server.endResponse(call.exchange)
        } catch {
            // No answer is counted or logged: it was begun and cannot be ended.
            logger.warning(
                "an answer was cut: its upstream failed in the middle",
                metadata: [
                    "request_id": "\(call.requestID.description)", "reason": "\(error)",
                    "route": "\(call.route.pattern)",
                ])
            server.failResponse(call.exchange)
        }
        return response.status
    }

    // MARK: Dropping

    /// `DELETE /internal/cache`
    func dropCached(_ request: borrowing Request) {
        let exchange = request.exchange
        var prefix = ByteBuffer(capacity: 128)
        let query = request.query
        if let value = RequestTarget.firstValue(of: "prefix", in: query.range, of: query) {
            do {
                try RequestTarget.decode(value, of: query, plusIsSpace: true, into: &prefix)
            } catch {
                return server.respond(
                    exchange, .invalidRequest("the query has a broken percent-escape", .text("parameter", "prefix")))
            }
        }
        guard prefix.isEmpty || prefix.bytes.byte(at: 0) == UInt8(ascii: "/") else {
            return server.respond(
                exchange, .invalidRequest("prefix: expected the beginning of a path", .text("parameter", "prefix")))
        }
        let path = CacheKey.normalisedPath(prefix.bytes)
        reactor.spawn { [self] in
            do throws(RedisFailure) {
                let dropped = try await cache.drop(prefix: path)
                server.respond(exchange, status: 200) { out in
                    out.append("{\"dropped\":")
                    out.append(decimal: dropped)
                    out.append("}")
                }
            } catch {
                server.respond(exchange, Problem(error))
            }
        }
    }
}

extension CacheOutcome.Source {
    /// Value of `X-Cache`.
    var name: StaticString {
        switch self {
        case .hit: "HIT"
        case .miss: "MISS"
        case .stale: "STALE"
        }
    }
}
