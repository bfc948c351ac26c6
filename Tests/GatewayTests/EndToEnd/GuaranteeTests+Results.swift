// Guarantees 1, 2 and 7 on two gateways with one Redis and one PostgreSQL: durable, newest wins, completed once.
// Source: api.md section 5.

import TestSupport
import Testing

extension GuaranteeTests {
    private static func timed(_ parcel: String, second: Int, _ members: [String: String?] = [:]) -> String {
        let time = second < 10 ? "0\(second)" : "\(second)"
        return Sample.result(
            parcel, data: "{\"second\":\(second)}",
            members.merging(["scraped_at": "\"2026-02-04T10:00:\(time)Z\""]) { given, _ in given })
    }

    /// "200 is sent after PostgreSQL committed." "A failed item fails alone and is named; the others of its request and of
    /// its group commit are stored."
    @Test func `a result whose commit fails is named, though its statement went through, and the others are stored`()
        throws
    {
        let fleet = try FleetFixture(
            2,
            sql: """
                CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
                    $$ BEGIN RAISE integrity_constraint_violation USING MESSAGE = 'refused at the commit'; END $$;
                CREATE CONSTRAINT TRIGGER late AFTER INSERT OR UPDATE ON parcel_results DEFERRABLE INITIALLY DEFERRED
                    FOR EACH ROW WHEN (NEW.data ? 'refused') EXECUTE FUNCTION refuse();
                """)
        for index in 0..<2 {
            try fleet[0].enqueue("t-good-\(index)", "t-bad-\(index)")
            let answer = try fleet[index].submit(
                "w", Sample.result("good-\(index)"), Sample.result("bad-\(index)", data: #"{"refused":1}"#),
                Sample.result("more-\(index)"))
            #expect(answer.inserted == 2)
            #expect(answer.failures.map(\.taskID) == ["t-bad-\(index)"])
        }
        let stored = try fleet.database.run("SELECT parcel_id FROM parcel_results ORDER BY 1").map { $0[0] }
        #expect(stored == ["good-0", "good-1", "more-0", "more-1"])
        // What was not stored ended no task.
        #expect(try fleet[0].pull("w").map(\.id) == ["t-bad-0", "t-bad-1"])
    }

    /// "… committed with `synchronous_commit=on`": whatever the database is set to; more than that stays.
    @Test(arguments: [("off", "on"), ("local", "on"), ("remote_apply", "remote_apply")])
    func `results are committed durably, whatever the database is set to`(set: String, used: String) throws {
        let fleet = try FleetFixture(
            2,
            sql: """
                DO $$ BEGIN
                    EXECUTE format('ALTER DATABASE %I SET synchronous_commit = \(set)', current_database());
                END $$;
                CREATE TABLE seen (setting text);
                CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
                    $$ BEGIN INSERT INTO seen SELECT current_setting('synchronous_commit'); RETURN NEW; END $$;
                CREATE TRIGGER note BEFORE INSERT ON parcel_results FOR EACH ROW EXECUTE FUNCTION note();
                """)
        for round in 0..<4 {
            #expect(try fleet[round % 2].submit("w", Sample.result("p\(round)")) == ResultsAnswer(inserted: 1))
        }
        #expect(try fleet.database.run("SELECT DISTINCT setting FROM seen") == [[used]])
    }

    /// "A result older (`scraped_at`) than the stored one does not overwrite it and counts as `stale`."
    @Test func `the newest result wins, whichever gateway had the one before`() throws {
        let fleet = try FleetFixture(2)
        #expect(try fleet[0].submit("w1", Self.timed("p", second: 20)) == ResultsAnswer(inserted: 1))
        #expect(try fleet[1].submit("w2", Self.timed("p", second: 10)) == ResultsAnswer(stale: 1))
        #expect(try fleet[1].submit("w2", Self.timed("p", second: 20)) == ResultsAnswer(updated: 1))
        #expect(try fleet[0].submit("w1", Self.timed("p", second: 30)) == ResultsAnswer(updated: 1))
        #expect(try fleet[1].submit("w2", Self.timed("p", second: 29)) == ResultsAnswer(stale: 1))
        #expect(try fleet.database.run("SELECT data->>'second', worker_id FROM parcel_results") == [["30", "w1"]])
    }

    @Test func `of results of one key through both gateways at once the newest stays, inserted once`() throws {
        let fleet = try FleetFixture(2)
        let ports = fleet.gateways.map(\.port)
        // 59 times that are all different, in no order.
        let seconds = (0..<59).map { $0 * 8 % 59 }
        let answers = try concurrently(6) { thread -> [ResultsAnswer] in
            let worker = try WorkerClient(port: ports[thread % 2], id: "w\(thread)")
            var answers: [ResultsAnswer] = []
            for index in stride(from: thread, to: seconds.count, by: 6) {
                answers.append(try worker.submit([Self.timed("p", second: seconds[index])]))
            }
            return answers
        }.flatMap { $0 }
        #expect(answers.count == 59)
        #expect(answers.reduce(0) { $0 + $1.inserted } == 1)
        #expect(answers.allSatisfy { $0.inserted + $0.updated + $0.stale == 1 && $0.failed == 0 })
        #expect(try fleet.database.run("SELECT data->>'second' FROM parcel_results") == [["58"]])
    }

    /// "A submitted result completes its task, whoever holds the lease."
    @Test func `a result completes its task on whatever gateway, whoever holds it, stale or not`() throws {
        let fleet = try FleetFixture(2)
        for (name, answer) in [("p", ResultsAnswer(inserted: 1)), ("q", ResultsAnswer(stale: 1))] {
            try fleet[0].enqueue("t-\(name)")
            #expect(try fleet[0].pull("w1") == [FleetTask(id: "t-\(name)", attempt: 1)])
            if name == "q" {
                let newer = Self.timed("q", second: 59, ["task_id": "\"another\""])
                #expect(try fleet[0].submit("w3", newer) == ResultsAnswer(inserted: 1))
            }
            #expect(try fleet[1].submit("w2", Self.timed(name, second: 5)) == answer)
            #expect(try fleet[0].complete("w1", "t-\(name)")["reason"] as? String == "not_leased")
            #expect(try fleet[0].heartbeat("w1", holding: ["t-\(name)"])["lost_task_ids"] as? [String] == ["t-\(name)"])
        }
        #expect(try QueueView(redisURL: fleet.redisURL, kind: "parcel").leftovers() == [])
    }

    @Test func `a result of an older attempt through another gateway is stored and leaves the task alone`() throws {
        let fleet = try FleetFixture(2, environment: ["GATEWAY_RETRY_BASE_SECONDS": "0"])
        try fleet[0].enqueue("t-p")
        #expect(try fleet[0].pull("w1").count == 1)
        #expect(try fleet[0].fail("w1", "t-p")["should_retry"] as? Bool == true)
        #expect(try fleet[0].pullEventually("w2") == [FleetTask(id: "t-p", attempt: 2)])
        let late = Sample.result("p", ["attempt": "1"])
        #expect(try fleet[1].submit("w1", late) == ResultsAnswer(inserted: 1))
        #expect(try fleet[1].complete("w2", "t-p", attempt: 2)["success"] as? Bool == true)
    }

    /// "A task is completed once."
    @Test func `of completions through both gateways at once one is the first`() throws {
        let fleet = try FleetFixture(2)
        let ports = fleet.gateways.map(\.port)
        let ids = (0..<40).map { "t\($0)" }
        for id in ids { try fleet[0].enqueue(id) }
        #expect(try fleet[0].pull("w", "capacity=100").count == ids.count)
        let successes = try concurrently(4) { thread in
            let worker = try WorkerClient(port: ports[thread % 2], id: "w")
            return try ids.filter { try worker.complete($0)["success"] as? Bool == true }
        }.flatMap { $0 }
        #expect(successes.sorted() == ids.sorted())
    }
}
