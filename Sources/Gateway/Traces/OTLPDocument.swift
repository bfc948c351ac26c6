// Spans as OTLP/HTTP sends them: one ExportTraceServiceRequest in JSON. Pure; appends to a buffer.
// Source: the OTLP specification 1.x, "JSON Protobuf Encoding": ids in hex, 64-bit integers as strings, enums as numbers.

import Reactor

struct OTLPDocument {
    static let service = "taxlien-gateway"

    /// Names this process among the gateways.
    var instance: String

    func write(_ spans: [Span], to out: inout ByteBuffer) {
        var json = JSONWriter()
        json.openObject(&out)
        json.key("resourceSpans", &out)
        json.openArray(&out)
        json.openObject(&out)
        json.key("resource", &out)
        json.openObject(&out)
        attributes(&json, &out) { json, out in
            Self.text("service.name", Self.service, &json, &out)
            Self.text("service.version", BuildInfo.version, &json, &out)
            Self.text("service.instance.id", instance, &json, &out)
        }
        json.closeObject(&out)
        json.key("scopeSpans", &out)
        json.openArray(&out)
        json.openObject(&out)
        json.key("scope", &out)
        json.openObject(&out)
        json.key("name", &out)
        json.string("gateway", &out)
        json.closeObject(&out)
        json.key("spans", &out)
        json.openArray(&out)
        for span in spans { write(span, &json, &out) }
        json.closeArray(&out)
        json.closeObject(&out)
        json.closeArray(&out)
        json.closeObject(&out)
        json.closeArray(&out)
        json.closeObject(&out)
    }

    private func write(_ span: Span, _ json: inout JSONWriter, _ out: inout ByteBuffer) {
        json.openObject(&out)
        json.key("traceId", &out)
        json.string(text: Self.hex(span.open.trace.traceHigh) + Self.hex(span.open.trace.traceLow), &out)
        json.key("spanId", &out)
        json.string(text: Self.hex(span.open.trace.span), &out)
        if span.open.parent != 0 {
            json.key("parentSpanId", &out)
            json.string(text: Self.hex(span.open.parent), &out)
        }
        json.key("name", &out)
        json.string(text: "\(span.method.name) \(span.name)", &out)
        json.key("kind", &out)
        json.number(span.kind.rawValue, &out)
        json.key("startTimeUnixNano", &out)
        json.string(text: "\(span.open.startedNs)", &out)
        json.key("endTimeUnixNano", &out)
        json.string(text: "\(span.endedNs)", &out)
        attributes(&json, &out) { json, out in Self.writeAttributes(of: span, &json, &out) }
        if span.hasFailed {
            json.key("status", &out)
            json.openObject(&out)
            // STATUS_CODE_ERROR
            json.key("code", &out)
            json.number(2, &out)
            if let failure = span.failure {
                json.key("message", &out)
                json.string(text: failure, &out)
            }
            json.closeObject(&out)
        }
        json.closeObject(&out)
    }

    private static func writeAttributes(of span: Span, _ json: inout JSONWriter, _ out: inout ByteBuffer) {
        text("http.request.method", "\(span.method.name)", &json, &out)
        if let status = span.status { number("http.response.status_code", status, &json, &out) }
        switch span.kind {
        case .server:
            text("http.route", span.name, &json, &out)
            if let id = span.requestID { text("gateway.request_id", id.description, &json, &out) }
        case .client: text("peer.service", span.name, &json, &out)
        }
        if !span.caller.isEmpty {
            text(span.isWorker ? "gateway.worker_id" : "enduser.id", span.caller, &json, &out)
        }
        if !span.tier.isEmpty { text("gateway.tier", span.tier, &json, &out) }
    }

    private func attributes(
        _ json: inout JSONWriter, _ out: inout ByteBuffer, _ body: (inout JSONWriter, inout ByteBuffer) -> Void
    ) {
        json.key("attributes", &out)
        json.openArray(&out)
        body(&json, &out)
        json.closeArray(&out)
    }

    private static func text(
        _ key: StaticString, _ value: String, _ json: inout JSONWriter, _ out: inout ByteBuffer
    ) {
        attribute(key, "stringValue", value, &json, &out)
    }

    private static func number(_ key: StaticString, _ value: Int, _ json: inout JSONWriter, _ out: inout ByteBuffer) {
        attribute(key, "intValue", "\(value)", &json, &out)
    }

    private static func attribute(
        _ key: StaticString, _ kind: StaticString, _ value: String, _ json: inout JSONWriter, _ out: inout ByteBuffer
    ) {
        json.openObject(&out)
        json.key("key", &out)
        json.string(key, &out)
        json.key("value", &out)
        json.openObject(&out)
        json.key(kind, &out)
        json.string(text: value, &out)
        json.closeObject(&out)
        json.closeObject(&out)
    }

    private static func hex(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
