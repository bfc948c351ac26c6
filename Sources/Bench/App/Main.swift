// The `gateway-bench` binary: picks the command; wrong options end it with 2, as usage errors do everywhere.
// The process has one thread until a command makes more.

import ArgumentParser
import Glibc
import Reactor

struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gateway-bench",
        abstract: "Load for a worker gateway, or any HTTP server: closed loop, open loop, whole fleets.",
        discussion: """
            Exit status: 0 fine, 1 too many errors (--errors-max) or no connection, 2 wrong options. Ctrl-C ends a run \
            early and still reports; a second one ends at once.
            """,
        version: BenchInfo.version,
        subcommands: [
            HeartbeatCommand.self, ResultsCommand.self, WorkCommand.self, FleetCommand.self, GetCommand.self,
            IdleCommand.self, CompareCommand.self,
        ])
}

enum BenchInfo {
    static let version = "0.1.0"
}

@main
struct Main {
    static func main() {
        // Before any thread is there: they all leave signals to the one that waits for them.
        Signals.block()
        do {
            var command = try BenchCommand.parseAsRoot()
            try command.run()
        } catch {
            end(error)
        }
    }

    private static func end(_ error: any Error) -> Never {
        if error is BadOption { exitWithUsage("Error: \(error)") }
        if BenchCommand.exitCode(for: error) == .validationFailure {
            exitWithUsage(BenchCommand.fullMessage(for: error))
        }
        BenchCommand.exit(withError: error)
    }

    private static func exitWithUsage(_ message: String) -> Never {
        writeLine(message, to: 2)
        exit(BenchExit.usage.rawValue)
    }
}

/// A variable of the environment that is not empty.
func environmentVariable(_ name: String) -> String? {
    guard let value = getenv(name) else { return nil }
    let text = String(cString: value)
    return text.isEmpty ? nil : text
}
