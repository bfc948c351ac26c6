// A pull with `wait`, sent and not yet answered. Owned by one test.

import TestSupport

final class WaitingPull {
    let client: RawHTTP

    /// Sends the pull on a connection of its own; its answer is read later.
    init(_ gateway: TestSupport.GatewayProcess, _ worker: String, _ query: String = "wait=20") throws {
        client = try RawHTTP(port: gateway.port, timeoutSeconds: 30)
        try client.send(
            RawHTTP.request(
                "GET", "/internal/work?\(query)", headers: TestSupport.GatewayProcess.headers(worker: worker)))
    }

    func answer() throws -> [String: Any] {
        let response = try client.readResponse()
        guard response.status == 200 else { throw TestFailure("\(response.status): \(response.bodyText)") }
        return try response.jsonObject()
    }

    func delivered() throws -> [FleetTask] { try FleetTask.list(answer()) }

    func tasks() throws -> [String] { try delivered().map(\.id) }

    /// Bytes have arrived.
    var hasAnswer: Bool { client.socket.hasInput }
}

extension FleetFixture {
    /// Returns once the worker's pull has asked and found nothing: it waits now.
    func waits(_ worker: String) throws {
        try eventually("\(worker) is known to Redis") {
            try redis.command("ZSCORE", "{parcel:0}:seen", worker) != .null
        }
    }
}
