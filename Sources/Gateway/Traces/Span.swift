// What a trace says of one request, or of its question to an upstream. Plain data of fixed parts.
// Source: the OpenTelemetry trace data model; its semantic conventions for HTTP name the attributes (OTLPDocument).

import Reactor

/// A span that is under way.
struct OpenSpan: Sendable {
    /// This span's place in its trace; its flags say that it is kept.
    var trace: TraceContext
    /// The span it hangs below; 0: none.
    var parent: UInt64
    var started: Instant
    /// Nanoseconds since the Unix epoch at `started`.
    var startedNs: Int64
}

/// A span that is over.
struct Span: Sendable {
    /// Values of OTLP's `SpanKind`.
    enum Kind: Int, Sendable { case server = 2, client = 3 }

    var open: OpenSpan
    var kind: Kind
    var endedNs: Int64
    var method: HTTPMethod
    /// The route's pattern, or the upstream's name.
    var name: String
    /// nil: it ended without an answer.
    var status: Int?
    /// Of a server's span.
    var requestID: RequestID?
    /// The worker or the user; empty where nobody is known.
    var caller = ""
    var isWorker = false
    /// Empty where there is none.
    var tier = ""
    /// Why it failed; nil where it did not.
    var failure: String?

    /// A server's 4xx is its client's error, a client's is its own (semantic conventions for HTTP spans, "Status").
    var hasFailed: Bool {
        guard let status else { return true }
        return failure != nil || status >= (kind == .client ? 400 : 500)
    }
}
