// Two reports side by side. Exit status 1 only where that was asked for and something got worse.

import ArgumentParser
import Reactor

struct CompareCommand: ParsableCommand {
    static let reportBytesMax = 64 * 1024 * 1024

    static let configuration = CommandConfiguration(
        commandName: "compare", abstract: "What changed between two reports (--json), and what got worse.")

    @Argument(help: "The report before.")
    var before: String

    @Argument(help: "The report after.")
    var after: String

    @Option(help: "A smaller change is none.")
    var tolerance = ShareOption(0.05)

    @Flag(help: "Exit with 1 if anything got worse.")
    var failOnWorse = false

    func run() throws {
        let comparison = Comparison(try read(before), try read(after), tolerance: tolerance.share)
        writeText(comparison.text(), to: 1)
        if failOnWorse, comparison.hasWorse { throw BenchExit.failed }
    }

    private func read(_ path: String) throws -> Report {
        let bytes: [UInt8]
        do throws(FileError) {
            bytes = try readFile(at: path, bytesMax: Self.reportBytesMax)
        } catch {
            throw ValidationError("\(path): \(error.description)")
        }
        return try Report.parse(bytes, name: path)
    }
}
