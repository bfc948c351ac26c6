// Who asks on the public surface, and by what proof. Plain data. Source: the HTTP contract, section 3, "Who is asking".

import Reactor

/// The one that a public request is answered to, counted for, and named as upstream.
struct Caller: Equatable, Sendable {
    enum Credential: Hashable, Sendable { case bearer, ssrToken, apiKey, none }

    /// `X-User-ID` upstream: `anonymous` and `ssr-service` where there is no user.
    var userID: String
    var tier: Tier
    var credential: Credential
    /// What rates and quotas are counted by: a user, a service, or an address. Distinct kinds never collide.
    var account: String
}

extension Caller {
    /// What `X-User-ID` says where there is no user.
    static let anonymousUser = "anonymous"
    static let siteUser = "ssr-service"

    /// The account of a user, by whichever credential it is known.
    static func account(user: String) -> String { "user:\(user)" }

    /// Nobody known, told apart by address.
    /// - Parameter address: nil for a client of a Unix socket. Of IPv6 the first 64 bits count: a client has all others
    ///   to choose from (RFC 6177).
    static func anonymous(at address: IPAddress?) -> Caller {
        var name = "unix"
        if let address {
            name = address.isV4 ? address.description : "\(String(UInt64(address.value >> 64), radix: 16))::/64"
        }
        return Caller(
            userID: anonymousUser, tier: .anonymous, credential: .none, account: "address:\(name)")
    }

    /// The site that renders for its visitors.
    static let site = Caller(userID: siteUser, tier: .internal, credential: .ssrToken, account: "service:ssr")
}

/// A credential as it was sent and not yet checked, copied out of its request.
enum PresentedCredential: Equatable, Sendable {
    case bearer([UInt8])
    case apiKey([UInt8])
}

/// What the head of a request says of who sent it.
enum Identification: Sendable {
    /// Known at once: anonymous, remembered, or compared with a token.
    case caller(Caller)
    /// 401, or 503 where the credential cannot be checked.
    case refused(Problem)
    /// To be looked up: `KnownCallers.resolve` is asked next.
    case presented(PresentedCredential)
}
