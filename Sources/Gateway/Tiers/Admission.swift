// What becomes of a request at rates and quotas, and what it is charged. Plain data. Source: the HTTP contract, section 3.

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
