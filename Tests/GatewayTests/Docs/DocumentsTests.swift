// The contract and its page over HTTP: listeners, tags, and a page that brings all it needs and runs nothing else.

import Foundation
import TestSupport
import Testing

@testable import Gateway

@Suite struct DocumentsTests {
    private static let paths: [(path: String, type: String)] = [
        ("/openapi.yaml", "application/yaml"), ("/openapi.json", "application/json"),
        ("/docs", "text/html; charset=utf-8"), ("/docs/docs.css", "text/css; charset=utf-8"),
        ("/docs/docs.js", "text/javascript; charset=utf-8"),
    ]

    @Test(arguments: paths)
    func `each document is served with its type and a tag by which it is not sent again`(path: String, type: String)
        throws
    {
        let http = try RawHTTP(port: Live.shared.port, timeoutSeconds: 30)
        let whole = try http.exchange("GET", path)
        #expect(whole.status == 200)
        #expect(whole.header("Content-Type") == type)
        #expect(whole.header("X-Content-Type-Options") == "nosniff")
        #expect(whole.body.count > 500)
        let tag = try #require(whole.header("ETag"))
        for named in [tag, "W/\(tag)", "\"other\", \(tag)", "*"] {
            let again = try http.exchange("GET", path, headers: [("If-None-Match", named)])
            #expect(again.status == 304)
            #expect(again.body.isEmpty)
            #expect(again.header("ETag") == tag)
        }
        #expect(try http.exchange("GET", path, headers: [("If-None-Match", "\"other\"")]).body == whole.body)
        let head = try http.exchange("HEAD", path)
        #expect(head.header("Content-Length") == "\(whole.body.count)")
        #expect(head.body.isEmpty)
        try http.expectKept()
    }

    @Test func `the contract as YAML is the file of the checkout, as JSON it says the same version`() throws {
        let http = try RawHTTP(port: Live.shared.port, timeoutSeconds: 30)
        let file = "\(Checkout.root)/Sources/Gateway/Docs/Assets/openapi.yaml"
        #expect(try http.exchange("GET", "/openapi.yaml").bodyText == String(contentsOfFile: file, encoding: .utf8))
        #expect(try http.exchange("GET", "/openapi.json").jsonObject()["openapi"] as? String == "3.1.0")
    }

    @Test func `documents are on listeners of ops and on no others`() throws {
        let (port, ops) = (try FreePort.next(), try FreePort.next())
        let live = try Live.withListeners(
            port: port, "worker=127.0.0.1:\(port),public=127.0.0.1:\(port),ops=127.0.0.1:\(ops)")
        for (path, _) in Self.paths {
            try expectProblem(live.gateway.exchange("GET", path), 404, "NOT_FOUND")
            #expect(try RawHTTP.exchange(port: ops, "GET", path, timeoutSeconds: 30).status == 200)
        }
    }

    @Test func `the page allows no script or style but its own, and names nothing of other hosts`() throws {
        let http = try RawHTTP(port: Live.shared.port, timeoutSeconds: 30)
        let page = try http.exchange("GET", "/docs")
        let policy = try #require(page.header("Content-Security-Policy"))
        #expect(policy.contains("default-src 'none'"))
        #expect(policy.contains("script-src 'self'"))
        #expect(!policy.contains("unsafe"))
        let parts = try ["/docs", "/docs/docs.css", "/docs/docs.js"].map { try http.exchange("GET", $0).bodyText }
        for part in parts {
            // A link of the contract's examples is text and is not fetched.
            #expect(part.replacing("https://example.org", with: "").firstMatch(of: /https?:\/\//) == nil)
        }
        for (attribute, target) in try links(of: page.bodyText)
        where !target.hasPrefix("data:") && !target.hasPrefix("#") {
            #expect(try http.exchange("GET", target).status == 200, "\(attribute) \(target)")
        }
        #expect(page.bodyText.firstMatch(of: /\sstyle=|\son[a-z]+=|<style|javascript:/) == nil)
        #expect(page.bodyText.matches(of: /<script/).count == page.bodyText.matches(of: /<script src=/).count)
        #expect(parts[2].firstMatch(of: /innerHTML|insertAdjacentHTML|document\.write|eval\(/) == nil)
    }

    private func links(of page: String) throws -> [(String, String)] {
        page.matches(of: /(href|src)="([^"]*)"/).map { (String($0.1), String($0.2)) }
    }
}
