// The body of GET /v1/usage. Pure. Source: the HTTP contract, section 3, "Quotas".

import Reactor

enum UsageBody {
    /// - Parameters:
    ///   - used: by feature.
    ///   - windows: by `QuotaPeriod`.
    static func make(_ caller: Caller, _ rule: TierRule, used: [Int], windows: [QuotaWindow]) -> [UInt8] {
        var out = ByteBuffer(capacity: 1024)
        var json = JSONWriter()
        json.openObject(&out)
        json.key("user_id", &out)
        json.string(text: caller.userID, &out)
        json.key("tier", &out)
        json.string(text: caller.tier.name, &out)
        json.key("usage", &out)
        json.openObject(&out)
        for (feature, used) in zip(Feature.allCases, used) {
            let quota = rule.quota(feature)
            json.key(text: Array(feature.name.utf8).rawBytes, &out)
            json.openObject(&out)
            json.key("used", &out)
            json.number(used, &out)
            json.key("limit", &out)
            json.number(quota.limit ?? -1, &out)
            json.key("remaining", &out)
            json.number(quota.limit.map { max(0, $0 - used) } ?? -1, &out)
            json.key("period", &out)
            json.string(text: quota.period.rawValue, &out)
            json.key("resets_at", &out)
            let end = windows[quota.period == .day ? 0 : 1].endSeconds
            json.timestamp(Timestamp(microsSinceEpoch: Int64(end) * 1_000_000), &out)
            json.closeObject(&out)
        }
        json.closeObject(&out)
        json.closeObject(&out)
        return out.bytes.array
    }
}

extension Problem {
    static func quotaUsedUp(_ tier: Tier, _ feature: Feature, _ quota: Quota?) -> Problem {
        let limit = quota?.limit ?? 0
        let period = quota?.period.rawValue ?? ""
        let message =
            limit == 0
            ? "\(feature.name) is not part of the tier \(tier.name)"
            : "the tier \(tier.name) allows \(limit) of \(feature.name) a \(period)"
        var problem = Problem(
            status: 403, code: "TIER_LIMIT_EXCEEDED", message: message,
            details: [
                .text("feature", feature.name), .text("tier", tier.name), .number("limit", limit),
                .text("period", period),
            ])
        problem.headerLines = "X-Upgrade-Required: true\r\n"
        return problem
    }
}
