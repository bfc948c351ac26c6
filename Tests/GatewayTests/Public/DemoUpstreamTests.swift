// The demo of the manual: scripts/demo-upstream behind the gateway, with an API key, as a newcomer tries it.

import Foundation
import TestSupport
import Testing

@Suite struct DemoUpstreamTests {
    /// The running script, and what it printed.
    private final class Demo {
        private let child: ChildProcess
        private let folder: TemporaryFolder
        private(set) var urls: [String: String] = [:]

        init() throws {
            folder = try TemporaryFolder()
            child = try ChildProcess(
                "python3", [Checkout.script("demo-upstream"), "--delay", "0"], outputPath: folder.path("output"),
                errorPath: folder.path("errors"))
            TestRun.record(child: child.pid)
            urls = try eventuallyValue("the demo serves", deadlineSeconds: 30) {
                let pairs = try folder.read("output").split(separator: "\n").map {
                    $0.split(separator: "=", maxSplits: 1)
                }
                guard pairs.count == 2 else { return nil }
                return Dictionary(uniqueKeysWithValues: pairs.map { (String($0[0]), String($0[1])) })
            }
        }

        deinit {
            child.signal(SIGKILL)
            _ = try? child.waitForExit(deadlineSeconds: 5)  // The sweep at exit tries again.
            TestRun.forget(child: child.pid)
        }
    }

    @Test func `a demo key reads, refreshes, searches and predicts`() throws {
        let demo = try Demo()
        let database = try GatewayProcess.migratedDatabase()
        let made = try GatewayProcess.run(
            ["api-key", "create", "--user", "demo", "--tier", "premium"], postgresURL: database)
        let key = String(try #require(made.output.split(separator: "\n").last))
        let gateway = try GatewayProcess(
            postgresURL: database,
            environment: [
                "GATEWAY_PARSER_SERVICE_URL": try #require(demo.urls["PARSER_URL"]),
                "GATEWAY_ML_SERVICE_URL": try #require(demo.urls["ML_URL"]),
            ])
        func ask(_ method: String, _ target: String, body: String? = nil) throws -> HTTPResponse {
            try gateway.exchange(method, target, headers: [("X-API-Key", key)], body: body)
        }
        try eventually("the gateway has its services") { try ask("GET", "/v1/usage").status == 200 }
        let parcel = "/v1/properties/1615514"
        let first = try ask("GET", parcel)
        #expect(first.status == 200 && first.header("X-Cache") == "MISS")
        #expect(try first.jsonObject()["parcel_id"] as? String == "1615514")
        let second = try ask("GET", parcel)
        #expect(second.header("X-Cache") == "HIT" && second.body == first.body)
        #expect(try ask("POST", parcel + "/refresh").status == 200)
        let third = try ask("GET", parcel)
        #expect(third.header("X-Cache") == "MISS" && third.body != first.body)
        #expect(try ask("GET", "/v1/properties/none").status == 404)
        for target in ["/v1/properties", "/v1/search/address?q=oak", "/v1/search/owner?q=lee", "/v1/top-lists/best"] {
            #expect(try ask("GET", target).status == 200, "\(target)")
        }
        for target in ["/v1/predictions/redemption", "/v1/predictions/batch"] {
            #expect(try ask("POST", target, body: #"{"parcel_id":"1","parcels":["1","2"]}"#).status == 200, "\(target)")
        }
        #expect(try Used("on_demand_scrape", ask("GET", "/v1/usage")).used == 1)
    }
}
