// Firebase as the tests need it: RSA keys made at run time, ID tokens signed with them by jwt-kit, and a server of the
// public halves. Any thread may use it.

import Foundation
import JWTKit
import TestSupport

/// A key with a name, and the tokens it signs.
struct TokenMint: Sendable {
    static let project = "taxlien-tests"

    let keyID: String
    /// Its entry of a JWK set.
    let published: String
    private let signer: any JWTAlgorithm

    init(_ keyID: String) async throws {
        let made = try ChildProcess.run("/usr/bin/openssl", ["genrsa", "2048"], deadlineSeconds: 60)
        guard made.isSuccess else { throw TestFailure("openssl: \(made.errors)") }
        let key = try Insecure.RSA.PrivateKey(pem: made.output)
        let numbers = try key.publicKey.getKeyPrimitives()
        let (modulus, exponent) = (Self.encode(numbers.modulus), Self.encode(numbers.publicExponent))
        published = """
            {"kid":"\(keyID)","kty":"RSA","alg":"RS256","use":"sig","n":"\(modulus)","e":"\(exponent)"}
            """
        let collection = JWTKeyCollection()
        let name = JWKIdentifier(string: keyID)
        await collection.add(rsa: key, digestAlgorithm: .sha256, kid: name)
        signer = try await collection.getKey(for: name, alg: "RS256")
        self.keyID = keyID
    }

    /// The body of an answer with these keys.
    static func set(_ mints: [TokenMint]) -> String { "{\"keys\":[\(mints.map(\.published).joined(separator: ","))]}" }

    /// Claims of a token that is good now; those given replace them, nil takes one out.
    static func claims(_ changes: [String: Any?] = [:], nowSeconds: Double = wallSeconds()) -> [String: Any] {
        let now = Int(nowSeconds)
        var claims: [String: Any] = [
            "iss": "https://securetoken.google.com/\(project)", "aud": project, "sub": "user-1", "iat": now - 10,
            "auth_time": now - 100, "exp": now + 3600,
        ]
        for (name, value) in changes { claims[name] = value }
        return claims
    }

    func token(_ changes: [String: Any?] = [:], header: [String: Any] = [:]) throws -> String {
        let header: [String: Any] = ["alg": "RS256", "kid": keyID, "typ": "JWT"].merging(header) { $1 }
        let signed = try Self.part(header) + "." + Self.part(Self.claims(changes))
        return try signed + "." + Self.encode(Data(signer.sign(Array(signed.utf8))))
    }

    /// A token that another has signed, or nobody.
    static func part(_ object: [String: Any]) throws -> String {
        encode(try JSONSerialization.data(withJSONObject: object, options: .sortedKeys))
    }

    static func encode(_ data: Data) -> String {
        data.base64EncodedString().replacingOccurrences(of: "+", with: "-").replacingOccurrences(of: "/", with: "_")
            .replacingOccurrences(of: "=", with: "")
    }
}
