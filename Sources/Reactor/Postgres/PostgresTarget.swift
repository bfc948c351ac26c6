// Where a PostgreSQL is, as libpq's connection string; and which of its hosts need resolving first, because libpq would
// block on them. Plain data, made from configuration at start-up. Source: libpq, section 34.1.1 "Connection Strings".

import CReactor

/// A checked connection string.
public struct PostgresTarget: Sendable {
    private let text: String
    private let applicationName: String
    private let hosts: [String]
    private let hasAddresses: Bool

    /// - Parameter text: `postgres://…` or `key=value …`; sslmode and everything else that libpq knows.
    /// - Throws: `.refused` with libpq's words where it is neither.
    public init(_ text: String, applicationName: String = "taxlien-gateway") throws(PostgresFailure) {
        var complaint: UnsafeMutablePointer<CChar>?
        guard let options = PQconninfoParse(text, &complaint) else {
            let words = complaint.map { String(cString: $0) } ?? "no memory"
            PQfreemem(complaint)
            throw PostgresFailure(.refused, message: words.split(separator: "\n").joined(separator: " "))
        }
        defer { PQconninfoFree(options) }
        var found: [String: String] = [:]
        var option = options
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val { found[String(cString: keyword)] = String(cString: value) }
            option += 1
        }
        self.text = text
        self.applicationName = applicationName
        hosts = (found["host"] ?? "").split(separator: ",", omittingEmptySubsequences: false).map { String($0) }
        hasAddresses = found["hostaddr"] != nil
    }

    /// Host names that are neither addresses nor socket folders.
    var namesToResolve: [String] { hasAddresses ? [] : hosts.filter(Self.isName) }

    private static func isName(_ host: String) -> Bool {
        !host.isEmpty && !host.hasPrefix("/") && !host.hasPrefix("@") && !Resolver.isNumeric(host)
    }

    /// The `hostaddr` for the hosts as given, with `resolved` in place of names; nil where one is unknown.
    func hostAddresses(resolved: [String?]) -> String? {
        var answers = resolved[...]
        var list: [String] = []
        for host in hosts {
            if Self.isName(host) {
                guard let answer = answers.popFirst(), let address = answer else { return nil }
                list.append(address)
            } else {
                list.append(Resolver.isNumeric(host) ? host : "")
            }
        }
        return list.joined(separator: ",")
    }

    /// Begins a session that does not block; nil without memory.
    func startSession(hostAddresses: String?) -> OpaquePointer? {
        withPointers(hostAddresses) { PQconnectStartParams($0, $1, 1) }
    }

    /// Connects, blocking.
    func connectSession() -> OpaquePointer? { withPointers(nil) { PQconnectdbParams($0, $1, 1) } }

    /// What comes before the text is a default that it may change; what comes after it is ours.
    private func withPointers(
        _ hostAddresses: String?,
        _ body: (UnsafePointer<UnsafePointer<CChar>?>, UnsafePointer<UnsafePointer<CChar>?>) -> OpaquePointer?
    ) -> OpaquePointer? {
        var settings = [("gssencmode", "disable"), ("connect_timeout", "10"), ("dbname", text)]
        if let hostAddresses { settings.append(("hostaddr", hostAddresses)) }
        settings += [("fallback_application_name", applicationName), ("client_encoding", "UTF8")]
        let keywords = settings.map { strdup($0.0) }
        let values = settings.map { strdup($0.1) }
        defer { for pointer in keywords + values { free(pointer) } }
        return body(keywords.map { UnsafePointer($0) } + [nil], values.map { UnsafePointer($0) } + [nil])
    }
}
