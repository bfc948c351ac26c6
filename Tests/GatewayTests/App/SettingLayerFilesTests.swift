// The .env and YAML files of settings.
import Testing

@testable import Gateway

@Suite struct SettingLayerFilesTests {
    @Test func `a dot-env file has bare and quoted values, comments and exports`() throws {
        let text = """
            # comment

            GATEWAY_A=plain # comment
            export GATEWAY_B = spaced out
            GATEWAY_C='single # \\n $x'
            GATEWAY_D="double \\"x\\" \\\\ \\n end"  # comment
            GATEWAY_E=pass#word=1
            GATEWAY_F=
            GATEWAY_A=later
            """
        let layer = try SettingLayer.dotEnv(text, name: ".env")
        #expect(layer.name == ".env")
        #expect(
            layer.values == [
                "GATEWAY_A": "later", "GATEWAY_B": "spaced out", "GATEWAY_C": "single # \\n $x",
                "GATEWAY_D": "double \"x\" \\ \n end", "GATEWAY_E": "pass#word=1", "GATEWAY_F": "",
            ])
    }

    @Test(arguments: [
        ("A=1\nnonsense", ".env line 2: expected NAME=value"), ("=1", ".env line 1: expected NAME=value"),
        ("A B=1", ".env line 1: expected NAME=value"), ("A=\"x", ".env line 1: A has a quote that is not closed"),
        ("A='x' y", ".env line 1: A has a quote that is not closed"),
    ])
    func `a bad line of a dot-env file is named`(_ text: String, _ problem: String) {
        #expect(throws: BadSettingsFile(problem: problem)) { try SettingLayer.dotEnv(text, name: ".env") }
    }

    @Test func `a YAML file has settings in any spelling, nested ones and lists`() throws {
        let text = """
            port: 9000
            redis-url: redis://h
            GATEWAY_HOST: "::1"
            log: {level: debug, format: text}
            cors_origins:
              - https://a.example
              - https://b.example
            max_retries: ~
            lease_seconds: 0.5
            """
        let layer = try SettingLayer.yaml(text, name: "g.yaml")
        #expect(
            layer.values == [
                "GATEWAY_PORT": "9000", "GATEWAY_REDIS_URL": "redis://h", "GATEWAY_HOST": "::1",
                "GATEWAY_LOG_LEVEL": "debug", "GATEWAY_LOG_FORMAT": "text", "GATEWAY_LEASE_SECONDS": "0.5",
                "GATEWAY_CORS_ORIGINS": "https://a.example,https://b.example",
            ])
        let configuration = GatewayConfiguration.load(layers: [layer]).configuration
        #expect(configuration.leaseMs == 500)
        #expect(configuration.corsOrigins.count == 2)
    }

    @Test func `an empty YAML file sets nothing`() throws {
        #expect(try SettingLayer.yaml("", name: "g").values == [:])
        #expect(try SettingLayer.yaml("# only this\n", name: "g").values == [:])
        #expect(try SettingLayer.yaml("~", name: "g").values == [:])
    }

    @Test(arguments: [
        ("a: [", "g.yaml: not YAML"), ("- a", "g.yaml: expected a mapping of settings"),
        ("port: 1\nPORT: 2", "g.yaml line 2: GATEWAY_PORT is set twice"),
        ("a:\n  - [1]", "g.yaml line 1: GATEWAY_A must be a list of plain values"),
        ("[a]: 1", "g.yaml line 1: a setting's name must be a word"),
    ])
    func `a bad YAML file is named with its line`(_ text: String, _ problem: String) {
        let error = #expect(throws: BadSettingsFile.self) { try SettingLayer.yaml(text, name: "g.yaml") }
        #expect(error?.problem.hasPrefix(problem) == true)
        #expect(error?.problem.contains("\n") == false)
    }

    @Test func `an unknown name in a YAML file is a warning too`() throws {
        let layer = try SettingLayer.yaml("prot: 1", name: "g.yaml")
        #expect(
            GatewayConfiguration.load(layers: [layer]).warnings.first
                == "GATEWAY_PROT (g.yaml) is no setting; the nearest is GATEWAY_PORT")
    }
}
