// The table of settings, variable by variable: default, a valid text, a refused one and the words of the refusal.
import Reactor
import Testing

@testable import Gateway

/// What one variable must do. `shown` is how check-config prints `valid`.
struct SettingCase: Sendable, CustomTestStringConvertible {
    let name: String
    /// nil: not set by default.
    let standard: String?
    let valid: String
    let shown: String
    let invalid: String
    /// Part of the problem's text, after the value.
    let reason: String

    init(
        _ name: String, _ standard: String?, _ valid: String, as shown: String? = nil, not invalid: String,
        _ reason: String
    ) {
        self.name = "GATEWAY_" + name
        self.standard = standard
        self.valid = valid
        self.shown = shown ?? valid
        self.invalid = invalid
        self.reason = reason
    }

    var testDescription: String { name }
}

private let jwks = "https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com"
/// A file that can be read wherever the tests run.
private let someFile = "/etc/passwd"

let settingCases: [SettingCase] = [
    .init("HOST", "0.0.0.0", "[::1]", as: "::1", not: "a b", "not an address"),
    .init("PORT", "8081", "0", not: "65536", "not a port; allowed is a whole number from 0 to 65535"),
    .init(
        "LISTENERS", nil, "public=0.0.0.0:8080,ops=/run/ops.sock+plain", not: "admin=1.2.3.4:5",
        "\"admin\" is no surface; allowed is a comma-separated list of surface=host:port"),
    .init("UNIX_SOCKET_MODE", "660", "600", not: "1000", "not an octal mode; allowed is an octal number from 0 to 777"),
    .init("REACTORS", nil, "4", not: "0", "out of range; allowed is a whole number from 1 to 256"),
    .init("IO_BACKEND", "auto", "io_uring", not: "kqueue", "not a choice; allowed is one of auto, epoll, io_uring"),
    .init(
        "REDIS_URL", "redis://127.0.0.1:6379/0", "rediss://u:p@[::1]/3", as: "rediss://u:***@[::1]:6379/3",
        not: "http://x", "unknown scheme; allowed is redis://"),
    .init(
        "POSTGRES_URL", "postgres://127.0.0.1:5432/taxlien", "postgresql://u:p@h/d?sslmode=require",
        as: "postgresql://u:***@h/d?sslmode=require", not: "mysql://h/d", "unknown scheme; allowed is postgres://"),
    .init(
        "RAW_STORAGE_URL", "file:///var/lib/taxlien-gateway/raw", "s3://bucket/some/prefix", not: "file://relative",
        "the folder must be absolute"),
    .init(
        "WORKER_TOKENS", nil, "0123456789abcdef,secret@parcel-*", as: "***,***@parcel-*", not: "tok@bad/id",
        "token 1 is bound to something that is no worker id"),
    .init("OPS_TOKENS", nil, "0123456789abcdef@w-1", as: "***@w-1", not: "ok,b d", "token 2 is empty, too long or"),
    .init("SSR_SERVICE_TOKEN", nil, "abc", as: "***", not: "a b", "holds a character outside visible ASCII"),
    .init("SERVICE_TOKEN", nil, "abc", as: "***", not: "a b", "allowed is 1 to 256 visible ASCII characters"),
    .init(
        "INTERNAL_IP_ALLOWLIST", nil, "10.0.0.0/8,2001:db8::/32", not: "10.0.0.1/8",
        "\"10.0.0.1/8\" has bits set past its prefix; the network is 10.0.0.0/8"),
    .init("FIREBASE_PROJECT_ID", nil, "taxlien-42", not: "Tax Lien", "not a project id"),
    .init("FIREBASE_JWKS_URL", jwks, "http://127.0.0.1:9/keys", not: "ftp://x", "unknown scheme"),
    .init("FIREBASE_JWKS_REFETCH_SECONDS", "30", "0.5", not: "0", "allowed is seconds from 0.1 to 3600"),
    .init("CREDENTIAL_CACHE_SECONDS", "300", "12.5", not: "301", "out of range; allowed is seconds from 0 to 300"),
    .init("TRUSTED_PROXIES", nil, "10.0.0.0/8,::1", not: "10.0.0.1/8", "has bits set past its prefix"),
    .init("PROXY_PROTOCOL", nil, "ops,public", as: "public,ops", not: "public,all the rest", "is no surface"),
    .init(
        "PARSER_SERVICE_URL", nil, "http://a:8000,https://b/base/", as: "http://a:8000,https://b/base",
        not: "http://", "no host"),
    .init("ML_SERVICE_URL", nil, "http://ml:8001", not: "http://u:p@ml", "a user or password has no place here"),
    .init(
        "PROXIES", nil, "socks5://u:p@h:9050,socks5://[::1]:9051", as: "socks5://u:***@h:9050,socks5://[::1]:9051",
        not: "socks5://h", "needs host:port"),
    .init("PROXY_SERVICE_URL", nil, "http://tor:8080", not: "tor:8080", "has no ://"),
    .init(
        "CORS_ORIGINS", nil, "https://a.example,http://localhost:3000", not: "https://a.example/",
        "an origin has no path"),
    .init("UPSTREAM_TIMEOUT_SECONDS", "30", "0.25", not: "soon", "not a number of seconds"),
    .init("BREAKER_FAILURES", "5", "7", not: "0", "allowed is a whole number from 1 to 10000"),
    .init("BREAKER_OPEN_SECONDS", "30", "1.005", not: "-1", "out of range"),
    .init("CACHE_BYTES_MAX", "268435456", "0", not: "-1", "out of range; allowed is a whole number of bytes"),
    .init("ROUTES_FILE", nil, someFile, not: "/no/such/file", "No such file or directory"),
    .init("TIERS_FILE", nil, someFile, not: "/etc", "Is a directory; allowed is the path of a readable file"),
    .init("UPSTREAM_CA_FILE", nil, someFile, not: "/no/such/file", "No such file or directory"),
    .init("TLS_CERT_FILE", nil, someFile, not: "/no/such/file", "No such file or directory"),
    .init("TLS_KEY_FILE", nil, someFile, not: "/no/such/file", "No such file or directory"),
    .init("TLS_CLIENT_CA_FILE", nil, someFile, not: "/no/such/file", "No such file or directory"),
    .init("LOG_LEVEL", "info", "DEBUG", as: "debug", not: "loud", "allowed is one of trace, debug, info"),
    .init("LOG_FORMAT", "json", "text", not: "xml", "allowed is one of json, text"),
    .init(
        "ACCESS_LOG", "errors", "sample:100", not: "sample:0", "N is out of range; allowed is all, errors, or sample:N"),
    .init("OTLP_ENDPOINT", nil, "http://collector:4318", not: "collector:4318", "has no ://"),
    .init("OTLP_SAMPLE", "0.01", "0.25", not: "1.5", "out of range; allowed is a number from 0 to 1"),
    .init("LEASE_SECONDS", "300", "0.5", not: "0", "allowed is seconds from 0.001 to 604800, fractions allowed"),
    .init("DELIVERY_SECONDS", "90", "1", not: "inf", "not a number of seconds"),
    .init("TASK_TIMEOUT_SECONDS", "3600", "60", not: "nan", "not a number of seconds"),
    .init("REAPER_INTERVAL_SECONDS", "5", "0.05", not: "0.001", "out of range"),
    .init("MAX_RETRIES", "3", "0", not: "-1", "out of range"),
    .init("RETRY_BASE_SECONDS", "30", "0", not: "x", "not a number of seconds"),
    .init("WORKER_RATE_PER_MINUTE", "1000", "0", not: "1e3", "not a whole number; allowed is a whole number from 0"),
    .init("WORKER_RATE_BURST", "200", "1", not: "0", "out of range"),
    .init("RATE_LIMIT_ON_REDIS_LOSS", "local", "deny", not: "open", "allowed is one of local, deny, allow"),
    .init("BODY_BYTES_MAX", "10485760", "1000", not: "10MB", "allowed is a whole number of bytes from 1"),
    .init("RAW_FILE_BYTES_MAX", "67108864", "1000", not: "0", "out of range"),
    .init("HEADER_BYTES_MAX", "16384", "512", not: "10", "out of range"),
    .init("HEADER_COUNT_MAX", "100", "10", not: "0", "out of range"),
    .init("URI_BYTES_MAX", "8192", "100", not: "1", "out of range"),
    .init("HEADER_TIMEOUT_SECONDS", "10", "0.1", not: "0", "out of range"),
    .init("BODY_RATE_BYTES_MIN", "1024", "0", not: "-1", "out of range"),
    .init("BODY_GRACE_SECONDS", "10", "0", not: "-1", "out of range"),
    .init("IDLE_TIMEOUT_SECONDS", "75", "0.2", not: "0", "out of range"),
    .init("PIPELINE_MAX", "1000", "1", not: "0", "out of range"),
    .init("CONNECTIONS_MAX", "100000", "64", not: "0", "out of range"),
    .init("CONNECTIONS_PER_ADDRESS_MAX", "1000", "2", not: "0", "out of range"),
    .init("DRAIN_SECONDS", "30", "0", not: "-1", "out of range"),
    .init("DRAIN_DELAY_SECONDS", "0", "2.5", not: "-1", "out of range"),
]

@Suite struct GatewayConfigurationTests {
    static func load(_ values: [String: String]) -> LoadedConfiguration {
        GatewayConfiguration.load(layers: [SettingLayer(name: "environment", values: values)])
    }

    /// What a loaded configuration shows for a variable.
    static func shown(_ name: String, _ configuration: GatewayConfiguration) -> String? {
        GatewayConfiguration.settings.first { $0.name == name }?.show(configuration)
    }

    @Test func `every setting of the table has a case here, and names are unique`() {
        let names = GatewayConfiguration.settings.map(\.name)
        #expect(names == settingCases.map(\.name))
        #expect(Set(names).count == names.count)
    }

    @Test(arguments: settingCases)
    func `a variable has its default`(_ setting: SettingCase) {
        #expect(Self.shown(setting.name, GatewayConfiguration()) == setting.standard)
        #expect(Self.shown(setting.name, Self.load([:]).configuration) == setting.standard)
    }

    @Test(arguments: settingCases)
    func `a valid text becomes the value and nothing else changes`(_ setting: SettingCase) throws {
        var values = [setting.name: setting.valid]
        // TLS files only make sense together.
        if setting.name.hasPrefix("GATEWAY_TLS") {
            values["GATEWAY_TLS_CERT_FILE"] = someFile
            values["GATEWAY_TLS_KEY_FILE"] = someFile
        }
        // Nobody's header would be taken.
        if setting.name == "GATEWAY_PROXY_PROTOCOL" { values["GATEWAY_TRUSTED_PROXIES"] = "10.0.0.0/8" }
        let loaded = Self.load(values)
        #expect(loaded.problems == [])
        #expect(Self.shown(setting.name, loaded.configuration) == setting.shown)
        for other in GatewayConfiguration.settings where values[other.name] == nil {
            #expect(other.show(loaded.configuration) == other.show(GatewayConfiguration()))
        }
    }

    @Test(arguments: settingCases)
    func `a refused text is one line with variable, value and what is allowed`(_ setting: SettingCase) throws {
        let loaded = Self.load([setting.name: setting.invalid])
        let problem = try #require(loaded.problems.first { $0.hasPrefix(setting.name + "=") })
        let descriptor = try #require(GatewayConfiguration.settings.first { $0.name == setting.name })
        let value = descriptor.secrecy == .secret ? "***" : setting.invalid
        let isURL = descriptor.secrecy == .password
        #expect(problem.hasPrefix("\(setting.name)=\"\(isURL ? maskURLPasswords(value) : value)\": "))
        #expect(problem.contains(setting.reason))
        #expect(problem.hasSuffix("; allowed is \(descriptor.allowed)"))
        #expect(!problem.contains("\n"))
        #expect(Self.shown(setting.name, loaded.configuration) == setting.standard)
    }

    @Test func `seconds with fractions are milliseconds`() {
        let configuration = Self.load(["GATEWAY_LEASE_SECONDS": "2.5", "GATEWAY_DRAIN_SECONDS": "0.0004"]).configuration
        #expect(configuration.leaseMs == 2500)
        #expect(configuration.drainMs == 0)
        #expect(Setting.secondsText(1050) == "1.05")
        #expect(Setting.secondsText(7) == "0.007")
    }

    @Test func `the environment wins over dot-env, which wins over YAML, which wins over the default`() {
        func port(_ environment: String?, _ dotEnv: String?, _ yaml: String?) -> (Int, String?) {
            let layers = [("environment", environment), (".env", dotEnv), ("g.yaml", yaml)].map { name, value in
                SettingLayer(name: name, values: value.map { ["GATEWAY_PORT": $0] } ?? [:])
            }
            let configuration = GatewayConfiguration.load(layers: layers).configuration
            return (configuration.port, configuration.sources["GATEWAY_PORT"])
        }
        #expect(port("1", "2", "3") == (1, "environment"))
        #expect(port(nil, "2", "3") == (2, ".env"))
        #expect(port(nil, nil, "3") == (3, "g.yaml"))
        #expect(port(nil, nil, nil) == (8081, nil))
        #expect(port("", " ", "3") == (3, "g.yaml"), "an empty text is not set")
    }

    @Test func `a problem names the layer that is not the environment`() {
        let loaded = GatewayConfiguration.load(layers: [
            SettingLayer(name: "environment", values: [:]),
            SettingLayer(name: ".env", values: ["GATEWAY_PORT": "x"]),
        ])
        #expect(loaded.problems == ["GATEWAY_PORT=\"x\" (.env): not a port; allowed is a whole number from 0 to 65535"])
    }

    @Test func `all problems are reported, not the first`() {
        let loaded = Self.load(["GATEWAY_PORT": "x", "GATEWAY_LOG_LEVEL": "x", "GATEWAY_MAX_RETRIES": "x"])
        #expect(loaded.problems.count == 3)
    }

    @Test func `a value of many lines or great length stays one bounded line`() throws {
        let loaded = Self.load(["GATEWAY_HOST": "a b\nc" + String(repeating: "x", count: 5000)])
        let problem = try #require(loaded.problems.first)
        #expect(problem.count < 300)
        #expect(problem.contains("a b\\nc"))
        #expect(!problem.contains("\n"))
    }

    @Test(arguments: [
        ("GATEWAY_REDIS_ULR", "GATEWAY_REDIS_URL"), ("GATEWAY_LEASE_SECOND", "GATEWAY_LEASE_SECONDS"),
        ("GATEWAY_PROT", "GATEWAY_PORT"), ("GATEWAY_WORKER_TOKEN_FILE", "GATEWAY_WORKER_TOKENS_FILE"),
    ])
    func `an unknown name is a warning with the nearest known one`(_ name: String, _ nearest: String) {
        let loaded = Self.load([name: "1", "GATEWAY_OPS_TOKENS": "0123456789abcdef", "OTHER_NAME": "1"])
        #expect(loaded.problems == [])
        #expect(loaded.warnings.first == "\(name) (environment) is no setting; the nearest is \(nearest)")
        #expect(!loaded.warnings.contains { $0.contains("OTHER_NAME") })
    }

    @Test func `the name of the YAML file is a known name`() {
        #expect(!Self.load(["GATEWAY_CONFIG": "x"]).warnings.contains { $0.contains("GATEWAY_CONFIG") })
    }

    @Test func `edits are counted with swaps of neighbours as one`() {
        #expect(editDistance("", "abc") == 3)
        #expect(editDistance("abc", "abc") == 0)
        #expect(editDistance("abc", "acb") == 1)
        #expect(editDistance("kitten", "sitting") == 3)
    }

    @Test func `the port that Kubernetes sets for a Service is explained`() throws {
        let problem = try #require(Self.load(["GATEWAY_PORT": "tcp://10.0.0.1:8081"]).problems.first)
        #expect(problem.contains("enableServiceLinks: false"))
    }

    @Test func `a certificate without its key is refused, and a client authority without a certificate`() {
        let one = Self.load(["GATEWAY_TLS_CERT_FILE": someFile])
        #expect(one.problems.count == 1)
        #expect(one.problems[0].contains("allowed is both or none"))
        let other = Self.load(["GATEWAY_TLS_CLIENT_CA_FILE": someFile])
        #expect(other.problems.count == 1)
        #expect(other.problems[0].contains("it needs one"))
    }

    @Test func `no worker token and a short one are warnings`() {
        #expect(
            Self.load([:]).warnings == ["GATEWAY_WORKER_TOKENS is not set: the worker surface refuses all requests"])
        let short = Self.load(["GATEWAY_WORKER_TOKENS": "0123456789abcdef,short"])
        #expect(short.warnings.count == 1)
        #expect(short.warnings[0].hasPrefix("GATEWAY_WORKER_TOKENS: token 2 has fewer than 16 characters"))
    }

    @Test func `no secret is in the listing, in a print or in a dump`() {
        let configuration = Self.load([
            "GATEWAY_REDIS_URL": "redis://user:hunter2@h/0",
            "GATEWAY_POSTGRES_URL": "postgres://u:hunter2@h/d?password=hunter2",
            "GATEWAY_WORKER_TOKENS": "hunter2@w-*", "GATEWAY_OPS_TOKENS": "hunter2", "GATEWAY_SERVICE_TOKEN": "hunter2",
            "GATEWAY_SSR_SERVICE_TOKEN": "hunter2", "GATEWAY_PROXIES": "socks5://u:hunter2@h:1",
        ]).configuration
        var dumped = ""
        dump([configuration], to: &dumped)
        for text in [configuration.listing(), "\(configuration)", String(reflecting: [configuration]), dumped] {
            #expect(!text.contains("hunter2"))
        }
        #expect(configuration.listing().contains("GATEWAY_WORKER_TOKENS=***@w-*  # environment"))
        #expect(
            configuration.listing().contains("GATEWAY_POSTGRES_URL=postgres://u:***@h/d?password=***  # environment"))
        #expect(configuration.redis.password == "hunter2")
    }

    @Test func `no secret is in a problem, even where the text is malformed`() {
        let loaded = Self.load([
            "GATEWAY_REDIS_URL": "redis:/u:hunter2@h", "GATEWAY_POSTGRES_URL": "http://u:hunter2/x@h",
            "GATEWAY_PROXIES": "socks5://u:hunter2@h:1,socks5://v:hunter2@h", "GATEWAY_SERVICE_TOKEN": "hunter2 x",
        ])
        #expect(loaded.problems.count == 4)
        for problem in loaded.problems { #expect(!problem.contains("hunter2")) }
    }

    @Test func `without listeners there is one for everything`() {
        let one = Self.load(["GATEWAY_PORT": "9", "GATEWAY_HOST": "::1"]).configuration.effectiveListeners
        #expect(one == [ListenerSetting(surfaces: .all, address: .tcp(host: "::1", port: 9), isPlain: false)])
        let two = Self.load(["GATEWAY_LISTENERS": "worker=h:1,ops=h:2"]).configuration.effectiveListeners
        #expect(two.count == 2)
    }

    @Test func `the reference lists every setting with its default and range`() {
        let reference = GatewayConfiguration.reference()
        for setting in GatewayConfiguration.settings { #expect(reference.contains("`\(setting.name)`")) }
        #expect(reference.contains("| `GATEWAY_PORT` | `8081` |"))
        #expect(reference.split(separator: "\n").count == GatewayConfiguration.settings.count + 2)
    }
}
