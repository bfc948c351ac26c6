// One child process: started by posix_spawn with a clean signal state and none of our descriptors, waited for with a
// deadline. Any thread may use it; a lock makes sure that no signal goes to a pid that was reaped (and perhaps reused).

import Foundation
import Reactor

/// How a process ended.
public enum ExitStatus: Equatable, Sendable {
    case exited(Int32)
    case signalled(Int32)
}

/// What a finished command left.
public struct CommandOutput: Sendable {
    public let status: ExitStatus
    public let output: String
    public let errors: String

    public var isSuccess: Bool { status == .exited(0) }
}

public final class ChildProcess: Sendable {
    public let pid: pid_t
    private let ending = Locked<ExitStatus?>(nil)

    /// POSIX_SPAWN_SETSID of <spawn.h>, which glibc shows to GNU sources only, as the function below (glibc 2.34).
    private static let setSession: Int16 = 0x80
    private typealias AddCloseFrom = @convention(c) (UnsafeMutablePointer<posix_spawn_file_actions_t>, Int32) -> Int32
    private static let addCloseFrom: AddCloseFrom = {
        let symbol = dlsym(nil, "posix_spawn_file_actions_addclosefrom_np")
        guard let symbol else { fatalError("this glibc has no posix_spawn_file_actions_addclosefrom_np") }
        return unsafeBitCast(symbol, to: AddCloseFrom.self)
    }()

    /// - Parameters:
    ///   - executable: a path, or a name that PATH knows.
    ///   - environment: the whole of it; nil inherits ours.
    ///   - outputPath: file that stdout is appended to; likewise `errorPath`, which may be the same file.
    ///   - isSession: leads a session of its own, which Ctrl-C in our terminal does not reach.
    public init(
        _ executable: String, _ arguments: [String] = [], environment: [String: String]? = nil,
        inputPath: String = "/dev/null", outputPath: String = "/dev/null", errorPath: String = "/dev/null",
        isSession: Bool = false
    ) throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, inputPath, O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, outputPath, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, errorPath, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        _ = Self.addCloseFrom(&actions, 3)

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        let group = isSession ? Self.setSession : Int16(POSIX_SPAWN_SETPGROUP)
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETSIGMASK) | Int16(POSIX_SPAWN_SETSIGDEF) | group)

        let variables = environment ?? ProcessInfo.processInfo.environment
        var argv: [UnsafeMutablePointer<CChar>?] = ([executable] + arguments).map { strdup($0) } + [nil]
        var envp: [UnsafeMutablePointer<CChar>?] = variables.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for pointer in argv + envp { free(pointer) } }
        var child: pid_t = 0
        let code = posix_spawnp(&child, executable, &actions, &attributes, &argv, &envp)
        guard code == 0 else { throw TestFailure("cannot start \(executable): \(String(cString: strerror(code)))") }
        pid = child
    }

    /// The status if the process has ended.
    public var exitStatus: ExitStatus? {
        ending.withLock { ending in
            if ending == nil { ending = reap() }
            return ending
        }
    }

    public var isRunning: Bool { exitStatus == nil }

    /// Sends a signal, unless the process has ended.
    public func signal(_ number: Int32) {
        ending.withLock { ending in
            if ending == nil { ending = reap() }
            if ending == nil { kill(pid, number) }
        }
    }

    @discardableResult
    public func waitForExit(deadlineSeconds: Double = 30) throws -> ExitStatus {
        try eventuallyValue("process \(pid) ends", deadlineSeconds: deadlineSeconds) { exitStatus }
    }

    private func reap() -> ExitStatus? {
        var status: Int32 = 0
        var reaped: pid_t
        repeat { reaped = waitpid(pid, &status, WNOHANG) } while reaped < 0 && errno == EINTR
        guard reaped == pid else { return nil }
        let signal = status & 0x7F
        return signal == 0 ? .exited((status >> 8) & 0xFF) : .signalled(signal)
    }

    /// Runs a command to its end and returns what it wrote; a command past the deadline is killed and fails.
    public static func run(
        _ executable: String, _ arguments: [String] = [], environment: [String: String]? = nil, input: String? = nil,
        deadlineSeconds: Double = 60
    ) throws -> CommandOutput {
        let folder = try TemporaryFolder()
        if let input { try folder.write(input, to: "input") }
        let child = try ChildProcess(
            executable, arguments, environment: environment,
            inputPath: input == nil ? "/dev/null" : folder.path("input"),
            outputPath: folder.path("output"), errorPath: folder.path("errors"))
        do {
            let status = try child.waitForExit(deadlineSeconds: deadlineSeconds)
            return CommandOutput(
                status: status, output: try folder.read("output"), errors: try folder.read("errors"))
        } catch {
            child.signal(SIGKILL)
            _ = try? child.waitForExit(deadlineSeconds: 5)  // The first failure is the one to tell.
            throw error
        }
    }
}
