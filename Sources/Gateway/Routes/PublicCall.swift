// One public request after its head and body are gone: what was copied out of them, and its ties to the connection.
// Owned by the request's task, on the reactor's thread.

import Reactor

/// Where a relayed request leads, as it was when the request came: the tables may be others by now.
struct PublicDestination: Sendable {
    let note: RequestNote
    let match: RouteMatch
    let route: PublicRoute
    /// Header lines of its version's end.
    let sunsetLine: String
}

/// What a relayed request asks for.
struct PublicCall: Sendable {
    let exchange: SlotID
    var note: RequestNote
    /// As it was when the request came: the table may be another one by now.
    let route: PublicRoute
    /// Header lines of its version's end.
    let sunsetLine: String
    let listener: UInt32
    let requestID: RequestID
    let head: RequestHeadCopy
    let match: RouteMatch
    /// Whole; empty where it is streamed.
    var body: [UInt8]
    var stream: HTTPClientBodyStream?
    // For the cache; empty where the route has none.
    var fields = VariantFields()
    var ifNoneMatch: [UInt8]?

    var isHead: Bool { head.head.method == .head }
}

/// Whether the client of a request is still there, and takes what it is sent.
///
/// `@unchecked Sendable`: the request's task and its server share it on one reactor's thread.
final class PublicClient: @unchecked Sendable {
    private(set) var isGone = false
    private var task: Task<Void, Never>?
    private var hasRoom = true
    private var continuation: CheckedContinuation<Void, Never>?

    /// Ends with the client.
    func bind(_ task: Task<Void, Never>) {
        self.task = task
        if isGone { task.cancel() }
    }

    func leave() {
        isGone = true
        task?.cancel()
        makeRoom()
    }

    /// The next `waitForRoom` waits for `makeRoom`.
    func expectRoom() { hasRoom = false }

    func makeRoom() {
        hasRoom = true
        continuation.take()?.resume()
    }

    func waitForRoom() async {
        if hasRoom || isGone { return }
        await withCheckedContinuation { continuation = $0 }
    }
}
