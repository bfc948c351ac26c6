// Who asks on the public surface, and by what proof. Plain data. Source: the HTTP contract, section 3, "Who is asking".

import Reactor

/// The one that a public request is answered to, counted for, and named as upstream.
struct Caller: Equatable, Sendable {
    enum Credential: Sendable { case bearer, ssrToken, apiKey, none }

    /// `X-User-ID` upstream: `anonymous` and `ssr-service` where there is no user.
    var userID: String
    var tier: Tier
    var credential: Credential
    /// What rates and quotas are counted by: a user, a service, or an address. Distinct kinds never collide.
    var account: String
}

extension Caller {
    /// Nobody known, told apart by address.
    static func anonymous(_ peer: PeerAddress) -> Caller {
        let address = peer.isUnix ? "unix" : IPAddress(high: peer.high, low: peer.low).description
        return Caller(userID: "anonymous", tier: .anonymous, credential: .none, account: "address:\(address)")
    }
}

/// A credential as it was sent and not yet checked, copied out of its request.
enum PresentedCredential: Equatable, Sendable {
    case bearer([UInt8])
    case ssrToken([UInt8])
    case apiKey([UInt8])
}

/// What the head of a request says of who sent it.
enum Identification: Sendable {
    /// Known at once: anonymous, remembered, or compared with a token.
    case caller(Caller)
    /// 401, or 503 where the credential cannot be checked.
    case refused(Problem)
    /// To be looked up: `CallerGate.resolve` is asked next.
    case presented(PresentedCredential)
}
