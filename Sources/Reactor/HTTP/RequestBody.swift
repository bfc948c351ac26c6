// A body that is read while it arrives. One reactor's connection fills it, one task on the same reactor empties it.
// Limit: `HTTPLimits.streamBytesMax` bytes wait here; then receiving stops until the reader has caught up.

/// Pieces of one streamed request body.
///
/// `@unchecked Sendable`: filled and read on one reactor's thread; a task carries it there and nowhere else.
public final class RequestBody: @unchecked Sendable {
    /// Why no more pieces come.
    public enum Failure: Error, Equatable {
        /// The client has gone, or broke the framing.
        case connectionClosed
        /// Slower than the limits permit.
        case timedOut
        /// Longer than the plan's `bytesMax`.
        case tooLarge
    }

    private enum State {
        case open
        case complete
        case failed(Failure)
    }

    private var waiting = ByteBuffer()
    private var state = State.open
    private var reader: UnsafeContinuation<Void, Never>?
    /// Called when the reader has made room: resumes receiving.
    var drained: (() -> Void)?

    public init() {}

    /// Bytes that wait for the reader.
    var waitingBytes: Int { waiting.count }

    func append(_ bytes: RawSpan) {
        waiting.append(bytes)
        wakeReader()
    }

    func finish() {
        if case .open = state { state = .complete }
        wakeReader()
    }

    func fail(_ failure: Failure) {
        if case .open = state { state = .failed(failure) }
        wakeReader()
    }

    private func wakeReader() {
        guard let reader else { return }
        self.reader = nil
        reader.resume()
    }

    /// Waits for bytes and moves all that wait into `buffer`.
    /// - Returns: false at the end of the body.
    /// - Throws: why the body ends early.
    public func read(into buffer: inout ByteBuffer) async throws(Failure) -> Bool {
        guard try await hasMore() else { return false }
        take { buffer.append($0) }
        return true
    }

    /// Waits until the body is here, or has turned out to be a long one.
    /// - Parameter bytesMax: less than what may wait here.
    /// - Returns: the whole of it; nil where it has more than `bytesMax` bytes, all of which are still to be read.
    public func whole(bytesMax: Int) async throws(Failure) -> [UInt8]? {
        while waiting.count <= bytesMax {
            switch state {
            case .complete:
                let bytes = waiting.bytes.array
                waiting.clear()
                return bytes
            case .failed(let failure): throw failure
            case .open: await withUnsafeContinuation { reader = $0 }
            }
        }
        return nil
    }

    /// Waits for bytes.
    /// - Returns: false at the end of the body.
    /// - Throws: why the body ends early.
    func hasMore() async throws(Failure) -> Bool {
        while waiting.isEmpty {
            switch state {
            case .complete: return false
            case .failed(let failure): throw failure
            case .open: await withUnsafeContinuation { reader = $0 }
            }
        }
        return true
    }

    /// Lends all bytes that wait, for good: they are gone afterwards.
    func take(_ body: (RawSpan) -> Void) {
        body(waiting.bytes)
        waiting.clear()
        drained?()
    }
}
