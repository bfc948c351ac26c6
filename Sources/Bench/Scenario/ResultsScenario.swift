// Posts of parcel results: so many items a post, some of them parcels that were sent before.
// Owned by one load loop; allocates nothing per request. Limits: `itemsMax` items a post, 10^`digits` parcels a run.

import Reactor

final class ResultsScenario: Scenario {
    static let itemsMax = 1000
    private static let digits = 10

    struct Settings: Sendable {
        var items = 1
        var payloadBytes = 3072
        /// Of the items: parcels that this loop sent before.
        var repeatShare = 0.0
        /// In the parcels' ids: the same name gives the same parcels.
        var runName: String
    }

    let kinds = ["results"]
    let requestBytes: Int
    let readsBodies = true

    private let settings: Settings
    private let start: RequestText
    private let payloads: ParcelPayloads
    private let itemStart: [UInt8]
    private let itemMiddle: [UInt8]
    private let itemRest: [UInt8]
    private let bodyBytes: Int
    private let share: LoopShare
    private var random: RandomBits
    private var parcelsSent = 0
    private var posts = 0
    private var tally = ResultTally()

    init(
        target: Target, identity: WorkerIdentity, path: String, settings: Settings, share: LoopShare, seed: UInt64
    ) {
        self.settings = settings
        self.share = share
        random = RandomBits(seed: seed)
        start = RequestText("POST", path, target: target, headers: identity.headers, last: identity.idLine)
        payloads = ParcelPayloads(bytes: settings.payloadBytes, seed: random.next())
        let id = "\(settings.runName)-"
        itemStart = Array(#"{"task_id":"\#(id)"#.utf8)
        itemMiddle = Array(#"","parcel_id":"\#(id)"#.utf8)
        itemRest = Array(
            #"","platform":"bench","state":"CO","county":"Larimer","parse_duration_ms":12,"data":"#.utf8)
        let itemBytes =
            itemStart.count + itemMiddle.count + itemRest.count + 2 * Self.digits + settings.payloadBytes + 1
        bodyBytes = 2 + settings.items * itemBytes + settings.items - 1
        requestBytes = bodyBytes + 512
    }

    func write(to out: inout ByteBuffer, now: Instant) -> Ticket {
        start.append(to: &out)
        out.append(decimal: share.index)
        out.appendHeadEnd(bodyBytes: bodyBytes)
        out.append(UInt8(ascii: "["))
        for item in 0..<settings.items {
            if item > 0 { out.append(UInt8(ascii: ",")) }
            appendItem(nextParcel(), to: &out)
        }
        out.append(UInt8(ascii: "]"))
        posts += 1
        return Ticket()
    }

    /// Parcels of the loops interleave, so that no two loops have the same.
    private func nextParcel() -> Int {
        if parcelsSent > 0, settings.repeatShare > 0, random.share() < settings.repeatShare {
            return random.below(parcelsSent) * share.count + share.index
        }
        parcelsSent += 1
        return (parcelsSent - 1) * share.count + share.index
    }

    private func appendItem(_ parcel: Int, to out: inout ByteBuffer) {
        out.append(bytes: itemStart)
        out.append(parcel, digits: Self.digits)
        out.append(bytes: itemMiddle)
        out.append(parcel, digits: Self.digits)
        out.append(bytes: itemRest)
        // Another object at each visit: a repeated parcel is a change.
        out.append(bytes: payloads.objects[(parcel + posts) % ParcelPayloads.count])
        out.append(UInt8(ascii: "}"))
    }

    func answered(_ ticket: Ticket, status: Int, body: RawSpan, now: Instant) -> Verdict {
        guard status == 200 else { return .refused }
        return tally.add(body) ? .good : .wrong
    }

    func resetFigures() { tally = ResultTally() }

    var figures: [ScenarioFigure] { tally.figures }
}

/// What the answers to results said.
struct ResultTally {
    private(set) var inserted = 0
    private(set) var updated = 0
    private(set) var stale = 0
    private(set) var failed = 0

    /// Adds the counts of one answer. False where it is none, or some of its items failed.
    mutating func add(_ body: RawSpan) -> Bool {
        do throws(JSONFailure) {
            var reader = JSONReader(body)
            var failedHere = 0
            var found = 0
            var more = try reader.openObject()
            while more {
                let key = try reader.key()
                let value = try reader.value()
                if value.kind == .number, let count = JSONNumber.integer(body.slice(value.range)) {
                    found += 1
                    if reader.key(key, is: "inserted") { inserted += count }
                    if reader.key(key, is: "updated") { updated += count }
                    if reader.key(key, is: "stale") { stale += count }
                    if reader.key(key, is: "failed") { failedHere = count }
                }
                more = try reader.moreMembers()
            }
            failed += failedHere
            return found >= 4 && failedHere == 0
        } catch {
            return false
        }
    }

    var figures: [ScenarioFigure] {
        [
            ScenarioFigure(name: "rows inserted", value: inserted),
            ScenarioFigure(name: "rows updated", value: updated),
            ScenarioFigure(name: "rows stale", value: stale), ScenarioFigure(name: "rows failed", value: failed),
        ]
    }
}
