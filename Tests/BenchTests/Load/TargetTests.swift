// Where a URL points, and what is wrong with one.

import Testing

@testable import Bench

@Suite struct TargetTests {
    @Test func `a URL's parts are taken as they stand`() throws {
        let plain = try Target("http://example.test")
        #expect((plain.host, plain.port, plain.path, plain.authority) == ("example.test", 80, "/", "example.test"))
        let full = try Target("HTTP://10.0.0.7:8081/a/b?c=d&e#f")
        #expect((full.host, full.port, full.path, full.authority) == ("10.0.0.7", 8081, "/a/b?c=d&e", "10.0.0.7:8081"))
        let query = try Target("http://h:81?x=1")
        #expect(query.path == "/?x=1")
        let six = try Target("http://[::1]:90/x")
        #expect((six.host, six.port, six.authority) == ("::1", 90, "[::1]:90"))
    }

    @Test func `https has a port of its own`() throws {
        let plain = try Target("https://example.test/a")
        #expect(plain.isSecure && (plain.port, plain.authority, plain.path) == (443, "example.test", "/a"))
        let other = try Target("HTTPS://example.test:80/")
        #expect((other.authority, other.root) == ("example.test:80", "https://example.test:80"))
        #expect(try Target("http://example.test:443").root == "http://example.test:443")
    }

    @Test func `what is no such URL is refused with its reason`() {
        let wrong = [
            ("https://", "no host"), ("ftp://h/", "ftp is not http"), ("h:80", "expected http://"),
            ("http://", "no host"), ("http://h:0/", "no port"), ("http://h:99999/", "no port"),
            ("http://h:x/", "no port"), ("http://u:p@h/", "credentials"), ("http://h/a b", "percent-encode"),
        ]
        for (text, reason) in wrong {
            let failure = #expect(throws: BadOption.self, "\(text)") { try Target(text) }
            #expect(failure?.description.contains(reason) == true, "\(text): \(failure as Any)")
        }
    }

    @Test func `another machine is known as such`() throws {
        var target = try Target("http://127.0.0.1:1")
        try target.resolve()
        #expect(target.isLoopback && target.address == "127.0.0.1")
        var other = try Target("http://192.0.2.1")
        try other.resolve()
        #expect(!other.isLoopback)
    }
}
