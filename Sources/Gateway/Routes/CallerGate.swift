// The seam between the public pipeline and those who know callers, rates and quotas. One gate a reactor, used on its
// thread. The pipeline asks in this order, once a request, and answers what is refused:
//
//     identify ─► (resolve) ─► admit: rate, then quota ─► the answer is made ─► settle

import Reactor

/// What became of a request at rates and quotas.
struct Admission: Sendable {
    /// `X-RateLimit-*` of the answer, whatever it is; nil where no rate holds.
    var rate: RateNote?
    /// 429 of the rate, 403 of the quota, 503; nothing is settled then.
    var refusal: Problem?
    /// What `settle` is told of once the request is answered; nil where nothing was counted.
    var charge: Charge?

    static let unlimited = Admission(rate: nil, refusal: nil, charge: nil)
}

/// A use that was counted when the request was admitted.
struct Charge: Sendable {
    var account: String
    var tier: Tier
    var feature: Feature
    /// The day or month that it was counted in, as the counter's key spells it.
    var period: String
}

protocol CallerGate: AnyObject {
    /// Reads who asks from a request's head, without waiting. Called before the body is read and again after it: cheap.
    func identify(_ request: borrowing Request) -> Identification

    /// Checks a credential that `identify` could not.
    /// - Throws: 401 for a bad one, 503 where it cannot be checked now.
    func resolve(_ presented: PresentedCredential) async throws(Problem) -> Caller

    /// Lets a request in: the rate first, then the quota of `feature`, which is charged here.
    /// - Parameter feature: nil where the route counts for none: only the rate holds.
    func admit(_ caller: Caller, to feature: Feature?) async -> Admission

    /// The charged request has been answered: below 500 the charge stands, else it is given back.
    /// Told once for each charge.
    /// - Parameter status: nil where the client had gone before there was an answer.
    func settle(_ charge: Charge, status: Int?)

    /// The body of `GET /v1/usage`, JSON.
    func usage(of caller: Caller) async throws(Problem) -> [UInt8]

    /// Appends the rate's header lines of an answer to a caller of `tier`.
    func appendHeaders(_ rate: RateNote, tier: Tier, to buffer: inout ByteBuffer)
}

/// Lets everybody in as anonymous, uncounted.
final class OpenGate: CallerGate {
    func identify(_ request: borrowing Request) -> Identification { .caller(.anonymous(request.peer)) }

    func resolve(_ presented: PresentedCredential) async throws(Problem) -> Caller {
        throw .unauthorized("credentials are not known here")
    }

    func admit(_ caller: Caller, to feature: Feature?) async -> Admission { .unlimited }

    func settle(_ charge: Charge, status: Int?) {}

    func usage(of caller: Caller) async throws(Problem) -> [UInt8] {
        Array("{\"user_id\":\"\(caller.userID)\",\"tier\":\"\(caller.tier.name)\",\"usage\":{}}".utf8)
    }

    func appendHeaders(_ rate: RateNote, tier: Tier, to buffer: inout ByteBuffer) {}
}
