// Every bound of the HTTP server in one place. Plain data, read by all reactors.

/// What one connection, request and process may use. Defaults are the contract's.
public struct HTTPLimits: Sendable {
    /// A buffered request body; a streamed one has its route's own bound.
    public var bodyBytesMax = 10 * 1024 * 1024
    /// Request line and header lines together.
    public var headerBytesMax = 16 * 1024
    public var headerCountMax = 100
    public var uriBytesMax = 8 * 1024
    /// From a request's first byte (or the connection's start) to the end of its head.
    public var headerTimeout = Interval.seconds(10)
    /// A body may be slower than `bodyRateBytesMin` for this long.
    public var bodyGrace = Interval.seconds(10)
    /// Bytes a second that a body must average after its grace; 0 is no limit.
    public var bodyRateBytesMin = 1024
    /// A connection without a request, or whose peer takes no bytes, for this long is closed.
    public var idleTimeout = Interval.seconds(75)
    /// Requests of one connection that may await their answers before reading stops.
    public var pipelineMax = 1000
    /// Requests of one reactor that may wait behind others of their connection; the first of each is not counted.
    public var pipelinedStock = 16_000
    /// Answer bytes that a peer has not taken before reading stops.
    public var unsentBytesMax = 1024 * 1024
    /// A refused body up to this size is read and dropped to keep the connection; a longer one closes it.
    public var discardBytesMax = 64 * 1024
    /// Bytes of a streamed body that wait for their reader before receiving stops.
    public var streamBytesMax = 256 * 1024
    /// After a closing answer: how long the peer may take to close, so that a reset does not destroy the answer.
    public var lingerTimeout = Interval.seconds(2)
    /// Open connections of the process, and of one client address.
    public var connectionsMax = 100_000
    public var connectionsPerAddressMax = 1000
    /// Connections of one reactor above these that are being told 503; one more is just closed.
    public var refusalsMax = 256

    public init() {}
}
