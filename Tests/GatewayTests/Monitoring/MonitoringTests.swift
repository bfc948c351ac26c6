// Dashboards and alerts, asked of a real Prometheus about the built gateway under load (scripts/check-monitoring).
// Source: operations.md section 3.

import Foundation
import Reactor
import TestSupport
import Testing

@Suite struct MonitoringTests {
    private static func has(_ program: String) -> Bool {
        // No shell: none.
        (try? ChildProcess.run("sh", ["-c", "command -v \(program)"]))?.isSuccess ?? false
    }

    private static let hasPrometheus = has("prometheus") && has("promtool")

    private func check(_ arguments: String..., deadlineSeconds: Double) throws -> CommandOutput {
        var variables = ProcessInfo.processInfo.environment
        variables["GATEWAY_IO_BACKEND"] = PollerKind.underTest.rawValue
        // Its gateway must not write over the profile of the tests.
        if let profile = variables["LLVM_PROFILE_FILE"] {
            let folder = URL(fileURLWithPath: profile).deletingLastPathComponent().path
            variables["LLVM_PROFILE_FILE"] = "\(folder)/monitoring-%p.profraw"
        }
        return try ChildProcess.run(
            Checkout.script("check-monitoring"), arguments, environment: variables, deadlineSeconds: deadlineSeconds)
    }

    @Test(.enabled(if: hasPrometheus, "needs prometheus: scripts/install --tests"))
    func `the rules pass promtool's tests, and the dashboards are well formed and laid out`() throws {
        let result = try check("--static", deadlineSeconds: 60)
        #expect(result.isSuccess, "\(result.output)\(result.errors)")
    }

    @Test(.enabled(if: hasPrometheus, "needs prometheus: scripts/install --tests"))
    func `every panel and every alert finds samples of a gateway under load`() throws {
        let result = try check("--binary", Checkout.gatewayBinary, deadlineSeconds: 240)
        #expect(result.isSuccess, "\(result.output)\(result.errors)")
        #expect(result.output.contains(/monitoring: \d{2,} queries answered, \d{2,} alerts/), "\(result.output)")
    }

    /// Anchors that the operators' manual must have.
    @Test func `each alert names a chapter of the manual`() throws {
        let alerts = try String(contentsOfFile: "\(Checkout.root)/monitoring/prometheus/alerts.yml", encoding: .utf8)
        let anchors = alerts.matches(of: /runbook_url: docs\/operations\.md#([a-z-]+)/).map { String($0.1) }
        #expect(anchors.count == alerts.matches(of: /alert: \w+/).count)
        #expect(!anchors.isEmpty)
        let path = "\(Checkout.root)/docs/operations.md"
        // A checkout without the manual has nothing to compare with.
        guard let manual = try? String(contentsOfFile: path, encoding: .utf8) else { return }
        let headings = Set(
            manual.split(separator: "\n").filter { $0.hasPrefix("#") }.map { line in
                line.drop { $0 == "#" || $0 == " " }.lowercased().replacing(" ", with: "-")
                    .filter { $0.isLetter || $0.isNumber || $0 == "-" || $0 == "_" }
            })
        for anchor in anchors { #expect(headings.contains(anchor), "\(anchor)") }
    }
}
