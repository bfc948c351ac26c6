// Entries of X-Forwarded-For as addresses; the way itself is tested end to end in RateTests.

import Testing

@testable import Gateway

@Suite struct TrustedProxiesTests {
    @Test(arguments: [
        ("203.0.113.1", "203.0.113.1"), (" 203.0.113.1 ", "203.0.113.1"), ("203.0.113.1:80", "203.0.113.1"),
        ("2001:db8::1", "2001:db8::1"), ("[2001:db8::1]:80", "2001:db8::1"), ("[2001:db8::1]", "2001:db8::1"),
        ("::ffff:203.0.113.1", "203.0.113.1"),
    ])
    func `an entry is an address with or without a port`(entry: String, address: String) throws {
        #expect(try #require(TrustedProxies.address(entry[...])) == #require(IPAddress(address)))
    }

    @Test(arguments: ["", "unknown", "_hidden", "1.2.3", "[::1", "a.b:1", "1.2.3.4.5"])
    func `anything else is none`(entry: String) {
        #expect(TrustedProxies.address(entry[...]) == nil)
    }

    @Test func `an anonymous caller is an address of IPv4, or 64 bits of IPv6`() {
        func account(_ text: String) -> String { Caller.anonymous(at: IPAddress(text)).account }
        #expect(account("203.0.113.1") == "address:203.0.113.1")
        #expect(account("2001:db8:1:2::1") == account("2001:db8:1:2:ffff::"))
        #expect(account("2001:db8:1:2::1") != account("2001:db8:1:3::1"))
    }
}
