// A restart that no client notices: SIGUSR2 hands the listening sockets to a new process, the old one drains.

import Foundation
import Reactor
import Synchronization
import TestSupport
import Testing

/// A gateway and those that come after it.
private final class Line {
    let gateway: GatewayProcess
    private(set) var pids: [pid_t]
    let folder: TemporaryFolder
    let notified: NotifySocket

    init(_ kind: PollerKind, _ environment: [String: String] = [:], port: Int? = nil) throws {
        let folder = try TemporaryFolder()
        notified = try NotifySocket(folder.path("notify"))
        gateway = try GatewayProcess(
            postgresURL: GatewayProcess.migratedDatabase(),
            environment: [
                "GATEWAY_REACTORS": "2", "GATEWAY_WORKER_RATE_PER_MINUTE": "0", "GATEWAY_IO_BACKEND": kind.rawValue,
                "NOTIFY_SOCKET": folder.path("notify"),
            ].merging(environment) { $1 }, port: port)
        self.folder = folder
        pids = [gateway.pid]
        try eventually("all is connected") { try gateway.exchange("GET", "/health/ready").status == 200 }
    }

    deinit {
        for pid in pids.dropFirst() {
            if Self.isAlive(pid) { kill(pid, SIGKILL) }
            TestRun.forget(child: pid)
        }
    }

    /// A process that has ended may have nobody to bury it.
    static func isAlive(_ pid: pid_t) -> Bool {
        guard let stat = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
            let bracket = stat.lastIndex(of: ")")
        else { return false }
        return stat[stat.index(bracket, offsetBy: 2)] != "Z"
    }

    func lines(_ message: String) -> [[String: Any]] {
        gateway.log.split(separator: "\n").compactMap { line in
            // Lines of other programs are none of ours.
            let object = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            return object?["message"] as? String == message ? object : nil
        }
    }

    /// Has the newest hand over, and waits until its successor serves.
    func restart() throws {
        let before = lines("handed over").count
        kill(try #require(pids.last), SIGUSR2)
        try eventually("a successor serves", deadlineSeconds: 60) { lines("handed over").count == before + 1 }
        let pid = try #require(Int32("\(lines("handed over").last?["pid"] ?? "")"))
        TestRun.record(child: pid)
        pids.append(pid)
    }

    func waitForEnd(of pid: pid_t) throws {
        if pid == gateway.pid { #expect(try gateway.waitForExit() == .exited(0)) }
        try eventually("\(pid) ends", deadlineSeconds: 60) { !Self.isAlive(pid) }
    }

    /// Ends the newest.
    func end() throws {
        let last = try #require(pids.last)
        kill(last, SIGTERM)
        try waitForEnd(of: last)
    }
}

/// What a service manager is told.
private final class NotifySocket {
    private let descriptor: Int32

    init(_ path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        let isBound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, size) == 0 }
        }
        guard isBound else { throw TestFailure("cannot bind \(path)") }
    }

    deinit { close(descriptor) }

    /// All that has been told since the last time.
    func take() -> [String] {
        var texts: [String] = []
        var bytes = [UInt8](repeating: 0, count: 4096)
        while case let count = recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT)), count > 0 {
            texts.append(String(decoding: bytes[..<count], as: UTF8.self))
        }
        return texts
    }
}

/// Requests of a closed loop, until it is told to stop; the first that fails ends it.
private final class ClosedLoop: Sendable {
    private let isStopped = Atomic(false)
    let answered = Atomic(0)
    let closings = Atomic(0)
    private let failure = Locked<String?>(nil)
    private let running: Locked<Int>

    /// - Parameter isKept: over one connection for as long as the gateway lets it live.
    init(port: Int, kept: Int, fresh: Int) {
        running = Locked(kept + fresh)
        for index in 0..<kept + fresh {
            Thread.detachNewThread { [self] in
                do {
                    try run(port: port, id: "w\(index)", isKept: index < kept)
                } catch {
                    failure.withLock { $0 = $0 ?? "\(index): \(error)" }
                }
                running.withLock { $0 -= 1 }
            }
        }
    }

    private func run(port: Int, id: String, isKept: Bool) throws {
        let headers = [("X-Worker-Token", GatewayProcess.workerToken), ("X-Worker-ID", id)]
        var kept: RawHTTP?
        var number = 0
        while !isStopped.load(ordering: .relaxed) {
            let http = try kept ?? RawHTTP(port: port, timeoutSeconds: 60)
            number += 1
            let answer =
                switch number % 4 {
                case 0: try http.exchange("GET", "/health")
                case 1: try http.exchange("POST", "/internal/results", headers: headers, body: "[\(Sample.result(id))]")
                case 2: try http.exchange("GET", "/internal/work", headers: headers)
                default: try http.exchange("POST", "/internal/heartbeat", headers: headers, body: Sample.heartbeat())
                }
            guard answer.status == 200 else { throw TestFailure("\(answer.status): \(answer.bodyText)") }
            answered.add(1, ordering: .relaxed)
            let closes = answer.header("Connection") == "close"
            if closes { closings.add(1, ordering: .relaxed) }
            kept = isKept && !closes ? http : nil
        }
    }

    func stop() throws {
        isStopped.store(true, ordering: .relaxed)
        try eventually("all clients end", deadlineSeconds: 90) { running.withLock { $0 == 0 } }
        if let failure = failure.withLock({ $0 }) { throw TestFailure(failure) }
    }

    /// Waits for so many more answers.
    func advance(_ count: Int) throws {
        let goal = answered.load(ordering: .relaxed) + count
        try eventually("\(count) more answers", deadlineSeconds: 60) {
            answered.load(ordering: .relaxed) >= goal || failure.withLock { $0 != nil }
        }
    }
}

@Suite struct SuccessionTests {
    @Test(arguments: PollerKind.usable)
    func `ten restarts under load fail no request`(_ kind: PollerKind) throws {
        let line = try Line(kind)
        let load = ClosedLoop(port: line.gateway.port, kept: 4, fresh: 4)
        for _ in 0..<10 {
            try load.advance(100)
            try line.restart()
            // Few messages fit into the socket; a manager reads them.
            _ = line.notified.take()
        }
        try load.advance(100)
        try load.stop()
        // Kept connections were told that they end.
        #expect(load.closings.load(ordering: .relaxed) >= 4)
        for pid in line.pids.dropLast() { try line.waitForEnd(of: pid) }
        #expect(line.pids.count == 11)
        #expect(Line.isAlive(try #require(line.pids.last)))
        try line.end()
        #expect(line.lines("stopped").count == 11)
    }

    @Test(arguments: PollerKind.usable)
    func `a request in flight is answered by the old process, and the idle connection of one that stays away ends`(
        _ kind: PollerKind
    ) throws {
        let line = try Line(kind)
        let worker = try WorkerClient(port: line.gateway.port, id: "busy")
        let request = RawHTTP.request(
            "POST", "/internal/heartbeat", headers: worker.headers, body: Sample.heartbeat())
        try worker.http.send(RawHTTP.request("GET", "/health") + request.dropLast())
        #expect(try worker.http.readResponse().status == 200)
        let idle = try RawHTTP(port: line.gateway.port, timeoutSeconds: 60)
        try idle.expectKept()
        let talking = try RawHTTP(port: line.gateway.port, timeoutSeconds: 60)
        try talking.expectKept()
        try line.restart()
        #expect(line.gateway.isRunning)
        // Readiness is the successor's: a balancer that asks over an old connection is not sent away.
        let answer = try talking.exchange("GET", "/health/ready")
        #expect(answer.status == 200)
        #expect(answer.header("Connection") == "close")
        try worker.http.send(Array(request.suffix(1)))
        let last = try worker.http.readResponse()
        #expect(last.status == 200)
        #expect(last.header("Connection") == "close")
        try idle.expectClosed()
        for client in [idle, talking, worker.http] { client.close() }
        try line.waitForEnd(of: line.gateway.pid)
        #expect(try line.gateway.exchange("GET", "/health").status == 200)
        try line.end()
    }

    @Test func `a service manager is told who serves`() throws {
        let line = try Line(.underTest)
        #expect(line.notified.take() == ["READY=1"])
        try line.restart()
        #expect(line.notified.take() == ["READY=1", "MAINPID=\(line.pids[1])"])
        try line.waitForEnd(of: line.gateway.pid)
        #expect(line.notified.take().isEmpty)
        try line.end()
        #expect(line.notified.take() == ["STOPPING=1"])
    }

    @Test func `a successor that cannot start leaves the old process as it was`() throws {
        let folder = try TemporaryFolder()
        try folder.write("", to: "env")
        let gateway = try GatewayProcess(
            postgresURL: Services.shared.postgresURL, arguments: ["serve", "--env-file", folder.path("env")])
        let kept = try RawHTTP(port: gateway.port, timeoutSeconds: 60)
        try kept.expectKept()
        try folder.write("GATEWAY_PIPELINE_MAX=none\n", to: "env")
        for attempt in 1...2 {
            gateway.signal(SIGUSR2)
            try eventually("it is told", deadlineSeconds: 60) {
                gateway.log.components(separatedBy: "the new process did not serve").count == attempt + 1
            }
        }
        #expect(gateway.log.contains("GATEWAY_PIPELINE_MAX"))
        try kept.expectKept()
        #expect(try gateway.exchange("GET", "/health").status == 200)
        #expect(try gateway.terminate() == .exited(0))
    }

    @Test func `Unix sockets and free ports are handed over too, and the last process removes the file`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("s")
        let port = try FreePort.next()
        let line = try Line(
            .underTest, ["GATEWAY_LISTENERS": "all=127.0.0.1:\(port),all=\(path),all=127.0.0.2:0"], port: port)
        func freePort(_ index: Int) throws -> String {
            let lines = line.lines("listening").filter { "\($0["address"] ?? "")".hasPrefix("127.0.0.2") }
            return try #require(lines[index]["port"] as? String)
        }
        let chosen = try freePort(0)
        try line.restart()
        #expect(try freePort(1) == chosen)
        try line.waitForEnd(of: line.gateway.pid)
        #expect(try RawHTTP(unixPath: path, timeoutSeconds: 60).exchange("GET", "/health").status == 200)
        try line.end()
        #expect(!FileManager.default.fileExists(atPath: path))
    }
}
