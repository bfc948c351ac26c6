// The RSA keys of a published JWK set, each by its name, and the check of a signature by one of them.
// Immutable once made; shared by all reactors. Limits: `keysMax` keys; what is no RSA key for signatures is passed over,
// one of less than 2048 bits too. Source: RFC 7517, RFC 7518 section 3.3; jwt-kit does the mathematics.

import FoundationEssentials
import JWTKit
import Reactor

struct KeySet: Sendable {
    static let keysMax = 64

    private let keys: [String: any JWTAlgorithm]

    var count: Int { keys.count }
    var names: Set<String> { Set(keys.keys) }

    /// Reads the body of an answer.
    /// - Throws: where it is no key set, or holds no key that is of use.
    init(_ body: [UInt8]) async throws(BadKeySet) {
        let published: [PublishedKey]
        do throws(JSONFailure) {
            published = try PublishedKey.all(in: body)
        } catch {
            throw BadKeySet(reason: "no JWK set: \(error.message)")
        }
        let collection = JWTKeyCollection()
        var keys: [String: any JWTAlgorithm] = [:]
        for key in published.prefix(Self.keysMax) {
            // `try?`: one bad key does not make the others useless.
            guard let rsa = try? Insecure.RSA.PublicKey(modulus: key.modulus, exponent: key.exponent) else { continue }
            let name = JWKIdentifier(string: key.name)
            await collection.add(rsa: rsa, digestAlgorithm: .sha256, kid: name)
            // `try?`: it was added on the line above.
            keys[key.name] = try? await collection.getKey(for: name, alg: "RS256")
        }
        guard !keys.isEmpty else { throw BadKeySet(reason: "no RSA key for signatures in the set") }
        self.keys = keys
    }

    func holds(_ name: String) -> Bool { keys[name] != nil }

    /// Whether the key that the token names has signed it.
    func hasSigned(_ token: IDToken) -> Bool {
        guard let key = keys[token.keyID] else { return false }
        // `try?`: a signature that cannot even be read is none.
        return (try? key.verify(token.signature, signs: token.signed)) ?? false
    }
}

struct BadKeySet: Error, Equatable {
    var reason: String
}

/// One entry of a JWK set that may check signatures by RS256.
private struct PublishedKey {
    var name: String
    var modulus: String
    var exponent: String

    static func all(in body: [UInt8]) throws(JSONFailure) -> [PublishedKey] {
        let bytes = body.rawBytes
        var keys: [PublishedKey] = []
        var reader = JSONReader(bytes)
        var more = try reader.openObject()
        while more {
            let key = try reader.key()
            if reader.key(key, is: "keys") {
                var next = try reader.openArray()
                while next {
                    let entry = try reader.value()
                    if let key = try read(entry, bytes) { keys.append(key) }
                    next = try reader.moreElements()
                }
            } else {
                _ = try reader.value()
            }
            more = try reader.moreMembers()
        }
        try reader.end()
        return keys
    }

    private static func read(_ entry: JSONValue, _ bytes: RawSpan) throws(JSONFailure) -> PublishedKey? {
        guard entry.kind == .object else { return nil }
        let entryBytes = bytes.slice(entry.range)
        let members = try JSONMembers<6>(entryBytes, ["kid", "kty", "alg", "use", "n", "e"])
        guard let name = members[0].string, let modulus = members[4].string, let exponent = members[5].string,
            members[1].string?.equals("RSA", in: entryBytes) == true,
            members[2].string?.equals("RS256", in: entryBytes) ?? true,
            members[3].string?.equals("sig", in: entryBytes) ?? true
        else { return nil }
        return PublishedKey(
            name: name.text(in: entryBytes), modulus: modulus.text(in: entryBytes),
            exponent: exponent.text(in: entryBytes))
    }
}
