// How the requests of simulated workers and their feeder are spelled. Constant parts are made once; nothing is allocated
// per request. Owned by one scenario. Source: the HTTP contract, section 2.

import Reactor

struct WorkerRequestText {
    private static let taskDigits = 10
    private static let completeStart: StaticString = #"{"duration_ms":250,"attempt":"#
    private static let failStart: StaticString =
        #"{"reason":"parser_bug","message":"bench","retry_suggested":false,"attempt":"#
    private static let resultStart: StaticString = #"[{"task_id":""#
    private static let resultMiddle: StaticString = #"","parcel_id":""#
    private static let resultData: StaticString = #","data":"#

    private let heartbeatStart: RequestText
    private let pullStart: RequestText
    private let resultsStart: RequestText
    private let taskStart: [UInt8]
    private let taskIDStart: [UInt8]
    private let enqueueStart: RequestText
    private let enqueueItem: [UInt8]
    private let enqueueItemRest: [UInt8]
    private let resultRest: [UInt8]
    private let payloads: ParcelPayloads

    /// - Parameter base: `/internal` or `/internal/party`.
    init(
        target: Target, identity: WorkerIdentity, base: String, settings: WorkerScenario.Settings, seed: UInt64
    ) {
        func start(_ method: String, _ path: String) -> RequestText {
            RequestText(method, base + path, target: target, headers: identity.headers, last: identity.idLine)
        }
        heartbeatStart = start("POST", "/heartbeat")
        var query = "capacity=\(settings.capacity)&platforms=\(settings.platforms)"
        if settings.waitSeconds > 0 { query += "&wait=\(settings.waitSeconds)" }
        pullStart = start("GET", "/work?" + query)
        resultsStart = start("POST", "/results")
        taskStart = Array("POST \(base)/tasks/".utf8)
        taskIDStart = Array(
            (" HTTP/1.1\r\nHost: \(target.authority)\r\n"
                + identity.headers.map { "\($0.0): \($0.1)\r\n" }.joined() + identity.idLine).utf8)
        enqueueStart = RequestText(
            "POST", base + "/tasks", target: target, headers: [("X-Ops-Token", settings.opsToken ?? "")])
        enqueueItem = Array(#"{"task_id":"\#(settings.runName)-t-"#.utf8)
        enqueueItemRest = Array(
            #"","platform":"\#(settings.platforms.prefix { $0 != "," })","target":{"state":"CO","county":"Larimer"}}"#
                .utf8)
        resultRest = Array(
            #"","platform":"bench","state":"CO","county":"Larimer","parse_duration_ms":12,"attempt":"#.utf8)
        payloads = ParcelPayloads(bytes: settings.submitsResults ? settings.payloadBytes : 8, seed: seed)
    }

    func heartbeat(_ worker: Int, to out: inout ByteBuffer) {
        heartbeatStart.append(to: &out)
        out.append(decimal: worker)
        out.appendHeadEnd(bodyBytes: Self.heartbeatBody.count)
        out.append(bytes: Self.heartbeatBody)
    }

    private static let heartbeatBody = Array(HeartbeatScenario.body.utf8)

    func pull(_ worker: Int, to out: inout ByteBuffer) {
        pullStart.append(to: &out)
        out.append(decimal: worker)
        out.append("\r\n\r\n")
    }

    func complete(_ task: HeldTask, _ worker: Int, to out: inout ByteBuffer) {
        taskHead(task, "/complete", worker, &out)
        out.appendHeadEnd(bodyBytes: Self.completeStart.utf8CodeUnitCount + digits(task.attempt) + 1)
        out.append(Self.completeStart)
        out.append(decimal: task.attempt)
        out.append("}")
    }

    /// For good: a failed task goes to the dead letters, and does not come back in the middle of a run.
    func fail(_ task: HeldTask, _ worker: Int, to out: inout ByteBuffer) {
        taskHead(task, "/fail", worker, &out)
        out.appendHeadEnd(bodyBytes: Self.failStart.utf8CodeUnitCount + digits(task.attempt) + 1)
        out.append(Self.failStart)
        out.append(decimal: task.attempt)
        out.append("}")
    }

    private func taskHead(
        _ task: HeldTask, _ verb: StaticString, _ worker: Int, _ out: inout ByteBuffer
    ) {
        out.append(bytes: taskStart)
        out.append(pathSegment: task.id)
        out.append(verb)
        out.append(bytes: taskIDStart)
        out.append(decimal: worker)
    }

    func result(_ task: HeldTask, _ worker: Int, payload: Int, to out: inout ByteBuffer) {
        let data = payloads.objects[payload]
        let fixedBytes =
            Self.resultStart.utf8CodeUnitCount + Self.resultMiddle.utf8CodeUnitCount + resultRest.count
            + Self.resultData.utf8CodeUnitCount + 2
        resultsStart.append(to: &out)
        out.append(decimal: worker)
        out.appendHeadEnd(bodyBytes: fixedBytes + 2 * task.id.count + digits(task.attempt) + data.count)
        out.append(Self.resultStart)
        out.append(bytes: task.id)
        out.append(Self.resultMiddle)
        out.append(bytes: task.id)
        out.append(bytes: resultRest)
        out.append(decimal: task.attempt)
        out.append(Self.resultData)
        out.append(bytes: data)
        out.append("}]")
    }

    func enqueue(_ numbers: Range<Int>, to out: inout ByteBuffer) {
        let itemBytes = enqueueItem.count + Self.taskDigits + enqueueItemRest.count
        enqueueStart.append(to: &out)
        // The head so far ends with a line's end, which `appendHeadEnd` begins with: name the length here.
        out.append("Content-Length: ")
        out.append(decimal: 1 + numbers.count * (itemBytes + 1))
        out.append("\r\n\r\n")
        var separator = UInt8(ascii: "[")
        for number in numbers {
            out.append(separator)
            out.append(bytes: enqueueItem)
            out.append(number, digits: Self.taskDigits)
            out.append(bytes: enqueueItemRest)
            separator = UInt8(ascii: ",")
        }
        out.append("]")
    }

    private func digits(_ attempt: Int) -> Int { ByteBuffer.decimalDigitCount(attempt.magnitude) }
}
