// scripts/demo as a test's fleet of workers, and where the county's CSV is if this machine has it.

import Foundation

extension Checkout {
    /// The county's certificate rows: TEST_CSV in the environment, else beside the checkout; nil where there are none.
    public static var countyCSV: String? {
        let given = ProcessInfo.processInfo.environment["TEST_CSV"]
        let path = given ?? "\(root)/../shared/data/larimer_tax_liens.csv"
        return FileManager.default.isReadableFile(atPath: path) ? path : nil
    }
}

/// A running fleet. It repeats what a killed gateway did not answer, so the gateway may be restarted meanwhile on its port.
public final class DemoFleet: Sendable {
    private let child: ChildProcess
    private let folder: TemporaryFolder

    /// - Parameters:
    ///   - csv: input; nil makes up `generatedCount` parcels.
    ///   - verifyURL: the PostgreSQL whose `parcel_results` must equal the input at the end.
    public init(
        port: Int, csv: String?, generatedCount: Int = 2000, workerCount: Int = 16, verifyURL: String? = nil,
        arguments: [String] = []
    ) throws {
        folder = try TemporaryFolder()
        let input = csv.map { ["--csv", $0] } ?? ["--generate", "\(generatedCount)"]
        child = try ChildProcess(
            "python3",
            [
                Checkout.script("demo"), "--url", "http://127.0.0.1:\(port)", "--workers", "\(workerCount)",
                "--progress", "0.1",
                "--worker-token", GatewayProcess.workerToken, "--ops-token", GatewayProcess.opsToken,
            ] + input + (verifyURL.map { ["--verify", $0] } ?? []) + arguments,
            outputPath: folder.path("output"), errorPath: folder.path("output"))
        TestRun.record(child: child.pid)
    }

    deinit {
        child.signal(SIGKILL)
        _ = try? child.waitForExit(deadlineSeconds: 5)  // The sweep at exit tries again.
        TestRun.forget(child: child.pid)
    }

    public var isRunning: Bool { child.isRunning }

    /// All that it has printed, the progress included.
    public var output: String { (try? folder.read("output")) ?? "" }  // No file yet: nothing was printed.

    /// Results acknowledged according to the last progress line; it prints one every 0.1 s.
    public var acknowledgedCount: Int {
        let lines = output.split(whereSeparator: { $0 == "\n" || $0 == "\r" })
        guard let last = lines.last(where: { $0.contains(" results acknowledged") }) else { return 0 }
        return Int(last.prefix { $0 != " " }.replacing(",", with: "")) ?? 0
    }

    /// Waits until all is acknowledged and verified; anything else fails with what it printed.
    public func finish(deadlineSeconds: Double = 300) throws {
        do {
            let status = try child.waitForExit(deadlineSeconds: deadlineSeconds)
            guard status == .exited(0) else { throw TestFailure("the fleet ended: \(status)") }
        } catch {
            throw TestFailure("\(error)\n\(output)")
        }
    }
}
