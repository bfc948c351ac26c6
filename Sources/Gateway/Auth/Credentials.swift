// Who asks: Bearer token, SSR token, API key, else the address; the first that is sent decides. One a reactor, used on
// its thread. A remembered credential costs one hash and one look-up, a forged token a signature's check at most.
// Limits: those of CredentialMemory and PublishedKeys. Source: the HTTP contract, section 3, "Who is asking".

import Reactor

/// `@unchecked Sendable`: tasks of its reactor hold it; every member is for the reactor's thread.
final class Credentials: @unchecked Sendable {
    private let shared: SharedState
    private let reactor: Reactor
    private let client: HTTPClient
    private let postgres: PostgresClient
    private let uses: APIKeyUses
    private var memory: CredentialMemory
    private var isClosed = false

    init(shared: SharedState, reactor: Reactor, client: HTTPClient, postgres: PostgresClient) {
        self.shared = shared
        self.reactor = reactor
        self.client = client
        self.postgres = postgres
        uses = APIKeyUses(reactor: reactor, postgres: postgres)
        memory = CredentialMemory(interval: .milliseconds(Int64(shared.configuration.credentialCacheMs)))
    }

    func start() {
        guard reactor.index == 0, let keys = shared.publishedKeys else { return }
        reactor.spawn { [self] in
            await keys.keepFresh(by: client, while: { [self] in !isClosed })
        }
    }

    /// The last uses of keys are written before the end.
    func drain() async { await uses.write() }

    func close() {
        isClosed = true
        uses.close()
    }

    private var nowSeconds: Int { Int(reactor.wallMicroseconds / 1_000_000) }

    // MARK: At the head

    func identify(_ request: borrowing Request) -> Identification {
        if let value = request.header(.authorization) {
            if request.isRepeated(.authorization) { return .refused(.unauthorized("Authorization is sent twice")) }
            return identify(bearer: value)
        }
        if let value = request.header(.xSSRToken) {
            if request.isRepeated(.xSSRToken) { return .refused(.unauthorized("X-SSR-Token is sent twice")) }
            guard shared.siteToken.index(of: value) != nil else {
                return .refused(.unauthorized("X-SSR-Token is not valid"))
            }
            return .caller(.site)
        }
        if let value = request.header(.xAPIKey) {
            if request.isRepeated(.xAPIKey) { return .refused(.unauthorized("X-API-Key is sent twice")) }
            return identify(apiKey: value)
        }
        return .caller(.anonymous(at: shared.trustedProxies.client(of: request)))
    }

    private func identify(bearer value: RawSpan) -> Identification {
        let scheme = 7
        guard value.byteCount > scheme, value.extracting(first: scheme).equalsIgnoringCase("bearer ") else {
            return .refused(.unauthorized("Authorization: expected Bearer and an ID token"))
        }
        guard shared.publishedKeys != nil else { return .refused(.unauthorized("Bearer tokens are not known here")) }
        let token = value.extracting(scheme..<value.byteCount)
        guard token.byteCount <= IDToken.bytesMax else { return .refused(.unauthorized("the token is too long")) }
        let key = CredentialKey(kind: .bearer, digest: .of(token))
        if let found = remembered(key) { return found }
        // A key that is there checks at once: a forged token goes no further than this.
        return check(token, key) ?? .presented(.bearer(token.array))
    }

    private func identify(apiKey value: RawSpan) -> Identification {
        guard APIKey.isPlausible(value) else { return .refused(.unauthorized("X-API-Key is not valid")) }
        let key = CredentialKey(kind: .apiKey, digest: .of(value))
        if let found = remembered(key) { return found }
        return .presented(.apiKey(value.array))
    }

    private func remembered(_ key: CredentialKey) -> Identification? {
        switch memory.find(key, now: reactor.now, nowSeconds: nowSeconds) {
        case .known(let caller):
            if key.kind == .apiKey { uses.note(key.digest) }
            return .caller(caller)
        case .refused(let reason): return .refused(.unauthorized(reason))
        case nil: return nil
        }
    }

    // MARK: Tokens

    /// - Returns: nil where the token's key is not there.
    private func check(_ token: RawSpan, _ key: CredentialKey) -> Identification? {
        do throws(BadToken) {
            guard let project = shared.configuration.firebaseProjectID else {
                throw BadToken("Bearer tokens are not known here")
            }
            let parsed = try IDToken(token)
            // Before the signature: it is the costly part.
            let caller = try parsed.check(project: project, nowSeconds: nowSeconds)
            guard let keys = shared.publishedKeys?.current, keys.holds(parsed.keyID) else { return nil }
            guard keys.hasSigned(parsed) else { throw BadToken("the token's signature is not valid") }
            memory.know(key, caller, expiresSeconds: parsed.claims.expiresSeconds, now: reactor.now)
            return .caller(caller)
        } catch {
            memory.refuse(key, error.reason, now: reactor.now)
            return .refused(.unauthorized(error.reason))
        }
    }

    func resolve(_ presented: PresentedCredential) async throws(Problem) -> Caller {
        switch presented {
        case .bearer(let token): try await resolve(bearer: token)
        case .apiKey(let key): try await resolve(apiKey: key)
        }
    }

    /// The token names a key that is not there: the published set is asked for once more.
    private func resolve(bearer token: [UInt8]) async throws(Problem) -> Caller {
        let keyID: String
        do throws(BadToken) {
            keyID = try IDToken(token.rawBytes).keyID
        } catch {
            throw .unauthorized(error.reason)
        }
        guard let published = shared.publishedKeys, await published.refreshed(for: keyID, by: client) != nil else {
            throw .unavailable("the published keys were never loaded: no token can be checked", retryAfterSeconds: 5)
        }
        let key = CredentialKey(kind: .bearer, digest: .of(token.rawBytes))
        switch check(token.rawBytes, key) {
        case .caller(let caller): return caller
        case .refused(let problem): throw problem
        case .presented, nil:
            memory.refuse(key, "the token's key is not published", now: reactor.now)
            throw .unauthorized("the token's key is not published")
        }
    }

    // MARK: API keys

    private func resolve(apiKey secret: [UInt8]) async throws(Problem) -> Caller {
        let key = CredentialKey(kind: .apiKey, digest: .of(secret.rawBytes))
        // Another request of the same key may have asked meanwhile.
        switch remembered(key) {
        case .caller(let caller): return caller
        case .refused(let problem): throw problem
        case .presented, nil: break
        }
        let rows: [PostgresRow]
        do throws(PostgresFailure) {
            rows = try await postgres.query(
                "SELECT \(APIKeyRow.columns) FROM api_keys WHERE key_hash = $1", [.text(key.digest.hex)])
        } catch {
            throw .unavailable("API keys cannot be looked up: PostgreSQL is unreachable")
        }
        do throws(BadToken) {
            guard let row = rows.first.flatMap({ APIKeyRow($0) }) else { throw BadToken("X-API-Key is not valid") }
            let caller = try row.check(nowSeconds: nowSeconds)
            memory.know(key, caller, expiresSeconds: row.expiresSeconds ?? .max, now: reactor.now)
            uses.note(key.digest)
            return caller
        } catch {
            memory.refuse(key, error.reason, now: reactor.now)
            throw .unauthorized(error.reason)
        }
    }
}
