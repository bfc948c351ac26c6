// A path with parameters in braces, filled with the parameters of another path. Pure; parameters are copied byte for
// byte, as they were percent-encoded. Limits: those of the request that it is filled from.

import Reactor

/// `/api/v1/properties/{parcel_id}`, compiled against the pattern that names its parameters.
struct PathTemplate: Equatable, Sendable {
    enum Piece: Equatable, Sendable {
        case text(String)
        /// By position in the pattern.
        case parameter(Int)
    }

    let pieces: [Piece]
    /// Parameters of the pattern that the template does not use, by position: they go into the query.
    let unused: [(name: String, position: Int)]

    static func == (left: PathTemplate, right: PathTemplate) -> Bool {
        left.pieces == right.pieces && left.unused.map(\.position) == right.unused.map(\.position)
    }

    /// - Parameter parameters: names of the pattern's parameters, in order.
    /// - Throws: what is wrong with it, for the person who wrote it.
    init(_ text: String, parameters: [String]) throws(BadSetting) {
        try Self.check(text)
        var pieces: [Piece] = []
        var used: Set<Int> = []
        for segment in text.split(separator: "/", omittingEmptySubsequences: true) {
            guard let name = Self.parameterName(segment) else {
                pieces.append(.text("/\(segment)"))
                continue
            }
            guard let position = parameters.firstIndex(of: name) else {
                throw BadSetting("{\(name)} is no parameter of match")
            }
            used.insert(position)
            pieces += [.text("/"), .parameter(position)]
        }
        self.pieces = pieces.isEmpty ? [.text("/")] : pieces
        unused = parameters.indices.filter { !used.contains($0) }.map { (parameters[$0], $0) }
    }

    /// Names of the parameters of a pattern, in order.
    static func parameters(of pattern: String) throws(BadSetting) -> [String] {
        try check(pattern)
        var names: [String] = []
        for segment in pattern.split(separator: "/") {
            guard let name = parameterName(segment) else { continue }
            guard !names.contains(name) else { throw BadSetting("{\(name)} stands twice") }
            names.append(name)
        }
        guard names.count <= RouteTrie.parametersMax else {
            throw BadSetting("more than \(RouteTrie.parametersMax) parameters")
        }
        return names
    }

    /// `/a/{b}`: segments of visible ASCII, a parameter alone in its segment.
    private static func check(_ path: String) throws(BadSetting) {
        guard path.hasPrefix("/") else { throw BadSetting("a path begins with /") }
        guard path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#") })
        else { throw BadSetting("a path holds visible ASCII and neither ? nor #") }
        guard !path.contains("//"), path == "/" || !path.hasSuffix("/") else {
            throw BadSetting("a path has no empty segment and no / at its end")
        }
        for segment in path.split(separator: "/") {
            guard segment.contains(where: { $0 == "{" || $0 == "}" }) else { continue }
            guard let name = parameterName(segment), !name.isEmpty,
                name.utf8.allSatisfy({ isWorkerIDByte($0) && $0 != UInt8(ascii: ":") })
            else { throw BadSetting("\"\(segment)\" is no parameter: {name} fills a segment alone") }
        }
    }

    private static func parameterName(_ segment: Substring) -> String? {
        guard segment.hasPrefix("{"), segment.hasSuffix("}") else { return nil }
        return String(segment.dropFirst().dropLast())
    }

    /// Appends the path with its parameters filled in.
    func write(_ path: RawSpan, _ parameters: InlineArray<4, ByteRange>, to out: inout ByteBuffer) {
        for piece in pieces {
            switch piece {
            case .text(let text): out.append(text)
            case .parameter(let position): out.append(path.slice(parameters[position]))
            }
        }
    }

    /// Appends path and query: unused parameters first, then the client's query as it came, but for items of the same
    /// names, which would contradict the path.
    func writeTarget(
        _ path: RawSpan, _ parameters: InlineArray<4, ByteRange>, query: RawSpan, to out: inout ByteBuffer
    ) {
        write(path, parameters, to: &out)
        var separator = UInt8(ascii: "?")
        for (name, position) in unused {
            out.append(separator)
            out.append(name)
            out.append(UInt8(ascii: "="))
            out.append(path.slice(parameters[position]))
            separator = UInt8(ascii: "&")
        }
        if unused.isEmpty {
            if query.byteCount > 0 {
                out.append(separator)
                out.append(query)
            }
            return
        }
        var items = QueryItems(query.range)
        while let item = items.next(in: query) {
            if isUnused(item.name, in: query) { continue }
            out.append(separator)
            out.append(query.extracting(Int(item.name.offset)..<max(item.name.end, item.value.end)))
            separator = UInt8(ascii: "&")
        }
    }

    private func isUnused(_ name: ByteRange, in query: RawSpan) -> Bool {
        var decoded = ByteBuffer(capacity: 64)
        // `try?`: a name with a broken escape is none of ours.
        guard (try? RequestTarget.decode(name, of: query, plusIsSpace: true, into: &decoded)) != nil else {
            return false
        }
        let text = decoded.bytes.string
        return unused.contains { $0.name == text }
    }
}
