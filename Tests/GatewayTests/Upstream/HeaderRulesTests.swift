// Which header lines pass, in each direction.

import Reactor
import Testing

@testable import Gateway

@Suite struct HeaderRulesTests {
    private func passesUpstream(_ name: String, isCached: Bool = false) -> Bool {
        let bytes = Array(name.utf8)
        return HeaderRules.passesUpstream(bytes.rawBytes, isCached: isCached)
    }

    private func passesDownstream(_ name: String) -> Bool {
        let bytes = Array(name.utf8)
        return HeaderRules.passesDownstream(bytes.rawBytes)
    }

    @Test(arguments: [
        "Authorization", "X-SSR-Token", "x-api-key", "X-Worker-Token", "X-Ops-Token", "Cookie", "X-User-ID",
        "x-user-tier",
        "X-User-Anything", "X-Service-Token", "X-Forwarded-For", "X-Forwarded-Port", "Forwarded", "traceparent",
        "Transfer-Encoding", "TE", "Upgrade", "Keep-Alive", "Proxy-Connection", "Host", "Content-Length", "X_User_Id",
        "X-Request-ID", "Origin", "Expect",
    ])
    func `credentials, forged copies and hop-by-hop lines end here`(_ name: String) {
        #expect(!passesUpstream(name))
    }

    @Test(arguments: [
        "Accept", "Accept-Language", "Content-Type", "Content-Encoding", "User-Agent", "X-Anything", "X-Users",
    ])
    func `the rest passes`(_ name: String) {
        #expect(passesUpstream(name) && passesUpstream(name, isCached: true))
    }

    @Test(arguments: ["If-None-Match", "If-Modified-Since", "If-Range", "Range", "Cache-Control", "Pragma"])
    func `what makes an answer partial or conditional passes where it is not kept`(_ name: String) {
        #expect(passesUpstream(name) && !passesUpstream(name, isCached: true))
    }

    @Test func `of an answer the hop's lines and the gateway's own end here`() {
        for name in [
            "Connection", "Transfer-Encoding", "Content-Length", "Date", "X-Cache", "RateLimit-Policy",
            "x-ratelimit-limit",
            "Access-Control-Allow-Origin", "Age", "X-Request-ID",
        ] {
            #expect(!passesDownstream(name), "\(name)")
        }
        for name in ["Content-Type", "ETag", "Vary", "Location", "Link", "Last-Modified", "Set-Cookie", "Retry-After"] {
            #expect(passesDownstream(name), "\(name)")
        }
    }

    @Test func `a Connection line names fields in any case`() {
        let value = Array("close, X-Private ,,x-other".utf8)
        func lists(_ name: String) -> Bool {
            let bytes = Array(name.utf8)
            return HeaderRules.lists(value.rawBytes, bytes.rawBytes)
        }
        #expect(lists("x-private") && lists("X-OTHER") && lists("Close"))
        #expect(!lists("x-priv") && !lists(""))
    }
}
