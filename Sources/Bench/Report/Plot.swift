// A line plot as SVG text: axes with round numbers, up to a handful of lines, a legend. Pure.
// Colours are the page's classes, so that one drawing suits light and dark. Limit: `pointsMax` points a line; of more,
// each stretch is drawn by its highest, so that no peak gets lost.

import Glibc

struct Plot {
    static let pointsMax = 600

    struct Line {
        var name: String
        /// A class of the page's style: "a" to "d".
        var style: String
        var points: [(x: Double, y: Double)]
    }

    enum Scale { case linear, logarithmic }

    var title: String
    var lines: [Line]
    var yScale = Scale.linear
    /// Spells a value of the y axis.
    var yText: (Double) -> String
    /// Marks of the x axis; nil: round numbers, as seconds.
    var xTicks: [(x: Double, text: String)]?
    var xLabel = "seconds"

    private static let (width, height) = (860.0, 260.0)
    private static let (left, right, top, bottom) = (76.0, 34.0, 34.0, 40.0)

    func svg() -> String {
        let points = lines.flatMap(\.points)
        let xs = points.map(\.x)
        guard let xMin = xs.min(), let xMax = xs.max() else { return "" }
        let yTicks = self.yTicks(points.map(\.y))
        guard let low = yTicks.first, let high = yTicks.last else { return "" }
        func x(_ value: Double) -> Double {
            let share = xMax > xMin ? (value - xMin) / (xMax - xMin) : 0.5
            return Self.left + share * (Self.width - Self.left - Self.right)
        }
        func y(_ value: Double) -> Double {
            let share: Double =
                switch yScale {
                case .linear: (value - low) / (high - low)
                case .logarithmic: log10(max(value, low) / low) / log10(high / low)
                }
            return Self.height - Self.bottom - share * (Self.height - Self.top - Self.bottom)
        }
        var svg =
            #"<svg viewBox="0 0 \#(Int(Self.width)) \#(Int(Self.height))" role="img"><title>\#(escapeMarkup(title))</title>"#
        svg += text(Self.left, 16, "start", title, "title")
        for tick in yTicks {
            svg += rule(Self.left, y(tick), Self.width - Self.right, y(tick))
            svg += text(Self.left - 8, y(tick) + 4, "end", yText(tick))
        }
        for tick in xTicks ?? secondTicks(xMin, xMax) where tick.x >= xMin && tick.x <= xMax {
            svg += rule(x(tick.x), Self.height - Self.bottom, x(tick.x), Self.height - Self.bottom + 4)
            svg += text(x(tick.x), Self.height - Self.bottom + 17, "middle", tick.text)
        }
        svg += text(Self.width - Self.right, Self.height - 6, "end", xLabel)
        for line in lines where !line.points.isEmpty { svg += drawn(line, x, y) }
        return svg + legend() + "</svg>"
    }

    private func drawn(_ line: Line, _ x: (Double) -> Double, _ y: (Double) -> Double) -> String {
        let points = Self.thinned(line.points)
        if points.count == 1 {
            return
                #"<circle class="line \#(line.style)" cx="\#(fixedText(x(points[0].x), 1))" cy="\#(fixedText(y(points[0].y), 1))" r="2.5"/>"#
        }
        let places = points.map { "\(fixedText(x($0.x), 1)),\(fixedText(y($0.y), 1))" }
        return #"<polyline class="line \#(line.style)" points="\#(places.joined(separator: " "))"/>"#
    }

    /// At most `pointsMax` points: of each stretch the highest.
    static func thinned(_ points: [(x: Double, y: Double)]) -> [(x: Double, y: Double)] {
        guard points.count > pointsMax else { return points }
        let stretch = (points.count + pointsMax - 1) / pointsMax
        return stride(from: 0, to: points.count, by: stretch).map { start in
            let part = points[start..<min(start + stretch, points.count)]
            return (x: part[start].x, y: part.map(\.y).max() ?? 0)
        }
    }

    private func legend() -> String {
        var svg = ""
        var right = Self.width - Self.right
        for line in lines.reversed() {
            svg += text(right, 16, "end", line.name)
            right -= Double(line.name.count) * 6.6 + 8
            svg +=
                #"<line class="line \#(line.style)" x1="\#(fixedText(right - 16, 1))" y1="12" x2="\#(fixedText(right, 1))" y2="12"/>"#
            right -= 30
        }
        return svg
    }

    private func rule(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double) -> String {
        #"<line class="rule" x1="\#(fixedText(x1, 1))" y1="\#(fixedText(y1, 1))" x2="\#(fixedText(x2, 1))" y2="\#(fixedText(y2, 1))"/>"#
    }

    private func text(
        _ x: Double, _ y: Double, _ anchor: String, _ text: String, _ style: String = "label"
    ) -> String {
        #"<text class="\#(style)" x="\#(fixedText(x, 1))" y="\#(fixedText(y, 1))" text-anchor="\#(anchor)">\#(escapeMarkup(text))</text>"#
    }

    // MARK: Ticks

    private func yTicks(_ values: [Double]) -> [Double] {
        let high = values.max() ?? 1
        switch yScale {
        case .linear:
            let step = Self.roundStep(max(high, 1e-9) / 4)
            return (0...Int((max(high, step) / step).rounded(.up))).map { Double($0) * step }
        case .logarithmic:
            let low = max(values.filter { $0 > 0 }.min() ?? 1, 1e-3)
            var decade = 1e-3
            while decade * 10 <= low { decade *= 10 }
            var ticks = [decade]
            while ticks[ticks.count - 1] < high { ticks.append(ticks[ticks.count - 1] * 10) }
            return ticks.count > 1 ? ticks : [decade, decade * 10]
        }
    }

    private func secondTicks(_ low: Double, _ high: Double) -> [(x: Double, text: String)] {
        let step = max(1, Self.roundStep((high - low) / 8))
        return stride(from: (low / step).rounded(.up) * step, through: high, by: step).map { ($0, fixedText($0, 0)) }
    }

    /// 1, 2 or 5 times a power of ten, at least `value`.
    static func roundStep(_ value: Double) -> Double {
        var power = 1e-9
        while power * 10 <= value { power *= 10 }
        for factor in [1.0, 2, 5, 10] where power * factor >= value * 0.999 { return power * factor }
        return power * 10
    }
}

/// Text as it may stand in HTML, attributes included.
func escapeMarkup(_ text: String) -> String {
    var escaped = ""
    for character in text {
        switch character {
        case "&": escaped += "&amp;"
        case "<": escaped += "&lt;"
        case ">": escaped += "&gt;"
        case "\"": escaped += "&quot;"
        case "'": escaped += "&#39;"
        default: escaped.append(character)
        }
    }
    return escaped
}
