// Addresses as operators write them.
import Reactor
import Testing

@testable import Gateway

@Suite struct EndpointsTests {
    @Test func `a redis URL has its parts and their defaults`() throws {
        let plain = try RedisEndpoint("redis://cache")
        #expect(plain == RedisEndpoint(.tcp(host: "cache", port: 6379)))
        let full = try RedisEndpoint("REDISS://us%40er:p%2Fw%3A@[2001:db8::1]:7000/12")
        #expect(full.address == .tcp(host: "2001:db8::1", port: 7000))
        #expect(full.usesTLS)
        #expect(full.user == "us@er")
        #expect(full.password == "p/w:")
        #expect(full.database == 12)
        #expect(try RedisEndpoint("redis://:pw@h").user == nil)
        #expect(try RedisEndpoint("redis://h/").database == 0)
    }

    @Test func `a unix URL is a path with a database and a password`() throws {
        let unix = try RedisEndpoint("unix:///run/redis%20x.sock?db=4&password=p%26w&username=u")
        #expect(unix.address == .unix(path: "/run/redis x.sock"))
        #expect(unix.database == 4)
        #expect(unix.password == "p&w")
        #expect(unix.user == "u")
        #expect(unix.shown == "unix://u:***@/run/redis x.sock?db=4")
        #expect(try RedisEndpoint("unix://u:p@/run/r.sock").password == "p")
    }

    @Test(arguments: [
        ("redis://", "no host"), ("redis://h:x", "bad host or port"), ("redis://h:70000", "bad host or port"),
        ("redis://h/one", "the database must be a number from 0 to 65535"), ("redis://h/-1", "the database must be"),
        ("unix://relative.sock", "the socket path must be absolute"), ("unix:///", "the socket path must be absolute"),
        ("redis://h?timeout=3", "unknown parameter \"timeout\""), ("redis://h#f", "a fragment"),
        ("h:6379", "has no ://"),
        ("redis://h%zz", "two hex digits"), ("redis://h%", "two hex digits"), ("redis://h%ff", "not UTF-8"),
        ("redis://h%00", "not UTF-8"), ("redis://ü", "must percent-encode"), ("redis://[::1", "bad host or port"),
        ("redis://[::1]x", "bad host or port"), ("redis://[h]:1", "bad host or port"),
    ])
    func `a wrong redis URL says why`(_ text: String, _ reason: String) throws {
        let error = #expect(throws: BadSetting.self) { try RedisEndpoint(text) }
        #expect(error?.reason.contains(reason) == true)
    }

    @Test func `an overlong URL is refused`() {
        let error = #expect(throws: BadSetting.self) {
            try RedisEndpoint("redis://" + String(repeating: "h", count: 5000))
        }
        #expect(error?.reason == "longer than 4096 bytes")
    }

    @Test func `an http URL is a service with a path prefix`() throws {
        #expect(try HTTPEndpoint("http://h") == HTTPEndpoint(isSecure: false, host: "h", port: 80, path: ""))
        #expect(
            try HTTPEndpoint("https://h:8443/a/b//")
                == HTTPEndpoint(isSecure: true, host: "h", port: 8443, path: "/a/b"))
        #expect(try HTTPEndpoint("https://h/").shown == "https://h")
        #expect(try HTTPEndpoint("http://[::1]:81/x").shown == "http://[::1]:81/x")
        #expect(throws: BadSetting("a query has no place here")) { try HTTPEndpoint("http://h?x=1") }
    }

    @Test func `a SOCKS5 proxy needs a port and takes a user`() throws {
        #expect(try SOCKSEndpoint("socks5h://u:p@h:1") == SOCKSEndpoint(host: "h", port: 1, user: "u", password: "p"))
        #expect(try SOCKSEndpoint("socks5://u@h:1").shown == "socks5://u@h:1")
        #expect(throws: BadSetting("a path or query has no place here")) { try SOCKSEndpoint("socks5://h:1/x") }
        #expect(throws: BadSetting("needs host:port")) { try SOCKSEndpoint("socks5://h:0") }
        #expect(throws: BadSetting("unknown scheme")) { try SOCKSEndpoint("http://h:1") }
    }

    @Test func `raw files go to a folder or a bucket`() throws {
        #expect(try RawStorage("file:///var/a%20b") == .file(path: "/var/a b"))
        #expect(try RawStorage("s3://b") == .s3(bucket: "b", prefix: ""))
        #expect(try RawStorage("s3://b/p/q") == .s3(bucket: "b", prefix: "p/q"))
        #expect(throws: BadSetting("needs s3://bucket")) { try RawStorage("s3:///p") }
        #expect(throws: BadSetting("unknown scheme")) { try RawStorage("gs://b") }
    }

    @Test func `listeners are a surface and an address each`() throws {
        let list = try ListenerSetting.list(
            "public=0.0.0.0:8080, parcel=[::]:8081 ,party=h:8082+plain,ops=unix:///run/o.sock")
        #expect(
            list == [
                ListenerSetting(surfaces: .public, address: .tcp(host: "0.0.0.0", port: 8080), isPlain: false),
                ListenerSetting(surfaces: .parcel, address: .tcp(host: "::", port: 8081), isPlain: false),
                ListenerSetting(surfaces: .party, address: .tcp(host: "h", port: 8082), isPlain: true),
                ListenerSetting(surfaces: .ops, address: .unix(path: "/run/o.sock"), isPlain: false),
            ])
    }

    @Test func `surfaces at one address share a listener`() throws {
        let list = try ListenerSetting.list("parcel=h:1,party=h:1,ops=h:1,public=h:2")
        #expect(list.map(\.surfaces) == [[.worker, .ops], .public])
        #expect(list[0].shown == "worker=h:1,ops=h:1")
        #expect(try ListenerSetting.list("all=h:1")[0].shown == "all=h:1")
    }

    @Test(arguments: [
        ("8080", "\"8080\" has no surface= in front"), ("x=h:1", "\"x\" is no surface"),
        ("ops=h", "\"h\" is neither host:port nor an absolute socket path"), ("ops=:1", "\":1\" is neither"),
        ("ops=h:1+tls", "\"h:1+tls\" is neither"), ("ops=::1:80", "is neither"),
    ])
    func `a wrong listener says which and why`(_ text: String, _ reason: String) {
        let error = #expect(throws: BadSetting.self) { try ListenerSetting.list(text) }
        #expect(error?.reason.contains(reason) == true)
    }

    @Test(arguments: [
        ("redis://u:p@h/0", "redis://u:***@h/0"), ("redis://:p@h", "redis://:***@h"), ("redis://h/0", "redis://h/0"),
        ("postgres://u:p/w@x@h/d", "postgres://u:***@h/d"), ("redis:/u:p@h", "***@h"), ("u:p@h", "***@h"),
        ("postgres://h/d?user=u&password=p&x=1", "postgres://h/d?user=u&password=***&x=1"),
        ("postgres://u@h/d?sslPassword=p", "postgres://u@h/d?sslPassword=***"), ("plain", "plain"), ("@", "@"),
    ])
    func `passwords in URLs are masked`(_ text: String, _ masked: String) {
        #expect(maskURLPasswords(text) == masked)
    }
}
