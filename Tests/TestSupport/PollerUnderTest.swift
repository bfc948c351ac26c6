// Which of the kernel's interfaces the tests' reactors and gateways use: TEST_IO_BACKEND, else epoll.

import Foundation
import Reactor

extension PollerKind {
    /// Of every reactor and gateway that a test starts, unless the test is about this choice.
    public static let underTest: PollerKind = {
        guard let name = ProcessInfo.processInfo.environment["TEST_IO_BACKEND"] else { return .epoll }
        guard let kind = PollerKind(rawValue: name) else { fatalError("TEST_IO_BACKEND=\(name) is no backend") }
        if let refusal = kind.refusal { fatalError("TEST_IO_BACKEND=\(name): \(refusal)") }
        return kind
    }()

    /// Those that this kernel has: the pollers' contract is tested on each.
    public static let usable: [PollerKind] = allCases.filter { $0.refusal == nil }
}

extension Reactor {
    /// A reactor for a test.
    public convenience init(testDescriptorsMax descriptorsMax: Int) throws(SystemError) {
        try self.init(index: 0, descriptorsMax: descriptorsMax, kind: .underTest)
    }
}
