// Folders of one test run. All lie in one top folder, which is swept at exit, or by a guard process when the test
// process is killed: services stopped, gateways ended, files removed. See `sweep` and `guard` in scripts/services.

import Foundation
import Synchronization

/// The top folder of this process's run.
public enum TestRun {
    public static let folder: String = {
        let base = ProcessInfo.processInfo.environment["TMPDIR"] ?? "/tmp"
        var template = Array("\(base)/gateway-tests.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { fatalError("cannot make a folder in \(base)") }
        let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        // PostgreSQL's user must get through to the folder that it owns inside.
        chmod(folder, 0o711)
        makeFile("\(folder)/.disposable", "")
        startGuard(of: folder)
        atexit { TestRun.sweep() }
        return folder
    }()

    private static let nextNumber = Atomic<Int>(1)

    /// A path inside the top folder that nobody has used.
    static func newPath(_ name: String) -> String {
        "\(folder)/\(name)-\(nextNumber.add(1, ordering: .relaxed).oldValue)"
    }

    /// Writes the record by which the sweep ends a process that a test forgot.
    public static func record(child pid: pid_t) {
        guard let stat = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
            let bracket = stat.lastIndex(of: ")")
        else { return }
        // Field 22 of the line is the start time; after the bracket comes field 3.
        let fields = stat[stat.index(bracket, offsetBy: 2)...].split(separator: " ")
        let children = "\(folder)/children"
        mkdir(children, 0o700)
        makeFile("\(children)/\(pid)", "\(pid) \(fields[19])\n")
    }

    public static func forget(child pid: pid_t) { unlink("\(folder)/children/\(pid)") }

    private static func makeFile(_ path: String, _ text: String) {
        guard FileManager.default.createFile(atPath: path, contents: Data(text.utf8)) else {
            fatalError("cannot write \(path)")
        }
    }

    private static func startGuard(of folder: String) {
        // The guard outlives us by design, so nobody keeps its handle.
        let arguments = ["guard", "\(getpid())", folder, "--purge"]
        guard (try? ChildProcess(Checkout.script("services"), arguments, isSession: true)) != nil else {
            fatalError("cannot start \(Checkout.script("services"))")
        }
    }

    private static func sweep() {
        let child = try? ChildProcess(Checkout.script("services"), ["sweep", folder, "--purge"])
        // At exit nobody is left to be told; the guard tries again.
        _ = try? child?.waitForExit(deadlineSeconds: 60)
    }
}

/// A folder that is removed with its last owner.
public final class TemporaryFolder: Sendable {
    public let path: String

    public init() throws {
        path = TestRun.newPath("folder")
        guard mkdir(path, 0o700) == 0 else { throw TestFailure("cannot make the folder \(path)") }
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }  // The sweep removes what stays.

    /// The path of a file inside.
    public func path(_ name: String) -> String { "\(path)/\(name)" }

    public func write(_ text: String, to name: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path(name)))
    }

    /// The file's text; invalid UTF-8 becomes U+FFFD, a missing file is empty.
    public func read(_ name: String) throws -> String {
        guard FileManager.default.fileExists(atPath: path(name)) else { return "" }
        return String(decoding: try Data(contentsOf: URL(fileURLWithPath: path(name))), as: UTF8.self)
    }
}
