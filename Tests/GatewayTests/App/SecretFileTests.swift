// Secrets mounted as files: NAME_FILE.
import Foundation
import Reactor
import Testing

@testable import Gateway

@Suite struct SecretFileTests {
    private let folder: URL

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "gateway-secrets-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    private func file(_ name: String, _ text: String) throws -> String {
        let path = folder.appending(path: name)
        try text.write(to: path, atomically: true, encoding: .utf8)
        return path.path
    }

    @Test func `a secret comes from its file, one a line or comma-separated`() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = try file("tokens", "first-token-0123456\nsecond-token@w-*, third-token-0123456\n")
        let loaded = GatewayConfigurationTests.load(["GATEWAY_WORKER_TOKENS_FILE": path])
        #expect(loaded.problems == [])
        #expect(
            loaded.configuration.workerTokens.map(\.token) == [
                "first-token-0123456", "second-token", "third-token-0123456",
            ])
        #expect(loaded.configuration.sources["GATEWAY_WORKER_TOKENS"] == path)
    }

    @Test func `a bad token is named by its place, never by its text`() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = try file("tokens", "b d\u{7}")
        let problems = GatewayConfigurationTests.load(["GATEWAY_OPS_TOKENS_FILE": path]).problems
        #expect(problems.count == 1)
        #expect(problems[0].contains("token 1 is empty, too long or holds a character outside visible ASCII"))
        #expect(problems[0].contains(path))
        #expect(!problems[0].contains("b d"))
    }

    @Test func `a missing, empty or too large file is a problem that names it`() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let missing = GatewayConfigurationTests.load(["GATEWAY_SERVICE_TOKEN_FILE": "/no/such"]).problems
        #expect(missing.count == 1)
        #expect(missing[0].hasPrefix("GATEWAY_SERVICE_TOKEN_FILE=\"/no/such\": No such file or directory; allowed is"))
        let empty = try file("empty", " \n")
        #expect(
            GatewayConfigurationTests.load(["GATEWAY_SERVICE_TOKEN_FILE": empty]).problems
                == ["GATEWAY_SERVICE_TOKEN_FILE=\"\(empty)\": the file is empty"])
        let large = try file("large", String(repeating: "x", count: GatewayConfiguration.fileBytesMax + 1))
        let problems = GatewayConfigurationTests.load(["GATEWAY_SERVICE_TOKEN_FILE": large]).problems
        #expect(problems.count == 1)
        #expect(problems[0].contains("File too large"))
    }

    @Test func `a variable and its file variant in one layer are a problem`() throws {
        let loaded = GatewayConfigurationTests.load([
            "GATEWAY_WORKER_TOKENS": "0123456789abcdef", "GATEWAY_WORKER_TOKENS_FILE": "/etc/passwd",
        ])
        #expect(
            loaded.problems.first
                == "GATEWAY_WORKER_TOKENS and GATEWAY_WORKER_TOKENS_FILE are both set: one of them is allowed")
    }

    @Test func `the stronger layer decides between a variable and its file variant`() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = try file("tokens", "from-file-0123456789")
        let plain = SettingLayer(name: "a", values: ["GATEWAY_WORKER_TOKENS": "plain-0123456789"])
        let filed = SettingLayer(name: "b", values: ["GATEWAY_WORKER_TOKENS_FILE": path])
        let first = GatewayConfiguration.load(layers: [plain, filed])
        #expect(first.problems == [])
        #expect(first.configuration.workerTokens.map(\.token) == ["plain-0123456789"])
        let second = GatewayConfiguration.load(layers: [filed, plain])
        #expect(second.problems == [])
        #expect(second.configuration.workerTokens.map(\.token) == ["from-file-0123456789"])
    }

    @Test func `a URL with a password may come from a file`() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = try file("redis", "redis://:pw@cache:6380/2\n")
        let redis = GatewayConfigurationTests.load(["GATEWAY_REDIS_URL_FILE": path]).configuration.redis
        #expect(redis.address == .tcp(host: "cache", port: 6380))
        #expect(redis.password == "pw")
        #expect(redis.database == 2)
    }
}
