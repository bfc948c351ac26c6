// Which poller is used, and what the log says of it.
import Logging
import Reactor
import Testing

@testable import Gateway

@Suite struct PollerChoiceTests {
    private final class Lines: Sendable {
        let all = Locked<[String]>([])
    }

    private struct Handler: LogHandler {
        let lines: Lines
        var logLevel = Logger.Level.trace
        var metadata: Logger.Metadata = [:]
        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }
        func log(event: LogEvent) {
            lines.all.withLock { $0.append("\(event.level): \(event.message)") }
        }
    }

    private func lines(_ choice: PollerChoice) -> [String] {
        let lines = Lines()
        choice.report(to: Logger(label: "test") { _ in Handler(lines: lines) })
        return lines.all.withLock { $0 }
    }

    @Test func `what the kernel has is used as asked, without a word`() {
        for (backend, kind) in [(IOBackend.epoll, PollerKind.epoll), (.io_uring, .ioUring)] {
            let choice = PollerChoice(backend) { _ in nil }
            #expect(choice.kind == kind)
            #expect(lines(choice).isEmpty)
        }
        #expect(PollerChoice(.auto) { _ in nil }.kind == PollerChoice.preferred)
    }

    @Test(arguments: [IOBackend.auto, .io_uring])
    func `where io_uring is refused epoll is used, and one line says why`(_ backend: IOBackend) {
        let choice = PollerChoice(backend) { $0 == .ioUring ? .connectionReset : nil }
        #expect(choice.kind == .epoll)
        #expect(
            lines(choice) == ["\(backend == .auto ? "notice" : "warning"): the kernel refuses io_uring; epoll is used"])
    }

    @Test func `epoll asked for does not try the kernel`() {
        let choice = PollerChoice(.epoll) { kind in kind == .ioUring ? .connectionReset : nil }
        #expect(choice.kind == .epoll && choice.refusal == nil)
    }
}
