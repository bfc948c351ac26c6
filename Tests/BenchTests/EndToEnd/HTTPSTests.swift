// Load over TLS, against a server that is not ours.

import TestSupport
import Testing

@testable import Bench

@Suite struct HTTPSTests {
    @Test func `an https target is asked once its authority is trusted`() throws {
        let server = try TLSTestServer(TestCertificates.shared.server)
        let authority = try TestCertificates.shared.authority.certificate
        let report = try BenchProcess.report([
            "get", "https://localhost:\(server.port)/length/100", "--ca-file", authority, "-c", "4", "-r", "200",
            "--warmup", "0s",
        ])
        #expect(report.answered == 200 && report.failedShare == 0)
        let idle = try BenchProcess.report([
            "idle", "--url", "https://127.0.0.1:\(server.port)/length/1", "--ca-file", authority, "-c", "3", "-d",
            "100ms",
        ])
        #expect(idle.idle?.survived == 3)
    }

    @Test func `a certificate that is not trusted ends the run with its reason, unless that is asked for`() throws {
        let server = try TLSTestServer(TestCertificates.shared.otherHost)
        let url = "https://127.0.0.1:\(server.port)/length/1"
        let refused = try BenchProcess.run([
            "get", url, "--ca-file", TestCertificates.shared.authority.certificate, "-c", "1", "-r", "1",
        ])
        #expect(refused.status == .exited(1))
        #expect(refused.errors.contains("could be made: IP address mismatch"), "\(refused.errors)")
        let report = try BenchProcess.report(["get", url, "--insecure", "-c", "1", "-r", "5", "--warmup", "0s"])
        #expect(report.answered == 5)
    }
}
