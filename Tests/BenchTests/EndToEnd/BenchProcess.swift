// The built gateway-bench, run to its end.

import Foundation
import TestSupport

@testable import Bench

enum BenchProcess {
    static var binary: String {
        get throws {
            let path = "\(Checkout.productFolder)/gateway-bench"
            guard FileManager.default.isExecutableFile(atPath: path) else {
                throw TestFailure("no gateway-bench at \(path): run `swift build` first")
            }
            return path
        }
    }

    static func run(_ arguments: [String], environment: [String: String] = [:]) throws -> CommandOutput {
        var variables = environmentOfChildren()
        variables.merge(environment) { _, given in given }
        return try ChildProcess.run(binary, arguments, environment: variables, deadlineSeconds: 120)
    }

    static func environmentOfChildren() -> [String: String] {
        var variables = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("GATEWAY_") }
        // With coverage on every process needs a profile of its own.
        if let profile = variables["LLVM_PROFILE_FILE"] {
            let folder = URL(fileURLWithPath: profile).deletingLastPathComponent().path
            variables["LLVM_PROFILE_FILE"] = "\(folder)/gateway-bench-%p.profraw"
        }
        return variables
    }

    /// Runs a scenario and reads its report back.
    static func report(_ arguments: [String]) throws -> Report {
        let folder = try TemporaryFolder()
        let path = folder.path("report.json")
        let output = try run(arguments + ["--json", path])
        guard output.isSuccess else { throw TestFailure("\(output.status):\n\(output.output)\n\(output.errors)") }
        return try Report.parse(Array(try folder.read("report.json").utf8), name: path)
    }
}
