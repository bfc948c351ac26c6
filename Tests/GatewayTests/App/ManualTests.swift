// Holds the manual to the code: what README says of the settings is what the table of settings says, and the worker that it
// shows is the one that ExampleWorkerTests run.

import Foundation
import TestSupport
import Testing

@testable import Gateway

@Suite struct ManualTests {
    @Test func `the manual lists every setting as check-config does`() throws {
        let manual = try String(contentsOfFile: "\(Checkout.root)/README.md", encoding: .utf8)
        let start = try #require(manual.range(of: "<!-- settings: gateway check-config --reference -->\n"))
        let end = try #require(manual.range(of: "\n<!-- /settings -->"))
        #expect(String(manual[start.upperBound..<end.lowerBound]) == GatewayConfiguration.reference())
    }

    @Test func `the example of a .env file lists every setting with its default`() throws {
        let example = try String(contentsOfFile: "\(Checkout.root)/.env.example", encoding: .utf8)
        let start = try #require(example.range(of: "# --- settings: gateway check-config --example ---\n\n"))
        #expect(String(example[start.upperBound...]) == GatewayConfiguration.dotEnvExample() + "\n")
    }

    @Test func `the example of a .env file is one, and sets no setting`() throws {
        let example = try String(contentsOfFile: "\(Checkout.root)/.env.example", encoding: .utf8)
        let layer = try SettingLayer.dotEnv(example, name: ".env.example")
        #expect(layer.values.keys.sorted() == ["GRAFANA_PASSWORD", "POSTGRES_PASSWORD"])
        // Switched on line by line, every default is a value that is allowed.
        let lines = example.split(separator: "\n").filter { $0.hasPrefix("#GATEWAY_") && !$0.hasSuffix("=") }
        let enabled = try SettingLayer.dotEnv(lines.map { $0.dropFirst() }.joined(separator: "\n"), name: "enabled")
        #expect(lines.count > 30)
        #expect(GatewayConfiguration.load(layers: [enabled]).problems == [])
    }

    @Test func `the worker in the manual is the one in the examples`() throws {
        let manual = try String(contentsOfFile: "\(Checkout.root)/README.md", encoding: .utf8)
        let start = try #require(manual.range(of: "<!-- examples/worker.py -->\n```python\n"))
        let end = try #require(manual.range(of: "```\n<!-- /examples/worker.py -->"))
        let worker = try String(contentsOfFile: "\(Checkout.root)/examples/worker.py", encoding: .utf8)
        #expect(String(manual[start.upperBound..<end.lowerBound]) == worker)
    }
}
