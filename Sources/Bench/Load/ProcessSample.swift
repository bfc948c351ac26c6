// What the kernel accounts to a process: time on a core and resident memory, read from /proc. Any process of this machine.
// Blocking, but of memory only; read twice a run.

import Reactor

struct ProcessSample: Codable, Equatable, Sendable {
    /// Clock ticks a second in /proc: fixed for programs on Linux (USER_HZ).
    private static let ticksPerSecond = 100.0
    private static let fileBytesMax = 16 * 1024

    /// User and system time of all its threads, without its children.
    var cpuSeconds: Double
    var residentBytes: Int

    /// - Parameter pid: a number, or `self`.
    /// - Returns: nil where there is no such process.
    static func read(_ pid: String) -> ProcessSample? {
        // Either there is no such process any more, or it is not ours to see: then it has no figures.
        guard let stat = try? readFile(at: "/proc/\(pid)/stat", bytesMax: fileBytesMax),
            // The same.
            let status = try? readFile(at: "/proc/\(pid)/status", bytesMax: fileBytesMax)
        else { return nil }
        return parse(stat: String(decoding: stat, as: UTF8.self), status: String(decoding: status, as: UTF8.self))
    }

    static func parse(stat: String, status: String) -> ProcessSample? {
        // The name, in brackets, may hold anything: fields are counted behind the last one.
        guard let bracket = stat.lastIndex(of: ")") else { return nil }
        let fields = stat[stat.index(after: bracket)...].split(separator: " ")
        guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else { return nil }
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
        let kilobytes = line?.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap { Int($0) }
        return ProcessSample(
            cpuSeconds: (user + system) / ticksPerSecond, residentBytes: (kilobytes ?? 0) * 1024)
    }
}
