// Reads a tiers file from YAML. Every problem is found, each told with its line. Runs at start and in check-config.
// Limits: those of TierTable; the file's size is its reader's. Source: the HTTP contract, section 3.

import Reactor
import Yams

/// What is wrong with a tiers file: one line each, with the file's name and the line's number.
struct BadTierFile: Error, Equatable, CustomStringConvertible {
    var problems: [String]

    var description: String { problems.joined(separator: "\n") }
}

struct TierFile {
    private let name: String
    private var problems: [String] = []

    /// - Parameter base: what the file does not name stays as it is here.
    /// - Throws: all that is wrong.
    static func read(_ text: String, name: String, over base: TierTable) throws(BadTierFile) -> TierTable {
        var file = TierFile(name: name)
        var table = base
        file.read(text, into: &table)
        guard file.problems.isEmpty else { throw BadTierFile(problems: file.problems) }
        return table
    }

    private init(name: String) { self.name = name }

    private mutating func read(_ text: String, into table: inout TierTable) {
        let root: Node?
        do {
            root = try Yams.compose(yaml: text)
        } catch {
            let reason = "\(error)".split(whereSeparator: \.isNewline).joined(separator: " ")
            problems.append("\(name): not YAML: \(reason)")
            return
        }
        guard let root, case .mapping(let mapping) = root, mapping["tiers"] != nil else {
            problems.append("\(name): expected a mapping with tiers")
            return
        }
        for (key, value) in mapping {
            guard key.string == "tiers" else {
                complain(key, "\(Self.shown(key)): expected tiers")
                continue
            }
            for (tierKey, rule) in members(value, "tiers") {
                let names = TierTable.tiers.map(\.name)
                guard let tier = tierKey.string.flatMap({ Tier(name: $0) }), TierTable.tiers.contains(tier) else {
                    complain(tierKey, "\(Self.shown(tierKey)) is none of \(names.joined(separator: ", "))")
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
                complain(key, "\(Self.shown(key)) is nothing that a tier has; the nearest is \(nearest)")
            }
        }
    }

    private mutating func readQuota(_ key: Node, _ node: Node, _ tier: String, _ rule: inout TierRule) {
        guard let feature = key.string.flatMap({ Feature(name: $0) }) else {
            let names = Feature.allCases.map(\.name).joined(separator: ", ")
            return complain(key, "\(Self.shown(key)) is none of \(names)")
        }
        let what = "\(tier).quotas.\(feature.name)"
        let periods = members(node, what)
        guard periods.count == 1, let (periodKey, value) = periods.first,
            let period = periodKey.string.flatMap(QuotaPeriod.init(rawValue:))
        else { return complain(node, "\(what): expected {day: N} or {month: N}") }
        guard let number = integer(value, "\(what).\(period.rawValue)", -1...TierTable.quotaMax) else { return }
        rule.quotas[Int(feature.rawValue)] = Quota(limit: number < 0 ? nil : number, period: period)
    }

    private mutating func members(_ node: Node, _ what: String) -> [(Node, Node)] {
        if case .mapping(let mapping) = node { return mapping.map { ($0.key, $0.value) } }
        complain(node, "\(what): expected a mapping")
        return []
    }

    private mutating func integer(_ node: Node, _ what: String, _ range: ClosedRange<Int>) -> Int? {
        if let number = node.int, range.contains(number) { return number }
        complain(node, "\(what): expected a whole number from \(range.lowerBound) to \(range.upperBound)")
        return nil
    }

    private mutating func complain(_ node: Node, _ message: String) {
        problems.append("\(name)\(node.mark.map { " line \($0.line)" } ?? ""): \(message)")
    }

    private static func shown(_ node: Node) -> String { node.string ?? "what is no word" }
}
