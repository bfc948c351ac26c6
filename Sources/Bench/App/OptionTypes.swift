// How option values are written: times with a unit, ramps, header lines. Pure; each says what it expected.

import ArgumentParser
import Reactor

/// `500ms`, `10s`, `2m`, `1h`, or a number of seconds.
struct TimeOption: ExpressibleByArgument, Equatable, Sendable {
    let interval: Interval

    init(seconds: Double) { interval = .seconds(seconds) }

    init?(argument: String) {
        let units: [(String, Double)] = [
            ("us", 1e-6), ("µs", 1e-6), ("ms", 1e-3), ("s", 1), ("m", 60), ("h", 3600), ("", 1),
        ]
        for (unit, seconds) in units where argument.hasSuffix(unit) {
            guard let number = Double(argument.dropLast(unit.count)) else { continue }
            guard number >= 0, number * seconds <= 366 * 24 * 3600 else { return nil }
            interval = .seconds(number * seconds)
            return
        }
        return nil
    }

    var defaultValueDescription: String {
        let seconds = interval.seconds
        return seconds == seconds.rounded() ? "\(Int(seconds))s" : "\(fixedText(seconds * 1000, 0))ms"
    }
}

/// `FROM:TO`, requests a second.
struct RampOption: ExpressibleByArgument, Equatable, Sendable {
    let from: Double
    let to: Double

    init?(argument: String) {
        let parts = argument.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let from = Double(parts[0]), let to = Double(parts[1]), from > 0, to > 0,
            from <= LoadOptions.rateMax, to <= LoadOptions.rateMax
        else { return nil }
        self.from = from
        self.to = to
    }

    var defaultValueDescription: String { "\(from):\(to)" }
}

/// `Name: value`.
struct HeaderOption: ExpressibleByArgument, Equatable, Sendable {
    let name: String
    let value: String

    init?(argument: String) {
        guard let colon = argument.firstIndex(of: ":") else { return nil }
        let name = argument[..<colon]
        let value = argument[argument.index(after: colon)...].drop { $0 == " " }
        guard !name.isEmpty, name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }),
            value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F })
        else { return nil }
        self.name = String(name)
        self.value = String(value)
    }
}

/// 0.25 or `25%`: a share from 0 to 1.
struct ShareOption: ExpressibleByArgument, Equatable, Sendable {
    let share: Double

    init(_ share: Double) { self.share = share }

    init?(argument: String) {
        let isPercent = argument.hasSuffix("%")
        guard let number = Double(isPercent ? String(argument.dropLast()) : argument) else { return nil }
        share = isPercent ? number / 100 : number
        guard share >= 0, share <= 1 else { return nil }
    }

    var defaultValueDescription: String { "\(share)" }
}
