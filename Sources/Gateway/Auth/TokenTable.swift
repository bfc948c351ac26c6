// Decides whether a token may be used, and by which worker: the core of worker and ops tokens.
// An immutable value, shared by all reactors, replaced as a whole on SIGHUP; a check allocates nothing.
// Time does not depend on the tokens (SecretTable); it may depend on worker ids, which are no secret.
// Limits: TokenGrant.countMax tokens of TokenGrant.bytesMax bytes. Source: api.md section 2.

import Reactor

enum TokenVerdict: Equatable, Sendable {
    case allowed
    /// No such token: 401.
    case unauthorized
    /// A token, bound to other worker ids: 403.
    case forbidden
}

/// A class: a check reads it where it lies, and a copy would count its references.
final class TokenTable: Sendable {
    /// The worker ids of one grant: a run of bytes in `names`, a prefix of the id or all of it. Plain data.
    private struct Binding {
        var start: Int
        var count: Int
        var isExact: Bool
    }

    private let secrets: SecretTable
    /// The bindings of secret i are bindings[ends[i - 1]..<ends[i]].
    private let ends: [Int]
    private let bindings: [Binding]
    private let names: [UInt8]

    /// A token given twice has the bindings of both.
    init(_ grants: [TokenGrant]) {
        var tokens: [String] = []
        var grantsByToken: [String: [WorkerBinding]] = [:]
        for grant in grants {
            if grantsByToken[grant.token] == nil { tokens.append(grant.token) }
            grantsByToken[grant.token, default: []].append(grant.binding)
        }
        var ends: [Int] = []
        var bindings: [Binding] = []
        var names: [UInt8] = []
        for token in tokens {
            for binding in grantsByToken[token] ?? [] {
                let (name, isExact) =
                    switch binding {
                    case .any: ("", false)
                    case .prefix(let prefix): (prefix, false)
                    case .exactly(let worker): (worker, true)
                    }
                bindings.append(Binding(start: names.count, count: name.utf8.count, isExact: isExact))
                names.append(contentsOf: name.utf8)
            }
            ends.append(bindings.count)
        }
        secrets = SecretTable(tokens.map { Array($0.utf8) })
        self.ends = ends
        self.bindings = bindings
        self.names = names
    }

    /// - Parameters:
    ///   - token: the header's value; empty where there is none.
    ///   - workerID: who asks; empty where nobody is named, which only an unbound token allows.
    func check(_ token: RawSpan, workerID: RawSpan) -> TokenVerdict {
        guard let secret = secrets.index(of: token) else { return .unauthorized }
        for index in (secret == 0 ? 0 : ends[secret - 1])..<ends[secret] {
            if covers(bindings[index], workerID) { return .allowed }
        }
        return .forbidden
    }

    private func covers(_ binding: Binding, _ workerID: RawSpan) -> Bool {
        if binding.isExact ? workerID.byteCount != binding.count : workerID.byteCount < binding.count { return false }
        for offset in 0..<binding.count where names[binding.start + offset] != workerID.byte(at: offset) {
            return false
        }
        return true
    }
}
