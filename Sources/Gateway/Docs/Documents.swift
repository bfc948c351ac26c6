// What the gateway serves of itself: the contract (OpenAPI 3.1) and the page that shows it. Made once at start of what is
// embedded in the binary, immutable, read by all reactors. Source: the HTTP contract, section 4.

import Reactor

/// One document as it is answered.
struct Document: Sendable {
    let body: [UInt8]
    /// With its quotes; of the body.
    let etag: [UInt8]
    /// Header lines: what it is, and how it may be kept.
    let lines: String

    init(_ body: [UInt8], type: String, lines: String = "") {
        self.body = body
        let tag = "\"\(SHA256Digest.of(body.rawBytes).hex.prefix(32))\""
        etag = Array(tag.utf8)
        // Kept, and asked for anew each time: the next version of the gateway shows the next contract.
        self.lines = "ETag: \(tag)\r\nCache-Control: no-cache\r\nX-Content-Type-Options: nosniff\r\n\(lines)"
        typeLine = "Content-Type: \(type)\r\n"
    }

    let typeLine: String
}

struct Documents: Sendable {
    let contractYAML: Document
    let contractJSON: Document
    let page: Document
    let style: Document
    let script: Document

    /// Nothing of the page comes from elsewhere, and nothing of it stands in the page itself.
    static let pagePolicy =
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

    init() {
        let yaml = PackageResources.openapi_yaml
        contractYAML = Document(yaml, type: "application/yaml")
        contractJSON = Document(Self.json(yaml), type: "application/json")
        page = Document(
            PackageResources.docs_html, type: "text/html; charset=utf-8",
            lines: "Content-Security-Policy: \(Self.pagePolicy)\r\nReferrer-Policy: no-referrer\r\n")
        style = Document(PackageResources.docs_css, type: "text/css; charset=utf-8")
        script = Document(PackageResources.docs_js, type: "text/javascript; charset=utf-8")
    }

    /// The contract as JSON. A contract that is no YAML is a bug of the build, and traps.
    private static func json(_ yaml: [UInt8]) -> [UInt8] {
        do throws(BadYAML) {
            guard let root = try composeYAML(String(decoding: yaml, as: UTF8.self)) else {
                preconditionFailure("openapi.yaml is empty")
            }
            var out = ByteBuffer(capacity: 2 * yaml.count)
            var json = JSONWriter()
            json.value(root, &out)
            return out.bytes.array
        } catch {
            preconditionFailure("openapi.yaml is \(error.reason)")
        }
    }

    /// The document that an operation serves; nil for all others.
    subscript(_ operation: Operation) -> Document? {
        switch operation {
        case .contractYAML: contractYAML
        case .contractJSON: contractJSON
        case .docsPage: page
        case .docsStyle: style
        case .docsScript: script
        default: nil
        }
    }
}

extension OpsHandlers {
    func document(_ document: Document, _ request: borrowing Request) {
        let isUnchanged = ETagList.contains(document.etag, in: request.header(.ifNoneMatch)?.array ?? [])
        server.respond(
            request.exchange, status: isUnchanged ? 304 : 200, type: .none,
            headers: { out in
                if !isUnchanged { out.append(document.typeLine) }
                out.append(document.lines)
            }, body: { if !isUnchanged { $0.append(document.body.rawBytes) } })
    }
}
