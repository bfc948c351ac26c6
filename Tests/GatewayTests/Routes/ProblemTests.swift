// The gateway's refusals: status, code and headers of each.

import Testing

@testable import Gateway
@testable import Reactor

@Suite struct ProblemTests {
    @Test func `a body that is not JSON is a 400 with the offset, one of another shape a 422 with index and field`() {
        let syntax = Problem(JSONFailure.syntax(SyntaxFailure(.nan, at: 17)))
        #expect(syntax.status == 400)
        #expect("\(syntax.code)" == "INVALID_REQUEST")
        #expect(text(syntax).contains("\"details\":{\"offset\":17}"))
        let schema = Problem(JSONFailure.schema("state", "expected a string").inside("results", at: 3))
        #expect(schema.status == 422)
        #expect(text(schema).contains("\"message\":\"results[3].state: expected a string\""))
        #expect(text(schema).contains("\"details\":{\"index\":3,\"field\":\"state\"}"))
        let whole = Problem(JSONFailure.schema("", "expected an object"))
        #expect(!text(whole).contains("details"))
    }

    @Test func `a failed Redis is a 503 that may be repeated`() {
        for failure in [RedisFailure.unavailable, .timedOut, .overloaded] {
            let problem = Problem(failure)
            #expect(problem.status == 503)
            #expect(problem.retryAfterSeconds == 1)
        }
        #expect(Problem(RedisFailure.refused("OOM no memory")).status == 503)
    }

    @Test func `a wrong method carries Allow, a rate carries Retry-After`() {
        let method = Problem.methodNotAllowed("GET, HEAD")
        #expect(method.status == 405)
        #expect(method.headerLines == "Allow: GET, HEAD\r\n")
        let rate = Problem.rateLimited(retryAfterSeconds: 4)
        #expect(rate.status == 429)
        #expect(rate.retryAfterSeconds == 4)
        #expect(Problem.unsupportedMediaType("no").status == 415)
    }

    private func text(_ problem: Problem) -> String {
        var out = ByteBuffer()
        problem.write(to: &out, requestID: RequestID(high: 1, low: 2))
        return out.bytes.string
    }
}
