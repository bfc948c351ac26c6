// What one load loop has measured since it last told the recorder. Owned by the loop; a second's worth at most, then it
// is added to the recorder's totals. Recording allocates nothing.

import Reactor

/// Times of one kind of request.
final class KindMeter {
    /// From the planned send (open loop) or the send (closed loop) to the end of the answer.
    var latency = Latencies()
    /// From the send to the end of the answer.
    var service = Latencies()

    func reset() {
        latency.reset()
        service.reset()
    }
}

final class Meter {
    let kinds: [KindMeter]
    var tally = Tally()
    /// Time that the loop worked and waited, while measuring.
    var worked = Interval.zero
    var waited = Interval.zero
    /// Whether both times of a request are of interest.
    let hasPlan: Bool

    init(kindCount: Int, hasPlan: Bool) {
        kinds = (0..<kindCount).map { _ in KindMeter() }
        self.hasPlan = hasPlan
    }

    func record(kind: Int, latency: Interval, service: Interval) {
        let meter = kinds[kind]
        meter.latency.record(latency)
        if hasPlan { meter.service.record(service) }
    }

    func reset() {
        tally.reset()
        for kind in kinds { kind.reset() }
        worked = .zero
        waited = .zero
    }
}
