// Writes lines to a descriptor from a thread of its own, so that a slow reader of the log never holds up a reactor.
// Any thread may hand in lines; the cost to it is a copy under a mutex. One line is one write(2).
// Limit: `bufferedBytesMax` of waiting lines; above it a line is dropped and counted, and the count is written as a line
// of its own as soon as there is room again.

import CReactor

/// Proof for `@unchecked Sendable`: everything but `lock`, `changed` and constants is only touched under `lock`.
public final class LineWriter: @unchecked Sendable {
    /// Waiting lines, in bytes; as much again may be on its way out.
    public static let bufferedBytesMax = 1 << 20
    /// How long `close` waits for a reader that takes nothing.
    public static let closeMsMax = 2000

    private let descriptor: Int32
    private let bufferedBytesMax: Int
    /// Makes the line that tells of dropped ones, its newline included.
    private let droppedLine: @Sendable (Int) -> [UInt8]
    private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    private var waiting = ByteBuffer(capacity: 4096)
    private var droppedUnreported = 0
    private var dropped = 0
    private var isClosing = false
    private var isDone = false

    /// Starts the thread; it keeps this object alive until `close`.
    /// - Parameter descriptor: stays the caller's, and open until `close` has returned.
    public init(
        descriptor: Int32, bufferedBytesMax: Int = LineWriter.bufferedBytesMax,
        droppedLine: @escaping @Sendable (Int) -> [UInt8]
    ) {
        self.descriptor = descriptor
        self.bufferedBytesMax = bufferedBytesMax
        self.droppedLine = droppedLine
        pthread_mutex_init(lock, nil)
        pthread_cond_init(changed, nil)
        startThread()
    }

    deinit {
        pthread_cond_destroy(changed)
        pthread_mutex_destroy(lock)
        changed.deallocate()
        lock.deallocate()
    }

    /// Hands in a line, its newline included. Dropped and counted where the buffer is full or the writer closed.
    public func write(_ line: RawSpan) {
        pthread_mutex_lock(lock)
        if isClosing || waiting.count + line.byteCount > bufferedBytesMax {
            droppedUnreported += 1
            dropped += 1
        } else {
            let wasEmpty = waiting.isEmpty
            waiting.append(line)
            if wasEmpty { pthread_cond_broadcast(changed) }
        }
        pthread_mutex_unlock(lock)
    }

    /// Lines dropped since the start.
    public var droppedCount: Int {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        return dropped
    }

    /// Writes what waits, then ends the thread. Waits no longer than `waitMsMax`.
    /// - Returns: whether everything was written.
    @discardableResult
    public func close(waitMsMax: Int = LineWriter.closeMsMax) -> Bool {
        var deadline = timespec()
        clock_gettime(CLOCK_REALTIME, &deadline)
        deadline.tv_sec += waitMsMax / 1000
        deadline.tv_nsec += (waitMsMax % 1000) * 1_000_000
        if deadline.tv_nsec >= 1_000_000_000 {
            deadline.tv_sec += 1
            deadline.tv_nsec -= 1_000_000_000
        }
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        isClosing = true
        pthread_cond_broadcast(changed)
        while !isDone {
            if pthread_cond_timedwait(changed, lock, &deadline) == ETIMEDOUT { return isDone }
        }
        return true
    }

    // MARK: - The writer thread

    private func startThread() {
        // Signals belong to the thread that serves: this one blocks them all, by inheriting the mask.
        var all = sigset_t()
        var before = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_BLOCK, &all, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        var thread = pthread_t()
        let outcome = pthread_create(
            &thread, nil,
            { context in
                // The reference that startThread retained for this thread.
                Unmanaged<LineWriter>.fromOpaque(context!).takeRetainedValue().run()
                return nil
            }, Unmanaged.passRetained(self).toOpaque())
        precondition(outcome == 0, "no thread for the log")
        pthread_detach(thread)
    }

    private func run() {
        var draining = ByteBuffer(capacity: 4096)
        var isOpen = true
        while isOpen {
            pthread_mutex_lock(lock)
            while waiting.isEmpty && droppedUnreported == 0 && !isClosing { pthread_cond_wait(changed, lock) }
            swap(&waiting, &draining)
            let droppedNow = droppedUnreported
            droppedUnreported = 0
            isOpen = !isClosing
            pthread_mutex_unlock(lock)

            drain(&draining)
            if droppedNow > 0 { writeAll(droppedLine(droppedNow)) }
        }
        pthread_mutex_lock(lock)
        isDone = true
        pthread_cond_broadcast(changed)
        pthread_mutex_unlock(lock)
    }

    private func drain(_ draining: inout ByteBuffer) {
        while !draining.isEmpty {
            let count = draining.bytes.withUnsafeBytes { bytes in
                let end = memchr(bytes.baseAddress!, Int32(UInt8(ascii: "\n")), bytes.count)
                let count = end.map { $0 - UnsafeMutableRawPointer(mutating: bytes.baseAddress!) + 1 } ?? bytes.count
                writeAll(UnsafeRawBufferPointer(rebasing: bytes[..<count]))
                return count
            }
            draining.consume(count)
        }
    }

    private func writeAll(_ bytes: [UInt8]) { bytes.withUnsafeBytes { writeAll($0) } }

    private func writeAll(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress else { return }
        // What cannot be written is lost and counted: nobody is left to be told.
        if cr_write_all(descriptor, base, bytes.count) < 0 {
            pthread_mutex_lock(lock)
            dropped += 1
            pthread_mutex_unlock(lock)
        }
    }
}

/// Writes a line to a descriptor at once, for commands: 1 is the output, 2 the errors. Adds the newline.
public func writeLine(_ text: String, to descriptor: Int32) {
    let bytes = Array(text.utf8) + [UInt8(ascii: "\n")]
    // A closed output is no reason to fail: nobody reads it.
    _ = bytes.withUnsafeBytes { cr_write_all(descriptor, $0.baseAddress, $0.count) }
}
