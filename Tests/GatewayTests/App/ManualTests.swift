// Holds the manual to the code: what README says of the settings is what the table of settings says.

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
}
