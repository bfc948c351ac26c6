// Addresses as text and as numbers.
import Testing

@testable import Gateway

@Suite struct IPAddressTests {
    @Test(arguments: [
        ("1.2.3.4", "1.2.3.4"), ("255.255.255.255", "255.255.255.255"), ("::ffff:1.2.3.4", "1.2.3.4"),
        ("::ffff:102:304", "1.2.3.4"), ("::", "0:0:0:0:0:0:0:0"), ("::1", "0:0:0:0:0:0:0:1"),
        ("2001:DB8::a:1", "2001:db8:0:0:0:0:a:1"), ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"), ("1::", "1:0:0:0:0:0:0:0"),
        ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"), ("64:ff9b::1.2.3.4", "64:ff9b:0:0:0:0:102:304"),
        ("1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"),
    ])
    func `an address is read in every form`(_ text: String, _ written: String) {
        #expect(IPAddress(text)?.description == written)
    }

    @Test(arguments: [
        "", "1", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.", "01.2.3.4", "1.2.3.+4", "1.2.3.4 ", "a.b.c.d", ":", ":::",
        "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7::8", "::1::", "12345::", "g::", "::1.2.3", "1.2.3.4::",
        "1:1.2.3.4:2::", "fe80::1%eth0", "[::1]", "+1::", "1:2:3:4:5:6:7:1.2.3.4",
    ])
    func `what is no address is refused`(_ text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test func `the value is in network order, IPv4 mapped`() {
        #expect(IPAddress("2001:db8::1") == IPAddress(high: 0x2001_0db8_0000_0000, low: 1))
        #expect(IPAddress("10.0.0.1") == IPAddress(v4: 0x0A00_0001))
        #expect(IPAddress("10.0.0.1") == IPAddress(high: 0, low: 0xFFFF_0A00_0001))
        #expect(IPAddress("10.0.0.1")?.isV4 == true)
        #expect(IPAddress("::1")?.isV4 == false)
    }
}
