// An upstream's answer as its caller sees it: the head at once, the body as it arrives. Owned by the caller's task, on
// the reactor's thread. Limit: `HTTPClientLimits.waitingBytesMax` bytes wait here; then receiving stops until the reader
// has caught up. Dropping it before the end closes its connection.

/// `@unchecked Sendable`: a task of its reactor carries it; members are for the reactor's thread, and the deinit sends
/// what it has to do there.
public final class HTTPClientResponse: @unchecked Sendable {
    public let status: Int
    /// Length of the body where it was announced.
    public let contentLength: Int?
    /// All bytes of the head; the ranges of `fields` count from its start.
    public let head: [UInt8]
    public let fields: [HeaderField]
    private let pending: HTTPClientExchange

    init(_ view: ResponseHeadView, head: borrowing ByteBuffer, fields: [HeaderField], exchange: HTTPClientExchange) {
        status = view.status
        if case .length(let count) = view.framing { contentLength = count } else { contentLength = nil }
        self.head = head.bytes.array
        self.fields = fields
        pending = exchange
    }

    deinit { pending.responseDropped() }

    /// The value of the first line of that name (in lower case); allocates.
    public func header(_ name: StaticString) -> String? {
        let bytes = head
        let head = bytes.span.bytes
        for field in fields where head.slice(field.name).equalsIgnoringCase(name) {
            return head.slice(field.value).string
        }
        return nil
    }

    /// Waits for bytes of the body and appends all that have come to `buffer`.
    /// - Returns: false at the end of the body.
    /// - Throws: why the body ends early. What came before has been read by then.
    public func read(into buffer: inout ByteBuffer) async throws(HTTPClientFailure) -> Bool {
        try await pending.read(into: &buffer)
    }

    /// Reads the body to its end.
    /// - Throws: `.tooLarge` as soon as it is known to have more than `bytesMax` bytes; the connection is closed then.
    public func collect(bytesMax: Int) async throws(HTTPClientFailure) -> [UInt8] {
        if let contentLength, contentLength > bytesMax {
            pending.abandon(.tooLarge(bytesMax: bytesMax))
            throw .tooLarge(bytesMax: bytesMax)
        }
        var buffer = ByteBuffer()
        while try await read(into: &buffer) {
            if buffer.count > bytesMax {
                pending.abandon(.tooLarge(bytesMax: bytesMax))
                throw .tooLarge(bytesMax: bytesMax)
            }
        }
        return buffer.bytes.array
    }
}
