import Reactor
import Testing

@testable import Gateway

@Suite struct BusyMeterTests {
    @Test func `a window says which share of it was work, and the next begins anew`() {
        var meter = BusyMeter()
        #expect(meter.add(worked: .milliseconds(100), waited: .milliseconds(400)) == nil)
        #expect(meter.add(worked: .milliseconds(150), waited: .milliseconds(350)) == 0.25)
        #expect(meter.add(worked: .milliseconds(1000), waited: .zero) == 1)
        #expect(meter.add(worked: .zero, waited: .milliseconds(999)) == nil)
    }
}
