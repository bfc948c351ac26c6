// What a server asks of its process: signals on a thread of their own, descriptors enough, and what it has used.
// `Signals.block` is called on the main thread before any other thread exists.

import CReactor

/// A signal an operator sends.
public enum Signal: Sendable {
    /// SIGTERM or SIGINT.
    case terminate
    /// SIGHUP.
    case reload
    /// SIGUSR2.
    case handOver
}

extension Signal {
    fileprivate init(number: Int32) {
        switch number {
        case SIGHUP: self = .reload
        case SIGUSR2: self = .handOver
        default: self = .terminate
        }
    }
}

public enum Signals {
    /// Keeps the signals of `Signal` away from this thread and those it starts, and ignores SIGPIPE.
    public static func block() {
        let status = cr_signals_block()
        precondition(status == 0, "signals cannot be blocked: error \(-status)")
    }

    /// Calls `receive` for each signal, on a thread that lives as long as the process.
    public static func watch(_ receive: @escaping @Sendable (Signal) -> Void) {
        let context = Unmanaged.passRetained(Receiver(receive)).toOpaque()
        var thread = pthread_t()
        let status = cr_thread_start(
            &thread, "signals", -1,
            { context in
                // Never released: the thread ends with the process.
                let receiver = Unmanaged<Receiver>.fromOpaque(context!).takeUnretainedValue()
                while true { receiver.receive(Signal(number: cr_signals_wait())) }
            }, context)
        precondition(status == 0, "no thread for signals: error \(-status)")
    }

    private final class Receiver {
        let receive: @Sendable (Signal) -> Void
        init(_ receive: @escaping @Sendable (Signal) -> Void) { self.receive = receive }
    }
}

/// What the kernel accounts to this process.
public struct ProcessUsage: Sendable {
    public var cpuSeconds: Double
    public var residentBytes: Int
    public var virtualBytes: Int
    public var descriptorsOpen: Int
    public var descriptorsMax: Int
    /// Since the Unix epoch.
    public var startedSeconds: Double

    /// nil where /proc cannot be read.
    public static func read() -> ProcessUsage? {
        var usage = cr_process_usage()
        guard cr_process_usage(&usage) == 0 else { return nil }
        return ProcessUsage(
            cpuSeconds: Double(usage.cpu_us) / 1e6, residentBytes: Int(usage.resident_bytes),
            virtualBytes: Int(usage.virtual_bytes), descriptorsOpen: Int(usage.descriptors_open),
            descriptorsMax: Int(usage.descriptors_max), startedSeconds: usage.started_seconds)
    }

    /// Raises the limit of open descriptors as far as the hard limit allows; returns the new limit.
    @discardableResult
    public static func raiseDescriptorLimit(to wanted: Int) -> Int { Int(cr_descriptor_limit_raise(Int64(wanted))) }

    /// Online processors.
    public static var processorCount: Int { Int(cr_processor_count()) }
}

/// Ends the process at once, without draining: what a second SIGTERM asks for.
public func exitNow(_ status: Int32) -> Never { _exit(status) }
