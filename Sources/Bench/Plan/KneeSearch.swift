// Finds the highest rate that a server sustains within a latency bound: doubles until a step fails, then halves the gap.
// A pure value: told what a step measured, it says which rate to try next. Limits: `stepsMax` steps, `gapMax` between
// the last good rate and the first bad one.

/// The search for the knee of a latency curve.
struct KneeSearch {
    static let stepsMax = 24
    /// The gap at which the search ends, as a share of the good rate.
    static let gapMax = 0.05
    /// A server that answers less than this share of what is offered has given up.
    static let achievedShareMin = 0.98
    /// The lowest rate worth trying.
    static let rateMin = 1.0

    /// What one step measured.
    struct Step: Codable, Equatable, Sendable {
        var rate: Double
        var achievedRate: Double
        var p99Micros: Double
        /// Errors and dropped sends as a share of what was planned.
        var failedShare: Double
        var isGood = false
    }

    let p99MicrosMax: Double
    let failedShareMax: Double
    private(set) var steps: [Step] = []
    private var rate: Double
    private var good: Step?
    private var bad: Double?

    /// - Parameter firstRate: where to start; both ways are tried from there.
    init(firstRate: Double, p99MicrosMax: Double, failedShareMax: Double) {
        rate = max(firstRate, Self.rateMin)
        self.p99MicrosMax = p99MicrosMax
        self.failedShareMax = failedShareMax
    }

    /// The step with the highest good rate; nil where none was good.
    var knee: Step? { good }

    /// The rate to try next; nil when the search is over.
    var next: Double? {
        guard steps.count < Self.stepsMax, rate >= Self.rateMin else { return nil }
        if let good, let bad, bad - good.rate <= good.rate * Self.gapMax { return nil }
        return rate
    }

    /// Takes what the step at `next` measured.
    mutating func record(_ measured: Step) {
        var step = measured
        step.isGood =
            step.p99Micros <= p99MicrosMax && step.failedShare <= failedShareMax
            && step.achievedRate >= step.rate * Self.achievedShareMin
        steps.append(step)
        if step.isGood {
            if step.rate > good?.rate ?? 0 { good = step }
        } else {
            bad = min(bad ?? .infinity, step.rate)
        }
        switch (good, bad) {
        case (let good?, let bad?): rate = (good.rate + bad) / 2
        case (let good?, nil): rate = good.rate * 2
        case (nil, let bad?): rate = bad / 2
        case (nil, nil): break
        }
    }
}
