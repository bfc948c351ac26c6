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

    @Test func `the worker in the manual is the one in the examples`() throws {
        let manual = try String(contentsOfFile: "\(Checkout.root)/README.md", encoding: .utf8)
        let start = try #require(manual.range(of: "<!-- examples/worker.py -->\n```python\n"))
        let end = try #require(manual.range(of: "```\n<!-- /examples/worker.py -->"))
        let worker = try String(contentsOfFile: "\(Checkout.root)/examples/worker.py", encoding: .utf8)
        #expect(String(manual[start.upperBound..<end.lowerBound]) == worker)
    }
}
