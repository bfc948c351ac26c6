// The networks of the worker surface.
import Testing

@testable import Gateway

@Suite struct AddressAllowListTests {
    private func allows(_ list: String, _ address: String) throws -> Bool {
        try AddressAllowList(list).allows(#require(IPAddress(address)))
    }

    @Test func `an empty list allows everybody`() throws {
        #expect(try allows("", "1.2.3.4"))
        #expect(AddressAllowList().allows(IPAddress(value: 0)))
    }

    @Test(arguments: [
        ("10.0.0.0/8", "10.255.255.255", true), ("10.0.0.0/8", "11.0.0.0", false),
        ("10.0.0.0/8", "::ffff:10.1.1.1", true),
        ("10.1.2.3", "10.1.2.3", true), ("10.1.2.3", "10.1.2.4", false), ("10.1.2.3/32", "10.1.2.3", true),
        ("0.0.0.0/0", "8.8.8.8", true), ("0.0.0.0/0", "2001:db8::1", false), ("::/0", "8.8.8.8", true),
        ("2001:db8::/32", "2001:db8:ffff::1", true), ("2001:db8::/32", "2001:db9::", false), ("::1", "::1", true),
        ("192.168.1.128/25", "192.168.1.127", false), ("192.168.1.128/25", "192.168.1.200", true),
        ("::ffff:10.0.0.0/104", "10.9.9.9", true), ("10.0.0.0/8, 2001:db8::/32", "2001:db8::5", true),
    ])
    func `an address is allowed where a network covers it`(_ list: String, _ address: String, _ expected: Bool) throws {
        #expect(try allows(list, address) == expected)
    }

    @Test(arguments: [
        ("10.0.0.0/33", "\"10.0.0.0/33\": the prefix length must be a number from 0 to 32"),
        ("::/129", "\"::/129\": the prefix length must be a number from 0 to 128"),
        ("10.0.0.0/", "\"10.0.0.0/\": the prefix length must be a number from 0 to 32"),
        ("10.0.0.0/-1", "\"10.0.0.0/-1\": the prefix length must be a number from 0 to 32"),
        ("10.0.0.0/8/8", "\"10.0.0.0/8/8\": the prefix length must be a number from 0 to 32"),
        ("example.com", "\"example.com\" is no IPv4 or IPv6 address"), ("/8", "\"\" is no IPv4 or IPv6 address"),
        ("10.1.0.0/8", "\"10.1.0.0/8\" has bits set past its prefix; the network is 10.0.0.0/8"),
        ("2001:db8::1/64", "\"2001:db8::1/64\" has bits set past its prefix; the network is 2001:db8:0:0:0:0:0:0/64"),
    ])
    func `a wrong network says which and why`(_ text: String, _ reason: String) {
        #expect(throws: BadSetting(reason)) { try AddressAllowList("127.0.0.1," + text) }
    }

    @Test func `the number of networks is bounded`() throws {
        let most = Array(repeating: "10.0.0.0/8", count: AddressAllowList.networksMax)
        #expect(try AddressAllowList(most.joined(separator: ",")).networks.count == AddressAllowList.networksMax)
        #expect(throws: BadSetting("more than 256 networks")) {
            try AddressAllowList((most + ["::1"]).joined(separator: ","))
        }
    }
}
