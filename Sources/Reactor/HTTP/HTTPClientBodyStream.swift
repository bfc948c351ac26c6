// A request's body on its way to an upstream while it arrives from its source: read no faster than the upstream takes it.
// Owned by its exchange, on the reactor's thread. Limits: what the source lets wait (`HTTPLimits.streamBytesMax`) is
// here once more until the upstream's socket has taken it; its clock stands still while the source is the slow one.

/// A body that a server of the same reactor receives, for a client's request.
public struct HTTPClientBodyStream: Sendable {
    public var source: RequestBody
    /// Bytes in all, where they are known and kept to; without it the body goes out in chunks.
    public var length: Int?

    public init(source: RequestBody, length: Int?) {
        self.source = source
        self.length = length
    }
}

/// Sends one such body over one connection.
///
/// `@unchecked Sendable`: its task and its exchange share it on one reactor's thread.
final class HTTPClientBodySender: @unchecked Sendable {
    private enum State { case reading, sending, complete, ended }

    private let stream: HTTPClientBodyStream
    private var state = State.reading
    private var room: UnsafeContinuation<Void, Never>?

    init(_ stream: HTTPClientBodyStream) { self.stream = stream }

    /// The upstream has been given all of the body.
    var isComplete: Bool { state == .complete }
    /// Whoever sends the body is the slow one.
    var awaitsSource: Bool { state == .reading }

    /// The connection has sent something.
    func progressed(unsentBytes: Int) {
        if unsentBytes == 0 { room.take()?.resume() }
    }

    /// The connection is of no use to it any more.
    func end() {
        if state != .complete { state = .ended }
        room.take()?.resume()
    }

    /// Sends the body to its end, or until `end`.
    /// - Parameters:
    ///   - write: puts bytes into the connection and sends; returns how many bytes wait there.
    ///   - resumed: the source has given something after a wait.
    /// - Throws: why the source ends early; not once this has ended.
    func run(
        write: ((inout ByteBuffer) -> Void) -> Int, resumed: () -> Void
    ) async throws(RequestBody.Failure) {
        let isChunked = stream.length == nil
        while try await hasMore() {
            guard state == .reading else { return }
            state = .sending
            resumed()
            let waiting = write { out in
                stream.source.take { bytes in
                    if isChunked { ChunkedWriter.append(bytes, to: &out) } else { out.append(bytes) }
                }
            }
            if waiting > 0 { await withUnsafeContinuation { room = $0 } }
            guard state == .sending else { return }
            state = .reading
        }
        guard state == .reading else { return }
        state = .complete
        if isChunked { _ = write { ChunkedWriter.finish(&$0) } }
    }

    private func hasMore() async throws(RequestBody.Failure) -> Bool {
        do throws(RequestBody.Failure) {
            return try await stream.source.hasMore()
        } catch {
            if state == .ended { return false }
            throw error
        }
    }
}
