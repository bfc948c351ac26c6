// A simulated worker's requests, driven without a socket: what it sends follows from what it was answered.

import Foundation
import Reactor
import TestSupport
import Testing

@testable import Bench

@Suite struct WorkerScenarioTests {
    private let start = Instant(nanoseconds: 1_000_000_000)

    private func scenario(
        workers: Int = 1, capacity: Int = 1, heartbeat: Double? = nil, failShare: Double = 0, submits: Bool = false,
        opsToken: String? = nil, tasksMax: Int? = nil, share: LoopShare = LoopShare(index: 0, count: 1)
    ) -> WorkerScenario {
        let rhythm = WorkerLife.Rhythm(
            heartbeat: heartbeat.map { .seconds($0) }, process: .milliseconds(100), emptyWait: .milliseconds(50),
            jitter: 0)
        var settings = WorkerScenario.Settings(workers: workers, rhythm: rhythm, runName: "run")
        settings.capacity = capacity
        settings.failShare = failShare
        settings.submitsResults = submits
        settings.opsToken = opsToken
        let scenario = WorkerScenario(
            target: testTarget, identity: testIdentity, base: "/internal", settings: settings,
            supply: TaskSupply(tasksMax: tasksMax), share: share, seed: 1)
        scenario.begin(at: start)
        return scenario
    }

    private func answer(
        _ scenario: WorkerScenario, _ ticket: Ticket, _ body: String, status: Int = 200, now: Instant
    ) -> Verdict {
        let bytes = Array(body.utf8)
        return scenario.answered(ticket, status: status, body: bytes.span.bytes, now: now)
    }

    private func pullAnswer(_ ids: [String]) -> String {
        let tasks = ids.map { #"{"priority":3,"task_id":"\#($0)","target":{"a":[1]},"attempt":2}"# }
        return #"{"tasks":[\#(tasks.joined(separator: ","))],"retry_after":3,"lease_seconds":300}"#
    }

    @Test func `a pulled task is completed after its time, with its attempt`() throws {
        let scenario = scenario(capacity: 2)
        let (pull, request) = try written(by: scenario)
        #expect(request.method == "GET" && request.target == "/internal/work?capacity=2&platforms=bench")
        #expect(request.headers["x-worker-id"] == "w-0")
        #expect(scenario.nextDue == nil, "one request at a time")
        #expect(answer(scenario, pull, pullAnswer(["t/1", "t2"]), now: start) == .good)
        #expect(scenario.nextDue == start + .milliseconds(100))
        let (first, complete) = try written(by: scenario)
        #expect(complete.target == "/internal/tasks/t%2F1/complete")
        #expect(complete.body == #"{"duration_ms":250,"attempt":2}"#)
        #expect(answer(scenario, first, #"{"status":"ok","success":true}"#, now: start) == .good)
        let (second, next) = try written(by: scenario)
        #expect(next.target == "/internal/tasks/t2/complete")
        #expect(answer(scenario, second, #"{"success":false,"reason":"not_leased"}"#, now: start) == .good)
        #expect(try written(by: scenario).1.method == "GET")
        let tally = scenario.tally
        #expect((tally.pulled, tally.completed, tally.notHeld) == (2, 2, 1))
    }

    @Test func `tasks that fail are failed for good`() throws {
        let scenario = scenario(failShare: 1)
        let (pull, _) = try written(by: scenario)
        _ = answer(scenario, pull, pullAnswer(["t"]), now: start)
        let (ticket, request) = try written(by: scenario)
        #expect(request.target == "/internal/tasks/t/fail")
        let body = try JSONSerialization.jsonObject(with: Data(request.body.utf8)) as? [String: Any]
        #expect(body?["retry_suggested"] as? Bool == false && body?["attempt"] as? Int == 2)
        _ = answer(scenario, ticket, #"{"should_retry":false}"#, now: start)
        #expect(scenario.tally.failed == 1)
    }

    @Test func `tasks end by a result where that is wanted`() throws {
        let scenario = scenario(submits: true)
        let (pull, _) = try written(by: scenario)
        _ = answer(scenario, pull, pullAnswer(["t-9"]), now: start)
        let (ticket, request) = try written(by: scenario)
        #expect(request.target == "/internal/results")
        let items = try JSONSerialization.jsonObject(with: Data(request.body.utf8)) as? [[String: Any]]
        #expect(items?.count == 1 && items?[0]["task_id"] as? String == "t-9" && items?[0]["attempt"] as? Int == 2)
        let counts = #"{"inserted":1,"updated":0,"stale":0,"failed":0,"errors":[],"failures":[]}"#
        #expect(answer(scenario, ticket, counts, now: start) == .good)
        #expect(scenario.figures.contains(ScenarioFigure(name: "rows inserted", value: 1)))
    }

    @Test func `what was refused or lost is tried again, with the task still held`() throws {
        let scenario = scenario()
        let (pull, _) = try written(by: scenario)
        _ = answer(scenario, pull, pullAnswer(["t"]), now: start)
        let (refused, _) = try written(by: scenario)
        #expect(answer(scenario, refused, "{}", status: 503, now: start) == .refused)
        #expect(scenario.nextDue == start + .milliseconds(500))
        let (lost, again) = try written(by: scenario)
        #expect(again.target == "/internal/tasks/t/complete")
        scenario.lost(lost, now: start)
        #expect(try written(by: scenario).1.target == "/internal/tasks/t/complete")
    }

    @Test func `an answer that is no pull's is wrong, and the worker goes on`() throws {
        let scenario = scenario()
        for body in ["<html>", "[]", #"{"status":"ok"}"#, #"{"tasks":[{"platform":"x"}]}"#, #"{"tasks":{}}"#] {
            let (pull, _) = try written(by: scenario)
            #expect(answer(scenario, pull, body, now: start) == .wrong, "\(body)")
        }
        #expect(try written(by: scenario).1.method == "GET")
    }

    @Test func `the feeder queues as many tasks as are used, and each once`() throws {
        let scenario = scenario(workers: 2, opsToken: "ops", tasksMax: 700)
        var queued: Set<String> = []
        var enqueues = 0
        for round in 0..<3000 where !scenario.isFinished {
            let now = try #require(scenario.nextDue)
            let (ticket, request) = try written(by: scenario)
            if request.target == "/internal/tasks" {
                enqueues += 1
                #expect(request.headers["x-ops-token"] == "ops" && request.headers["x-worker-token"] == nil)
                // The first attempt is refused: the same tasks come again.
                if enqueues == 1 {
                    #expect(answer(scenario, ticket, "{}", status: 503, now: now) == .refused)
                    continue
                }
                let items = try JSONSerialization.jsonObject(with: Data(request.body.utf8)) as? [[String: Any]]
                for item in try #require(items) {
                    #expect(queued.insert(try #require(item["task_id"] as? String)).inserted)
                }
                _ = answer(scenario, ticket, #"{"accepted":1}"#, now: now)
            } else if request.method == "GET" {
                _ = answer(scenario, ticket, pullAnswer(queued.isEmpty ? [] : ["t\(round)"]), now: now)
            } else {
                _ = answer(scenario, ticket, #"{"success":true}"#, now: now)
            }
        }
        #expect(scenario.isFinished && queued.count == 700)
        #expect(scenario.tally.queued == 700)
    }

    @Test func `loops share the workers, and each beats under its own id`() throws {
        var ids: Set<String> = []
        for index in 0..<3 {
            let scenario = scenario(workers: 10, heartbeat: 1, share: LoopShare(index: index, count: 3))
            while let due = scenario.nextDue, due < start + .seconds(5) {
                let (ticket, request) = try written(by: scenario)
                ids.insert(request.headers["x-worker-id"] ?? "")
                let isPull = request.method == "GET"
                // What heartbeats leave out is asked for an hour later.
                _ = answer(
                    scenario, ticket, isPull ? pullAnswer([]) : "{}",
                    now: isPull ? start + .seconds(3600) : due)
            }
        }
        #expect(ids == Set((0..<10).map { "w-\($0)" }))
    }
}
