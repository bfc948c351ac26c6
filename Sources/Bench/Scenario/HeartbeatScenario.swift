// Heartbeats of many workers, one after the other. Owned by one load loop; allocates nothing per request.

import Reactor

final class HeartbeatScenario: Scenario {
    static let body =
        #"{"active_tasks":2,"completed_last_minute":31,"failed_last_minute":1,"platforms":["bench"],"cpu_percent":37.5,"memory_percent":61.2}"#

    let kinds = ["heartbeat"]
    let requestBytes = 512
    let readsBodies = false

    private let start: RequestText
    private let end: [UInt8]
    private let workers: Int
    private var next: Int
    private let step: Int

    /// - Parameter workers: ids that take turns, over all loops.
    init(target: Target, identity: WorkerIdentity, path: String, workers: Int, share: LoopShare) {
        start = RequestText("POST", path, target: target, headers: identity.headers, last: identity.idLine)
        end = Array("\r\nContent-Length: \(Self.body.utf8.count)\r\n\r\n\(Self.body)".utf8)
        self.workers = workers
        next = share.index % workers
        step = share.count
    }

    func write(to out: inout ByteBuffer, now: Instant) -> Ticket {
        start.append(to: &out)
        out.append(decimal: next)
        out.append(bytes: end)
        next += step
        if next >= workers { next %= workers }
        return Ticket()
    }

    func answered(_ ticket: Ticket, status: Int, body: RawSpan, now: Instant) -> Verdict {
        status == 200 ? .good : .refused
    }
}
