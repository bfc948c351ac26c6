// What gateway-bench says and returns: wrong options, nobody there, too many errors, an early end.

import Foundation
import TestSupport
import Testing

@testable import Bench

@Suite struct CommandLineTests {
    @Test func `wrong options end with 2 and a sentence that names them`() throws {
        let wrong: [([String], String)] = [
            (["get", "https://127.0.0.1/", "--ca-file", "/no/such/file"], "/no/such/file: No such file"),
            (["get", "https://127.0.0.1/", "--ca-file", "x", "--insecure"], "--insecure"),
            (["get", "nonsense"], "expected http://"),
            (["get", "http://no-such-host.invalid/"], "unknown host"),
            (["get", "http://127.0.0.1/", "-c", "0"], "--connections"),
            (["get", "http://127.0.0.1/", "-t", "9", "-c", "3"], "--threads"),
            (["get", "http://127.0.0.1/", "--rate", "-1"], "--rate"),
            (["get", "http://127.0.0.1/", "--rate", "5", "--ramp", "1:2"], "--ramp"),
            (["get", "http://127.0.0.1/", "--ramp", "1"], "--ramp"),
            (["get", "http://127.0.0.1/", "--ramp", "1:2", "-r", "3"], "--ramp"),
            (["get", "http://127.0.0.1/", "-d", "soon"], "soon"),
            (["get", "http://127.0.0.1/", "-H", "no colon"], "no colon"),
            (["get", "http://127.0.0.1/", "--json", "/no/such/folder/x"], "/no/such/folder/x"),
            (["get", "http://127.0.0.1/", "--server-pid", "4194999"], "no process 4194999"),
            (["get", "http://127.0.0.1/", "--body", "@/no/such/file"], "/no/such/file"),
            (["heartbeat", "--url", "http://127.0.0.1/path"], "without a path"),
            (["heartbeat", "--kind", "other"], "--kind"),
            (["results", "--items", "1001"], "--items"),
            (["results", "--payload-bytes", "1"], "--payload-bytes"),
            (["results", "--repeat-share", "2"], "repeat-share"),
            (["work"], "--ops-token"),
            (["work", "--no-enqueue", "--capacity", "101"], "--capacity"),
            (["fleet", "--no-enqueue", "--workers", "0"], "--workers"),
            (["idle", "--sources", "here"], "--sources"),
            (["compare", "/no/such/a.json", "/no/such/b.json"], "/no/such/a.json"),
            (["nothing"], "nothing"),
        ]
        for (arguments, part) in wrong {
            let output = try BenchProcess.run(arguments)
            #expect(output.status == .exited(2), "\(arguments): \(output.status)")
            #expect(output.errors.contains(part), "\(arguments): \(output.errors)")
            #expect(output.output.isEmpty, "\(arguments): \(output.output)")
        }
    }

    @Test func `help and version are no errors`() throws {
        for arguments in [["--help"], ["fleet", "--help"], ["--version"]] {
            let output = try BenchProcess.run(arguments)
            #expect(output.isSuccess && !output.output.isEmpty && output.errors.isEmpty)
        }
    }

    @Test func `nobody there ends with 1 and names the target`() throws {
        let port = try FreePort.next()
        let output = try BenchProcess.run(["get", "http://127.0.0.1:\(port)/", "-d", "1s"])
        #expect(output.status == .exited(1))
        #expect(output.errors.contains("127.0.0.1:\(port)"))
    }

    @Test func `too many errors end with 1, behind the report`() throws {
        let server = try DelayServer(Delays(status: 500))
        let arguments = ["get", "http://127.0.0.1:\(server.port)/", "-r", "20", "-w", "0s"]
        let output = try BenchProcess.run(arguments)
        #expect(output.status == .exited(1) && output.output.contains("500 × 20"))
        #expect(output.errors.contains("100 % of the requests failed"))
        #expect(try BenchProcess.run(arguments + ["--errors-max", "100%"]).isSuccess)
    }

    @Test func `a signal ends the run early, and its report is there`() throws {
        let server = try DelayServer()
        let folder = try TemporaryFolder()
        let child = try ChildProcess(
            BenchProcess.binary,
            [
                "get", "http://127.0.0.1:\(server.port)/", "-d", "10m", "-w", "0s", "-c", "2", "--json",
                folder.path("report.json"),
            ], environment: BenchProcess.environmentOfChildren(), outputPath: folder.path("output"))
        try eventually("it has begun") { try folder.read("output").contains("closed loop") }
        child.signal(SIGINT)
        #expect(try child.waitForExit() == .exited(0))
        let report = try Report.parse(Array(folder.read("report.json").utf8), name: "report")
        #expect(report.warnings.contains { $0.contains("interrupted") })
        #expect(report.seconds < 120)
    }

    @Test func `what got worse fails a comparison that asks for it`() throws {
        let folder = try TemporaryFolder()
        var report = ReportTests.sample(warnings: [])
        try folder.write(report.json(), to: "a.json")
        report.achievedRate /= 2
        try folder.write(report.json(), to: "b.json")
        let files = [folder.path("a.json"), folder.path("b.json")]
        let plain = try BenchProcess.run(["compare"] + files)
        #expect(plain.isSuccess && plain.output.contains("0.500  ← worse"))
        #expect(try BenchProcess.run(["compare"] + files + ["--fail-on-worse"]).status == .exited(1))
        #expect(try BenchProcess.run(["compare"] + files.reversed() + ["--fail-on-worse"]).isSuccess)
    }

    @Test func `secrets are not told in reports`() {
        let shown = Session.shownArguments([
            "gateway-bench", "work", "--token", "secret", "--ops-token=secret", "-H", "Authorization: secret", "-c",
            "5",
        ])
        #expect(shown == ["work", "--token", "***", "--ops-token=***", "-H", "***", "-c", "5"])
    }
}
