// What operators ask and do: figures, dead letters, the fleet, commands, cancelling. Against built gateways.

import Foundation
import TestSupport
import Testing

@Suite struct QueueOpsTests {
    private func kill(_ fleet: FleetFixture, _ ids: String...) throws {
        for id in ids {
            try fleet[0].enqueue(id)
            #expect(try fleet[0].pull("killer", "capacity=1").map(\.id) == [id])
            try fleet[0].fail("killer", id, #"{"reason":"parser_bug","message":"no table","retry_suggested":false}"#)
        }
    }

    @Test func `every ops endpoint wants the ops token, whatever else is sent`() throws {
        let fleet = try FleetFixture(1)
        for (method, path) in [
            ("GET", "queue"), ("GET", "dlq"), ("POST", "dlq/requeue"), ("DELETE", "dlq"), ("GET", "workers"),
            ("POST", "workers/w/commands"), ("DELETE", "tasks/t"),
        ] {
            for prefix in ["/internal", "/internal/parcel", "/internal/party"] {
                let response = try fleet[0].exchange(
                    method, "\(prefix)/\(path)?limit=nonsense",
                    headers: TestSupport.GatewayProcess.headers(worker: "w"), body: method == "GET" ? nil : "{")
                #expect(response.status == 401, "\(method) \(prefix)/\(path)")
                #expect(response.errorCode == "UNAUTHORIZED")
            }
        }
    }

    @Test func `the queue's figures tell what is queued, leased, delayed and dead, by kind, platform and priority`()
        throws
    {
        let fleet = try FleetFixture(1)
        try kill(fleet, "dead")
        try fleet[0].enqueue("a1", "a2", "a3", platform: "beacon")
        try fleet[0].enqueue("b1", platform: "qpublic", priority: 1, tier: 4)
        try fleet[0].enqueue("p1", platform: "beacon", priority: 4, kind: "party")
        #expect(try fleet[0].pull("w", "capacity=2&platforms=beacon").count == 2)
        try fleet[0].fail("w", "a1")
        let answer = try fleet[0].ops("GET", "/internal/queue").jsonObject()
        let kinds = try #require(answer["kinds"] as? [String: [String: Any]])
        let parcel = try #require(kinds["parcel"])
        #expect(parcel["queued"] as? Int == 2)
        #expect(parcel["leased"] as? Int == 1)
        #expect(parcel["delayed"] as? Int == 1)
        #expect(parcel["dead"] as? Int == 1)
        #expect((parcel["oldest_seconds"] as? Int ?? -1) >= 0)
        let platforms = try #require(parcel["platforms"] as? [String: [String: Int]])
        #expect(platforms["beacon"] == ["1": 0, "2": 0, "3": 1, "4": 0])
        #expect(platforms["qpublic"] == ["1": 1, "2": 0, "3": 0, "4": 0])
        #expect((kinds["party"]?["platforms"] as? [String: [String: Int]])?["beacon"]?["4"] == 1)
        let party = try fleet[0].ops("GET", "/internal/party/queue").jsonObject()["kinds"] as? [String: Any]
        #expect(party?.keys.sorted() == ["party"])
    }

    @Test func `dead letters are paged with their last error, requeued and deleted`() throws {
        let fleet = try FleetFixture(1)
        try kill(fleet, "d1", "d2", "d3", "d4")
        let first = try fleet[0].ops("GET", "/internal/dlq?limit=3").jsonObject()
        let tasks = try #require(first["tasks"] as? [[String: Any]])
        #expect(tasks.map { $0["task_id"] as? String } == ["d1", "d2", "d3"])
        #expect(first["total"] as? Int == 4)
        #expect(tasks[0]["error"] as? [String: String] == ["reason": "parser_bug", "message": "no table"])
        #expect(tasks[0]["attempts"] as? Int == 1)
        #expect((tasks[0]["target"] as? [String: Any])?["id"] as? String == "d1")
        #expect((tasks[0]["died_at"] as? String)?.hasSuffix("Z") == true)
        let cursor = try #require(first["next_cursor"] as? String)
        let second = try fleet[0].ops("GET", "/internal/dlq?limit=3&cursor=\(cursor)").jsonObject()
        #expect((second["tasks"] as? [[String: Any]])?.map { $0["task_id"] as? String } == ["d4"])
        #expect(second["next_cursor"] is NSNull)

        let requeued = try fleet[0].ops("POST", "/internal/dlq/requeue", #"{"task_ids":["d2","unknown"]}"#)
        #expect(try requeued.jsonObject()["requeued"] as? Int == 1)
        #expect(try fleet[0].pull("w") == [FleetTask(id: "d2", attempt: 2)])
        let deleted = try fleet[0].ops("DELETE", "/internal/dlq", #"{"task_ids":["d1"]}"#)
        #expect(try deleted.jsonObject()["deleted"] as? Int == 1)
        #expect(try fleet[0].ops("DELETE", "/internal/dlq", #"{"all":true}"#).jsonObject()["deleted"] as? Int == 2)
        #expect(try fleet[0].figures()["dead"] as? Int == 0)
        // Deleted is forgotten: the id may be queued again.
        try fleet[0].enqueue("d1")
    }

    @Test func `more dead letters than one step takes are moved by one request`() throws {
        let fleet = try FleetFixture(1)
        let ids = (0..<1200).map { "d\($0)" }
        let tasks = ids.map { #"{"task_id":"\#($0)","platform":"beacon","target":{}}"# }.joined(separator: "\n")
        #expect(try fleet[0].ops("POST", "/internal/tasks", tasks).jsonObject()["accepted"] as? Int == 1200)
        var buried = 0
        while buried < ids.count {
            for task in try fleet[0].pull("killer", "capacity=100") {
                try fleet[0].fail("killer", task.id, #"{"retry_suggested":false}"#)
                buried += 1
            }
        }
        let answer = try fleet[0].ops("POST", "/internal/dlq/requeue", #"{"all":true}"#).jsonObject()
        #expect(answer["requeued"] as? Int == 1200)
        #expect(try fleet[0].figures()["queued"] as? Int == 1200)
    }

    @Test func `what a request about dead letters lacks is named`() throws {
        let fleet = try FleetFixture(1)
        for (body, field) in [
            ("{}", "task_ids"), (#"{"all":false}"#, "task_ids"), (#"{"all":"yes"}"#, "all"),
            (#"{"task_ids":"t"}"#, "task_ids"), (#"{"task_ids":[1]}"#, "task_ids"),
            (#"{"task_ids":["t"],"all":true}"#, "task_ids"),
        ] {
            for (method, path) in [("POST", "/internal/dlq/requeue"), ("DELETE", "/internal/dlq")] {
                let response = try fleet[0].ops(method, path, body)
                #expect(response.status == 422, "\(body)")
                let error = try response.jsonObject()["error"] as? [String: Any]
                #expect((error?["details"] as? [String: Any])?["field"] as? String == field, "\(body)")
            }
        }
        #expect(try fleet[0].ops("POST", "/internal/dlq/requeue", "{").status == 400)
        for query in ["limit=0", "limit=1001", "limit=x", "cursor=x", "cursor=%zz"] {
            #expect(try fleet[0].ops("GET", "/internal/dlq?\(query)").errorCode == "INVALID_REQUEST", "\(query)")
        }
    }

    @Test func `the fleet is paged by worker id, all or those of a platform`() throws {
        let fleet = try FleetFixture(1, environment: ["GATEWAY_LEASE_SECONDS": "0.5"])
        for worker in ["w1", "w2", "w3"] { try fleet[0].heartbeat(worker) }
        try fleet[0].enqueue("t", platform: "qpublic")
        let status =
            #"{"active_tasks":1,"completed_last_minute":0,"failed_last_minute":0,"platforms":["qpublic"],"cpu_percent":1,"memory_percent":1}"#
        _ = try fleet[0].worker("w4", "POST", "/internal/heartbeat", status)
        #expect(try fleet[0].pull("w4").count == 1)
        func page(_ query: String) throws -> (ids: [String], next: String?, workers: [[String: Any]], total: Int) {
            let answer = try fleet[0].ops("GET", "/internal/workers?\(query)").jsonObject()
            let workers = answer["workers"] as? [[String: Any]] ?? []
            return (
                workers.compactMap { $0["worker_id"] as? String }, answer["next_cursor"] as? String, workers,
                answer["total"] as? Int ?? -1
            )
        }
        let first = try page("limit=3")
        #expect(first.ids == ["w1", "w2", "w3"])
        #expect(first.total == 4)
        let second = try page("limit=3&cursor=\(first.next ?? "")")
        #expect(second.ids == ["w4"])
        #expect(second.next == nil)
        #expect(second.workers[0]["leases"] as? Int == 1)
        #expect(second.workers[0]["kind"] as? String == "parcel")
        #expect((second.workers[0]["status"] as? [String: Any])?["active_tasks"] as? Int == 1)
        #expect((second.workers[0]["last_seen"] as? String)?.hasSuffix("Z") == true)
        #expect(try page("platform=qpublic").ids == ["w4"])
        let beacon = try page("platform=beacon&limit=2")
        #expect(beacon.ids == ["w1", "w2"])
        #expect(try page("platform=beacon&limit=2&cursor=\(beacon.next ?? "")").ids == ["w3"])
        try eventually("w1 is no longer alive") { try page("limit=1").workers[0]["alive"] as? Bool == false }
        try fleet[0].heartbeat("w1")
        #expect(try page("limit=1").workers[0]["alive"] as? Bool == true)
    }

    @Test func `commands reach one worker, or all that are alive, with the next heartbeat and in order`() throws {
        let fleet = try FleetFixture(2)
        for worker in ["w1", "w2"] { try fleet[0].heartbeat(worker) }
        func command(_ name: String, to worker: String) throws -> HTTPResponse {
            try fleet[1].ops("POST", "/internal/workers/\(worker)/commands", #"{"command":"\#(name)"}"#)
        }
        #expect(try command("pause", to: "w1").status == 202)
        let all = try command("config_update", to: "*")
        #expect(all.status == 202)
        #expect(try all.jsonObject()["workers"] as? Int == 2)
        #expect(try command("resume", to: "w1").status == 202)
        let told = try fleet[0].heartbeat("w1")["commands"] as? [String]
        #expect(told == ["pause", "config_update", "resume"])
        #expect(try fleet[0].heartbeat("w1")["commands"] as? [String] == [])
        // Also to a heartbeat that lists its tasks.
        #expect(try fleet[0].heartbeat("w2", holding: [])["commands"] as? [String] == ["config_update"])
        #expect(try command("pause", to: "nobody").status == 404)
        let unknown = try command("explode", to: "w1")
        #expect(unknown.status == 422)
        #expect(unknown.bodyText.contains("\"field\":\"command\""))
        for _ in 0..<100 { #expect(try command("pause", to: "w1").status == 202) }
        #expect(try command("pause", to: "w1").errorCode == "CONFLICT")
    }

    @Test func `a task is cancelled wherever it is, and its holder is told`() throws {
        let fleet = try FleetFixture(2)
        try kill(fleet, "dead")
        try fleet[0].enqueue("delayed")
        #expect(try fleet[0].pull("w").count == 1)
        try fleet[0].fail("w", "delayed")
        try fleet[0].enqueue("leased")
        #expect(try fleet[0].pull("w").count == 1)
        try fleet[0].enqueue("waiting")
        for (id, holder) in [("dead", nil), ("delayed", nil), ("leased", "w"), ("waiting", nil)] as [(String, String?)]
        {
            let response = try fleet[1].ops("DELETE", "/internal/tasks/\(id)")
            #expect(response.status == 200, "\(id)")
            #expect(try response.jsonObject()["worker_id"] as? String == holder, "\(id)")
            #expect(try fleet[1].ops("DELETE", "/internal/tasks/\(id)").errorCode == "NOT_FOUND", "\(id)")
        }
        #expect(try fleet[0].heartbeat("w", holding: ["leased"])["lost_task_ids"] as? [String] == ["leased"])
        #expect(try fleet[0].complete("w", "leased")["reason"] as? String == "not_leased")
        let figures = try fleet[0].figures()
        for name in ["queued", "leased", "delayed", "dead"] { #expect(figures[name] as? Int == 0, "\(name)") }
    }

    @Test func `the two kinds have queues, dead letters and fleets of their own`() throws {
        let fleet = try FleetFixture(1)
        try fleet[0].enqueue("t", kind: "parcel")
        try fleet[0].enqueue("t", kind: "party")
        try fleet[0].heartbeat("w", kind: "party")
        #expect(try fleet[0].ops("DELETE", "/internal/party/tasks/t").status == 200)
        #expect(try fleet[0].ops("DELETE", "/internal/party/tasks/t").status == 404)
        #expect(try fleet[0].pull("p", kind: "party").isEmpty)
        #expect(try fleet[0].pull("w").map(\.id) == ["t"])
        let workers = try fleet[0].ops("GET", "/internal/party/workers").jsonObject()["workers"] as? [[String: Any]]
        #expect(workers?.compactMap { $0["worker_id"] as? String } == ["p", "w"])
        #expect(workers?.last?["kind"] as? String == "party")
    }

    @Test func `without Redis operators are told so at once`() throws {
        let services = try PrivateServices([.redis])
        let fleet = try FleetFixture(1, redisURL: services.redisURL)
        try services.kill(.redis)
        try eventually("the gateway has noticed") { try fleet[0].exchange("GET", "/health/ready").status == 503 }
        for (method, path, body) in [
            ("GET", "queue", nil), ("GET", "dlq", nil), ("POST", "dlq/requeue", #"{"all":true}"#),
            ("GET", "workers", nil),
            ("POST", "workers/*/commands", #"{"command":"pause"}"#), ("DELETE", "tasks/t", nil),
        ] as [(String, String, String?)] {
            let response = try fleet[0].ops(method, "/internal/\(path)", body)
            #expect(response.status == 503, "\(path)")
            #expect(response.header("Retry-After") != nil)
        }
    }
}
