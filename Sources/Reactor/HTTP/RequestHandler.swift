// The seam between the HTTP server and the application. One handler a reactor, called on its thread.

/// How the server goes on after a head.
public enum BodyPlan {
    /// Collect the body, up to so many bytes, then call `handle`.
    case buffer(bytesMax: Int)
    /// Hand the body over piece by piece as it arrives, up to so many bytes in all.
    case stream(RequestBody, bytesMax: Int)
    /// Refused: the server answers with the problem and gets rid of the body.
    case refuse(Problem)
}

/// Each exchange that `begin` saw ends in exactly one `answered` or `abandoned`.
public protocol RequestHandler: AnyObject {
    /// A head is complete: routes it, checks credentials and limits, before any body byte is read.
    /// It does not answer; refusing is done by the plan.
    func begin(_ request: borrowing Request, note: inout RequestNote) -> BodyPlan
    /// A buffered request is complete. It is answered now or later, through `HTTPServer.respond`.
    func handle(_ request: borrowing Request, note: RequestNote)
    /// Appends header lines that every answer of this request carries: rate limits.
    func appendHeaders(_ note: RequestNote, to buffer: inout ByteBuffer)
    /// An answer has been queued, a streamed one up to its end.
    func answered(_ exchange: borrowing AnsweredExchange)
    /// The connection of an exchange not yet answered is gone; answering it does nothing any more.
    /// A client that only ends its sending half is still there: it may be waiting for its answer.
    func abandoned(_ exchange: SlotID, note: RequestNote)
    /// Whether connections from an address begin with a PROXY header, which names the client that they are passed on for.
    /// Where it is expected nothing else is taken; elsewhere it is a bad request. Asked once a connection.
    func expectsProxyHeader(listener: UInt32, peer: PeerAddress) -> Bool
    /// A connection of a listener was taken in, or (`isOpen` false) has gone. Those that are refused for want of room are
    /// not told.
    func connectionChanged(listener: UInt32, isOpen: Bool)
    /// The client has taken what was written of a streamed answer, whose writer had to stop (`writeBody`).
    func hasRoom(_ exchange: SlotID, note: RequestNote)
    /// A connection has ended before its first request for what TLS found wrong, the certificate that it showed included.
    func handshakeFailed(_ error: SystemError, peer: PeerAddress, listener: UInt32)
}

extension RequestHandler {
    public func appendHeaders(_ note: RequestNote, to buffer: inout ByteBuffer) {}
    public func expectsProxyHeader(listener: UInt32, peer: PeerAddress) -> Bool { false }
    public func connectionChanged(listener: UInt32, isOpen: Bool) {}
    public func hasRoom(_ exchange: SlotID, note: RequestNote) {}
    public func handshakeFailed(_ error: SystemError, peer: PeerAddress, listener: UInt32) {}
}
