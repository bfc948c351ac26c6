// The commands, as far as they run without a server.
import ArgumentParser
import Foundation
import Testing

@testable import Gateway

@Suite struct CommandsTests {
    private func options(_ arguments: String...) throws -> ConfigurationOptions {
        try ConfigurationOptions.parse(arguments)
    }

    private func temporary(_ text: String, _ body: (String) throws -> Void) throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "gateway-\(UUID().uuidString)").path
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(atPath: path) }
        try body(path)
    }

    @Test func `a token is 32 random bytes in base64url, new each time`() {
        let tokens = Set((0..<100).map { _ in TokenCommand.make() })
        #expect(tokens.count == 100)
        for token in tokens {
            #expect(token.count == 43)
            #expect(token.utf8.allSatisfy { isWorkerIDByte($0) && $0 != UInt8(ascii: ":") && $0 != UInt8(ascii: ".") })
        }
    }

    @Test func `files named by options are layers below the environment`() throws {
        try temporary("GATEWAY_PORT=2\nGATEWAY_HOST=b") { dotEnv in
            try temporary("port: 3\nhost: c\nmax_retries: 9") { yaml in
                let loaded = try options("--env-file", dotEnv, "--config", yaml).load(environment: ["GATEWAY_PORT": "1"]
                )
                #expect(loaded.problems == [])
                #expect(loaded.configuration.port == 1)
                #expect(loaded.configuration.host == "b")
                #expect(loaded.configuration.maxRetries == 9)
            }
        }
    }

    @Test func `the YAML file may be named by the environment or by dot-env`() throws {
        try temporary("port: 3") { yaml in
            let named = try options().load(environment: ["GATEWAY_CONFIG": yaml])
            #expect(named.configuration.port == 3)
            try temporary("GATEWAY_CONFIG=\(yaml)") { dotEnv in
                let loaded = try options("--env-file", dotEnv).load(environment: [:])
                #expect(loaded.configuration.port == 3)
            }
        }
    }

    @Test func `a named file that is missing or malformed is a problem beside the others`() throws {
        try temporary("nonsense") { bad in
            let loaded = try options("--env-file", bad, "--config", "/no/such.yaml").load(environment: [
                "GATEWAY_PORT": "x"
            ])
            #expect(loaded.problems.count == 3)
            #expect(loaded.problems[0] == "\(bad) line 1: expected NAME=value")
            #expect(loaded.problems[1] == "/no/such.yaml: No such file or directory")
        }
    }

    @Test func `serve is the default command`() throws {
        #expect(try GatewayCommand.parseAsRoot([]) is ServeCommand)
        #expect(try GatewayCommand.parseAsRoot(["serve", "--config", "x"]) is ServeCommand)
        #expect(try GatewayCommand.parseAsRoot(["check-config"]) is CheckConfigCommand)
        #expect(try GatewayCommand.parseAsRoot(["migrate"]) is MigrateCommand)
        #expect(try GatewayCommand.parseAsRoot(["token"]) is TokenCommand)
    }
}
