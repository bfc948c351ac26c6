// An upstream's answer as it goes on: which of its header lines, and its fields by name. Pure.

import Reactor

extension HTTPClientResponse {
    /// The lines that pass, `Name: value CR LF` each.
    /// - Parameter isCached: those that the cache makes anew are left out.
    func passingLines(isCached: Bool) -> [UInt8] {
        var out = ByteBuffer(capacity: 256)
        let head = head
        let bytes = head.rawBytes
        for field in fields {
            let name = bytes.slice(field.name)
            guard HeaderRules.passesDownstream(name), !(isCached && Self.isMadeAnew(name)), !isListed(name) else {
                continue
            }
            out.append(name)
            out.append(": ")
            out.append(bytes.slice(field.value))
            out.append("\r\n")
        }
        return out.bytes.array
    }

    private static func isMadeAnew(_ name: RawSpan) -> Bool {
        for own in ["cache-control", "etag", "expires", "pragma"] as [StaticString]
        where name.equalsIgnoringCase(own) {
            return true
        }
        return false
    }

    /// Whether a `Connection` line makes it hop-by-hop.
    private func isListed(_ name: RawSpan) -> Bool {
        let head = head
        let bytes = head.rawBytes
        for field in fields where bytes.slice(field.name).equalsIgnoringCase("connection") {
            if HeaderRules.lists(bytes.slice(field.value), name) { return true }
        }
        return false
    }

    /// The bytes of the first field of that name.
    func field(_ name: StaticString) -> [UInt8]? {
        let head = head
        let bytes = head.rawBytes
        for field in fields where bytes.slice(field.name).equalsIgnoringCase(name) {
            return bytes.slice(field.value).array
        }
        return nil
    }

    /// All fields of a name as one list; nil where there is none.
    func list(_ name: StaticString) -> String? {
        let head = head
        let bytes = head.rawBytes
        var values: [String] = []
        for field in fields where bytes.slice(field.name).equalsIgnoringCase(name) {
            values.append(bytes.slice(field.value).string)
        }
        return values.isEmpty ? nil : values.joined(separator: ",")
    }
}

extension CacheFields {
    init(_ response: HTTPClientResponse) {
        self.init(
            cacheControl: response.list("cache-control"), vary: response.list("vary"), age: response.header("age"),
            expires: response.header("expires"), date: response.header("date"),
            hasCookie: response.field("set-cookie") != nil)
    }
}
