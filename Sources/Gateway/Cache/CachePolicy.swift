// What of an upstream's answer may be kept, for how long, and told apart by what. Pure; time and chance are passed in.
// Source: the HTTP contract, section 3; RFC 9111 sections 3, 4.2 and 5.2 where it is silent. Directives of requests are
// advice (section 5.2.1) that is not taken: clients cannot have the cache reload.

import Reactor

/// The fields of an answer that caching goes by.
struct CacheFields: Equatable, Sendable {
    /// All lines of `Cache-Control`, joined by commas; nil where there is none.
    var cacheControl: String?
    var vary: String?
    var age: String?
    var expires: String?
    var date: String?
    var hasCookie = false
}

/// How an answer is kept.
struct CacheTerms: Equatable, Sendable {
    /// Told to clients as `max-age`.
    var lifetimeSeconds: Int
    /// Served as fresh for so long from now: the lifetime, less its age, less some chance.
    var freshMs: Int
    /// Served as stale for so long after that.
    var staleMs: Int
    /// How old it came.
    var ageSeconds: Int
    /// Names in lower case, in order.
    var vary: [String]
}

enum CachePolicy {
    /// An entry expires up to this share of its time early, so that what was stored together is not fetched together.
    static let jitter = 0.1
    static let staleMsMin = 60_000
    /// Fields of `Vary` that mean nothing here: the tier is in the key, and the others do not go upstream.
    private static let ignoredNames: Set<String> = ["origin", "x-user-tier"]

    /// - Parameters:
    ///   - routeMs: the longest time, of the route.
    ///   - chance: from 0 to 1.
    /// - Returns: nil where it must not be kept.
    static func terms(status: Int, _ fields: CacheFields, routeMs: Int, chance: Double) -> CacheTerms? {
        guard status == 200, routeMs > 0, !fields.hasCookie else { return nil }
        guard let vary = names(fields.vary) else { return nil }
        let control = CacheControl(fields.cacheControl ?? "")
        if control.has("no-store") || control.has("private") || control.has("no-cache") { return nil }
        let age = max(0, Int(fields.age ?? "") ?? 0)
        var lifetimeMs = routeMs
        if let sent = sentSeconds(control, fields) {
            let seconds = min(max(0, sent), PublicRoute.cacheMsMax / 1000)
            lifetimeMs = min(routeMs, (seconds - min(seconds, age)) * 1000)
        }
        guard lifetimeMs > 0 else { return nil }
        let isStrict = control.has("must-revalidate") || control.has("proxy-revalidate")
        return CacheTerms(
            lifetimeSeconds: lifetimeMs / 1000 + age, freshMs: max(1, Int(Double(lifetimeMs) * (1 - jitter * chance))),
            staleMs: isStrict ? 0 : max(lifetimeMs, staleMsMin), ageSeconds: age, vary: vary)
    }

    /// The lifetime that the upstream names; one that cannot be read is none at all (RFC 9111 sections 4.2.1 and 5.3).
    private static func sentSeconds(_ control: CacheControl, _ fields: CacheFields) -> Int? {
        if let sent = control["s-maxage"] ?? control["max-age"] { return Int(sent) ?? 0 }
        guard let expires = fields.expires else { return nil }
        guard let end = HTTPDateReader.seconds(expires), let date = fields.date.flatMap(HTTPDateReader.seconds) else {
            return 0
        }
        return end - date
    }

    /// What `Vary` names; nil for what cannot be told apart: `*`, or fields other than `Accept*`.
    private static func names(_ vary: String?) -> [String]? {
        var names: [String] = []
        for item in (vary ?? "").split(separator: ",") {
            let name = trimmed(item).lowercased()
            if name.isEmpty || ignoredNames.contains(name) { continue }
            guard name.hasPrefix("accept") else { return nil }
            if !names.contains(name) { names.append(name) }
        }
        return names.sorted()
    }
}

/// The directives of a `Cache-Control` field. Source: RFC 9111 section 5.2.
struct CacheControl: Equatable, Sendable {
    private var directives: [String: String] = [:]

    init(_ text: String) {
        var (name, value) = ("", "")
        var (isValue, isQuoted) = (false, false)
        for character in text + "," {
            if character == "\"" {
                isQuoted.toggle()
            } else if character == ",", !isQuoted {
                name = trimmed(name).lowercased()
                // Of a directive sent twice the first counts.
                if !name.isEmpty, directives[name] == nil { directives[name] = trimmed(value) }
                (name, value, isValue) = ("", "", false)
            } else if character == "=", !isValue {
                isValue = true
            } else if isValue {
                value.append(character)
            } else {
                name.append(character)
            }
        }
    }

    func has(_ name: String) -> Bool { directives[name] != nil }

    /// The argument of a directive; empty where it has none, nil where it is not there.
    subscript(name: String) -> String? { directives[name] }
}

/// Reads the one form of dates that may be written: `Sun, 06 Nov 1994 08:49:37 GMT`. Source: RFC 9110 section 5.6.7.
enum HTTPDateReader {
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// Seconds since the Unix epoch.
    static func seconds(_ text: String) -> Int? {
        let parts = text.split(separator: " ")
        guard parts.count == 6, parts[5] == "GMT", let month = months.firstIndex(of: String(parts[2])) else {
            return nil
        }
        let number = month < 9 ? "0\(month + 1)" : "\(month + 1)"
        let rfc3339 = Array("\(parts[3])-\(number)-\(parts[1])T\(parts[4])Z".utf8)
        return Timestamp(rfc3339.rawBytes).map { Int($0.microsSinceEpoch / 1_000_000) }
    }
}
