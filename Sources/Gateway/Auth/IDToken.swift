// A Firebase ID token taken apart: its header, what it claims, and what of that is to be believed at a time.
// Pure; the signature is checked by whoever has the key. Limits: `bytesMax` a token, `keyIDBytesMax`, `userBytesMax`.
// Source: the HTTP contract, section 3; RFC 7515, RFC 7519; Firebase, "Verify ID tokens".

import Reactor

/// Why a token is refused. The words go to the client.
struct BadToken: Error, Equatable {
    var reason: String

    init(_ reason: String) { self.reason = reason }
}

struct IDToken: Sendable {
    static let bytesMax = 8 * 1024
    static let keyIDBytesMax = 256
    /// Firebase's own limit of user ids is 128 characters.
    static let userBytesMax = 512
    /// `iat` and `auth_time` may lie this much ahead.
    static let leewaySeconds = 60

    var keyID: String
    var claims: IDClaims
    /// Header and payload as they were sent: what is signed.
    var signed: [UInt8]
    var signature: [UInt8]

    /// - Throws: where it is no token, or not one of ours to read.
    init(_ token: RawSpan) throws(BadToken) {
        guard token.byteCount <= Self.bytesMax else { throw BadToken("the token is too long") }
        var dots: [Int] = []
        for at in 0..<token.byteCount where token.byte(at: at) == UInt8(ascii: ".") { dots.append(at) }
        guard dots.count == 2 else { throw BadToken("the token is no JWT") }
        guard let header = Base64URL.decode(token.extracting(0..<dots[0])),
            let payload = Base64URL.decode(token.extracting(dots[0] + 1..<dots[1])),
            let signature = Base64URL.decode(token.extracting(dots[1] + 1..<token.byteCount)), !signature.isEmpty
        else { throw BadToken("the token is no JWT") }
        do throws(JSONFailure) {
            keyID = try Self.keyID(header)
            claims = try IDClaims(payload)
        } catch {
            throw BadToken("the token is no JWT that is known here: \(error.message)")
        }
        self.signature = signature
        signed = token.extracting(0..<dots[1]).array
    }

    /// Only RS256 with a named key: neither `none` nor a symmetric algorithm is ever looked at.
    private static func keyID(_ header: [UInt8]) throws(JSONFailure) -> String {
        let body = header.rawBytes
        let members = try JSONMembers<3>(body, ["alg", "kid", "crit"])
        guard members[2].kind == .absent else { throw .schema("crit", "is not known here") }
        guard try members[0].requiredString("alg").equals("RS256", in: body) else {
            throw .schema("alg", "expected RS256")
        }
        let name = try members[1].requiredString("kid").text(in: body)
        guard (1...keyIDBytesMax).contains(name.utf8.count) else { throw .schema("kid", "has no good length") }
        return name
    }

    /// Whom the token speaks of, if it is to be believed now.
    /// - Parameter nowSeconds: since the Unix epoch.
    func check(project: String, nowSeconds: Int) throws(BadToken) -> Caller {
        guard claims.audience == project else { throw BadToken("the token is for another project") }
        guard claims.issuer == "https://securetoken.google.com/\(project)" else {
            throw BadToken("the token is of another issuer")
        }
        guard claims.expiresSeconds > nowSeconds else { throw BadToken("the token has expired") }
        guard claims.issuedSeconds <= nowSeconds + Self.leewaySeconds,
            (claims.authenticatedSeconds ?? 0) <= nowSeconds + Self.leewaySeconds
        else { throw BadToken("the token is from the future") }
        guard Self.isUser(claims.subject) else { throw BadToken("the token names nobody") }
        return Caller(
            userID: claims.subject, tier: Tier(claimed: claims.tier), credential: .bearer,
            account: Caller.account(user: claims.subject))
    }

    /// A name that can be a header's value, and is none of those that stand for nobody.
    private static func isUser(_ name: String) -> Bool {
        guard (1...userBytesMax).contains(name.utf8.count), name.utf8.first != 0x20, name.utf8.last != 0x20,
            name.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F })
        else { return false }
        return name != Caller.anonymousUser && name != Caller.siteUser
    }
}

/// What a token says, before anything of it is believed.
struct IDClaims: Equatable, Sendable {
    var audience: String
    var issuer: String
    var subject: String
    var expiresSeconds: Int
    var issuedSeconds: Int
    var authenticatedSeconds: Int?
    var tier: String?

    init(_ payload: [UInt8]) throws(JSONFailure) {
        let body = payload.rawBytes
        let members = try JSONMembers<7>(body, ["aud", "iss", "sub", "exp", "iat", "auth_time", "tier"])
        audience = try members[0].requiredString("aud").text(in: body)
        issuer = try members[1].requiredString("iss").text(in: body)
        subject = try members[2].requiredString("sub").text(in: body)
        expiresSeconds = try Self.seconds(members[3], "exp", body)
        issuedSeconds = try Self.seconds(members[4], "iat", body)
        authenticatedSeconds = members[5].isAbsent ? nil : try Self.seconds(members[5], "auth_time", body)
        // Of another type it is as unknown as any other word.
        tier = members[6].string?.text(in: body)
    }

    /// A NumericDate; fractions are cut, towards the stricter side for `exp`.
    private static func seconds(
        _ value: JSONValue, _ field: StaticString, _ body: RawSpan
    ) throws(JSONFailure) -> Int {
        let number = try value.requiredNumber(field, in: body)
        guard number >= 0, number < 1e12 else { throw .schema(field, "is no time") }
        return Int(number)
    }
}

extension Tier {
    /// What a token's claim makes of its bearer: nobody becomes one of us by it.
    init(claimed name: String?) {
        switch name.flatMap({ Tier(name: $0) }) {
        case .starter: self = .starter
        case .premium: self = .premium
        case .enterprise: self = .enterprise
        case .free, .anonymous, .internal, .worker, nil: self = .free
        }
    }
}

extension JSONString {
    /// A copy of the text, escapes resolved.
    func text(in body: RawSpan) -> String {
        guard hasEscapes else { return body.slice(range).string }
        var out = ByteBuffer(capacity: Int(range.count))
        out.append(self, from: body)
        return out.bytes.string
    }
}
