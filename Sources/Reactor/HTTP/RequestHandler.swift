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

public protocol RequestHandler: AnyObject {
    /// A head is complete: routes it, checks credentials and limits, before any body byte is read.
    func begin(_ request: borrowing Request, note: inout RequestNote) -> BodyPlan
    /// A buffered request is complete. It is answered now or later, through `HTTPServer.respond`.
    func handle(_ request: borrowing Request, note: RequestNote)
    /// An answer has been queued.
    func answered(_ exchange: borrowing AnsweredExchange)
    /// Appends header lines that every answer of this request carries: rate limits.
    func appendHeaders(_ note: RequestNote, to buffer: inout ByteBuffer)
    /// The client of an exchange not yet answered has gone; answering it does nothing any more.
    func abandoned(_ exchange: SlotID, note: RequestNote)
}
