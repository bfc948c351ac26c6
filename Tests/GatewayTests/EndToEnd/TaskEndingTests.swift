// How a task ends: completed by word or by result, once; failed, retried, fenced, dead. Source: api.md sections 2 and 5.

import Foundation
import TestSupport
import Testing

@Suite struct TaskEndingTests {
    /// A worker that holds one new task; its platform is the task's name.
    private func holder(_ live: Live, kind: String = "parcel") throws -> (worker: WorkerClient, task: String) {
        let worker = try live.worker()
        let task = Fresh.name("task")
        let platform = task
        _ = try worker.enqueue([Sample.task(task, platform: platform)], kind: kind)
        #expect(try worker.pull("platforms=\(platform)", kind: kind).map(\.id) == [task])
        return (worker, task)
    }

    private func outcome(_ answer: [String: Any]) -> String {
        let reason = answer["reason"] as? String
        return answer["success"] as? Bool == true ? "ok" : reason ?? "none"
    }

    @Test func `a task is completed once, by its holder`() throws {
        let live = try Live.shared
        let (worker, task) = try holder(live)
        #expect(try outcome(live.worker().complete(task)) == "not_leased")
        let body = "{\"duration_ms\":12.7,\"bytes_downloaded\":100000,\"fields_parsed\":93,\"attempt\":1}"
        let first = try worker.call("POST", "/internal/tasks/\(task)/complete", body: body)
        #expect(first["status"] as? String == "ok")
        #expect(outcome(first) == "ok")
        #expect(try outcome(worker.complete(task)) == "not_leased")
        #expect(try !QueueView(live).isKnown(task))
        #expect(try outcome(worker.complete("never-there")) == "not_leased")
    }

    @Test func `of many completions at once one is the first`() throws {
        let live = try Live.shared
        let (worker, task) = try holder(live)
        let id = worker.id
        let outcomes = try concurrently(8) { _ in try live.worker(id).complete(task)["success"] as? Bool == true }
        #expect(outcomes.filter { $0 }.count == 1)
    }

    @Test func `a result completes its task, whoever holds the lease or none does`() throws {
        let live = try Live.shared
        let (worker, task) = try holder(live)
        let other = try live.worker()
        #expect(try other.submit([Sample.result(task, ["task_id": "\"\(task)\""])]).inserted == 1)
        #expect(try !QueueView(live).isKnown(task))
        #expect(try outcome(worker.complete(task)) == "not_leased")

        let waiting = Fresh.name("waiting")
        let platform = Fresh.name("platform")
        _ = try other.enqueue([Sample.task(waiting, platform: platform)])
        #expect(try other.submit([Sample.result(waiting, ["task_id": "\"\(waiting)\""])]).inserted == 1)
        #expect(try !QueueView(live).isKnown(waiting))
        #expect(try other.pull("platforms=\(platform)").isEmpty)
    }

    @Test func `a stale result completes its task too`() throws {
        let live = try Live.shared
        let (worker, task) = try holder(live)
        let parcel = Fresh.name("parcel")
        _ = try worker.submit([Sample.result(parcel, ["scraped_at": "\"2026-02-04T10:00:00Z\""])])
        let old = Sample.result(parcel, ["scraped_at": "\"2026-02-03T10:00:00Z\"", "task_id": "\"\(task)\""])
        #expect(try worker.submit([old]) == ResultsAnswer(stale: 1))
        #expect(try !QueueView(live).isKnown(task))
    }

    @Test func `the kinds do not know each other's tasks`() throws {
        let live = try Live.shared
        let (worker, task) = try holder(live, kind: "party")
        #expect(try outcome(worker.complete(task)) == "not_leased")
        #expect(try worker.submit([Sample.result(task, ["task_id": "\"\(task)\""])]).inserted == 1)
        #expect(try QueueView(live, kind: "party").isLeased(task))
        #expect(try outcome(worker.complete(task, kind: "party")) == "ok")
    }

    @Test func `a task id in a path is percent-decoded`() throws {
        let live = try Live.shared
        let worker = try live.worker()
        let platform = Fresh.name("platform")
        let task = "a/b c?\(Fresh.name("ü"))"
        _ = try worker.enqueue([Sample.task(task, platform: platform)])
        #expect(try worker.pull("platforms=\(platform)").map(\.id) == [task])
        let escaped = try #require(task.addingPercentEncoding(withAllowedCharacters: .alphanumerics))
        #expect(try outcome(worker.complete(escaped)) == "ok")
    }

    // MARK: Failing, with retries that come at once

    private static let quickResult = Result {
        try Live(["GATEWAY_RETRY_BASE_SECONDS": "0", "GATEWAY_WORKER_RATE_PER_MINUTE": "0"])
    }
    private static var quick: Live { get throws { try quickResult.get() } }

    @Test func `an older attempt is superseded, and its result is stored without touching the task`() throws {
        let live = try Self.quick
        let (worker, task) = try holder(live)
        #expect(try worker.fail(task)["should_retry"] as? Bool == true)
        let again = try eventuallyValue("the task comes again") {
            try worker.pull("platforms=\(task)").first
        }
        #expect(again.attempt == 2)
        #expect(try outcome(worker.complete(task, attempt: 1)) == "superseded")
        #expect(try outcome(worker.fail(task, body: "{\"attempt\":1}")) == "superseded")
        let parcel = Fresh.name("parcel")
        let late = Sample.result(parcel, ["task_id": "\"\(task)\"", "attempt": "1"])
        #expect(try worker.submit([late]) == ResultsAnswer(inserted: 1))
        #expect(try QueueView(live).isLeased(task))
        #expect(try worker.submit([Sample.result(parcel, ["task_id": "\"\(task)\"", "attempt": "2"])]).updated == 1)
        #expect(try !QueueView(live).isKnown(task))
    }

    @Test func `the fourth failure, or one without hope, is the last`() throws {
        let live = try Self.quick
        let queue = try QueueView(live)
        let (worker, task) = try holder(live)
        for attempt in 1...4 {
            let answer = try worker.fail(task, body: "{\"reason\":\"timeout\",\"message\":\"no \\\"answer\\\"\"}")
            #expect(outcome(answer) == "ok")
            #expect(answer["attempt"] as? Int == attempt)
            #expect(answer["retry_after"] as? Int == 0)
            #expect(answer["should_retry"] as? Bool == (attempt < 4))
            #expect(answer["moved_to_dlq"] as? Bool == (attempt == 4))
            if attempt < 4 {
                _ = try eventuallyValue("the task comes again") {
                    try worker.pull("platforms=\(task)").first
                }
            }
        }
        #expect(try queue.isKnown(task))
        #expect(try !queue.isLeased(task))
        #expect(try outcome(worker.fail(task)) == "not_leased")

        let (other, hopeless) = try holder(live)
        let answer = try other.fail(hopeless, body: "{\"reason\":\"format_changed\",\"retry_suggested\":false}")
        #expect(answer["moved_to_dlq"] as? Bool == true)
        #expect(answer["should_retry"] as? Bool == false)
    }

    @Test func `a retried task waits out its delay`() throws {
        let live = try Live.shared
        let (worker, task) = try holder(live)
        let answer = try worker.fail(task, body: "{\"reason\":\"rate_limited\"}")
        #expect(answer["retry_after"] as? Int == 30)
        #expect(answer["should_retry"] as? Bool == true)
        let queue = try QueueView(live)
        #expect(try queue.isKnown(task))
        #expect(try !queue.isLeased(task))
        #expect(try outcome(worker.complete(task)) == "not_leased")
        #expect(try worker.enqueue([Sample.task(task)])["duplicates"] as? Int == 1)
    }

    @Test func `failing a task that is not held changes nothing`() throws {
        let live = try Live.shared
        let (_, task) = try holder(live)
        let answer = try live.worker().fail(task)
        #expect(outcome(answer) == "not_leased")
        #expect(answer["should_retry"] as? Bool == false)
        #expect(try QueueView(live).isLeased(task))
    }

    // MARK: Heartbeats

    @Test func `a heartbeat is noted, and brings waiting commands once, in order`() throws {
        let live = try Live.shared
        let queue = try QueueView(live)
        let worker = try live.worker()
        let answer = try worker.heartbeat()
        #expect(answer["acknowledged"] as? Bool == true)
        #expect(answer["commands"] as? [String] == [])
        #expect(answer["lost_task_ids"] == nil)
        #expect(try queue.status(of: worker.id) == Sample.heartbeat())
        for command in ["pause", "config_update", "resume"] { try queue.leave(command, for: worker.id) }
        #expect(try worker.heartbeat()["commands"] as? [String] == ["pause", "config_update", "resume"])
        #expect(try worker.heartbeat()["commands"] as? [String] == [])
        try queue.leave("shutdown", for: worker.id)
        #expect(try worker.heartbeat(",\"task_ids\":[]")["commands"] as? [String] == ["shutdown"])
    }

    @Test func `a heartbeat that lists tasks is told which of them are lost`() throws {
        let live = try Live.shared
        let (worker, task) = try holder(live)
        let listed = ",\"task_ids\":[\"\(task)\",\"never-there\"]"
        #expect(try worker.heartbeat(listed)["lost_task_ids"] as? [String] == ["never-there"])
        _ = try worker.complete(task)
        #expect(try worker.heartbeat(listed)["lost_task_ids"] as? [String] == [task, "never-there"])
        #expect(try worker.heartbeat(",\"task_ids\":[]")["lost_task_ids"] as? [String] == [])
    }

    @Test func `a heartbeat may list ten thousand tasks, more than a script unpacks at once`() throws {
        let (worker, task) = try holder(Live.shared)
        let strangers = (0..<9999).map { "stranger-\($0)" }
        for listed in [strangers + [task], [task] + strangers] {
            let names = listed.map { "\"\($0)\"" }.joined(separator: ",")
            #expect(try worker.heartbeat(",\"task_ids\":[\(names)]")["lost_task_ids"] as? [String] == strangers)
        }
    }

    @Test func `a heartbeat gives back what is out longer than the delivery time and not listed`() throws {
        let live = try Live(["GATEWAY_DELIVERY_SECONDS": "0.05", "GATEWAY_WORKER_RATE_PER_MINUTE": "0"])
        let (worker, task) = try holder(live)
        try eventually("the task went back") {
            _ = try worker.heartbeat(",\"task_ids\":[]")
            return try !QueueView(live).isLeased(task)
        }
        let again = try live.worker().pull("capacity=1")
        #expect(again.map(\.id) == [task])
        // Its answer was lost, which counts for nothing.
        #expect(again.first?.attempt == 1)
    }
}
