// Reads a tiers file from YAML. Every problem is found, each told with its line. Runs at start and in check-config.
// Limits: those of TierTable; the file's size is its reader's. Source: the HTTP contract, section 3.

import Reactor
import Yams

struct TierFile {
    private var file: TableFile

    /// - Parameter base: what the file does not name stays as it is here.
    /// - Throws: all that is wrong.
    static func read(_ text: String, name: String, over base: TierTable) throws(BadTableFile) -> TierTable {
        var reader = TierFile(file: TableFile(name: name))
        var table = base
        reader.read(text, into: &table)
        try reader.file.check()
        return table
    }

    private init(file: TableFile) { self.file = file }

    private mutating func read(_ text: String, into table: inout TierTable) {
        guard let mapping = file.mapping(text, of: "tiers") else { return }
        guard mapping["tiers"] != nil else { return file.complain("expected a mapping with tiers") }
        for (key, value) in mapping {
            guard key.string == "tiers" else {
                file.complain(key, "\(TableFile.shown(key)): expected tiers")
                continue
            }
            for (tierKey, rule) in members(value, "tiers") {
                let names = TierTable.tiers.map(\.name)
                guard let tier = tierKey.string.flatMap({ Tier(name: $0) }), TierTable.tiers.contains(tier) else {
                    file.complain(tierKey, "\(TableFile.shown(tierKey)) is none of \(names.joined(separator: ", "))")
                    continue
                }
                readRule(rule, tier.name, into: &table[tier])
            }
        }
    }

    private static let ruleKeys = ["rate_per_minute", "burst", "quotas"]

    private mutating func readRule(_ node: Node, _ tier: String, into rule: inout TierRule) {
        for (key, value) in members(node, tier) {
            switch key.string {
            case "rate_per_minute":
                let range = 0...BucketRate.perMinuteMax
                if let number = integer(value, "\(tier).rate_per_minute", range) { rule.perMinute = number }
            case "burst":
                if let number = integer(value, "\(tier).burst", 1...TierTable.burstMax) { rule.burst = number }
            case "quotas":
                for (feature, quota) in members(value, "\(tier).quotas") { readQuota(feature, quota, tier, &rule) }
            default:
                let nearest = nearestName(to: key.string ?? "", among: Self.ruleKeys)
                file.complain(key, "\(TableFile.shown(key)) is nothing that a tier has; the nearest is \(nearest)")
            }
        }
    }

    private mutating func readQuota(_ key: Node, _ node: Node, _ tier: String, _ rule: inout TierRule) {
        guard let feature = key.string.flatMap({ Feature(name: $0) }) else {
            let names = Feature.allCases.map(\.name).joined(separator: ", ")
            return file.complain(key, "\(TableFile.shown(key)) is none of \(names)")
        }
        let what = "\(tier).quotas.\(feature.name)"
        let periods = members(node, what)
        guard periods.count == 1, let (periodKey, value) = periods.first,
            let period = periodKey.string.flatMap(QuotaPeriod.init(rawValue:))
        else { return file.complain(node, "\(what): expected {day: N} or {month: N}") }
        guard let number = integer(value, "\(what).\(period.rawValue)", -1...TierTable.quotaMax) else { return }
        rule.quotas[Int(feature.rawValue)] = Quota(limit: number < 0 ? nil : number, period: period)
    }

    private mutating func members(_ node: Node, _ what: String) -> [(Node, Node)] {
        if case .mapping(let mapping) = node { return mapping.map { ($0.key, $0.value) } }
        file.complain(node, "\(what): expected a mapping")
        return []
    }

    private mutating func integer(_ node: Node, _ what: String, _ range: ClosedRange<Int>) -> Int? {
        if let number = node.int, range.contains(number) { return number }
        file.complain(node, "\(what): expected a whole number from \(range.lowerBound) to \(range.upperBound)")
        return nil
    }
}
