internal import DurableBench
internal import DurableChaos

/// What happened when, as inline SVG: calls a second above, and below a lane for each process.
struct ChaosTimeline {
    private static let width = 900.0
    private static let left = 120.0
    private static let right = 24.0
    private static let chartHeight = 150.0
    private static let laneHeight = 24.0
    private static let lanesMax = 24
    private static let pointsMax = 300

    private let page: ChaosBook.Page
    private let hasCalls: Bool
    /// In seconds.
    private let ticks: [Double]
    private var elements: [String] = []

    init(_ page: ChaosBook.Page, hasCalls: Bool) {
        self.page = page
        self.hasCalls = hasCalls
        let end = page.strikes.map { ($0.offset + ($0.recovery ?? .zero)) / .seconds(1) }.max() ?? 0
        let seconds = max(page.elapsed / .seconds(1), end, 0.1)
        // The last tick may lie beyond: the time that is shown ends with the run.
        ticks = Ticks.linear(upTo: seconds).filter { $0 <= seconds } + [seconds]
    }

    private var span: Double { ticks.last ?? 1 }

    /// The figure.
    var figure: String {
        var drawing = self
        return drawing.drawn()
    }

    private mutating func drawn() -> String {
        var y = 18.0
        if hasCalls { y = chart(from: y) }
        let lanes = self.lanes
        let bottom = y + Double(lanes.count) * Self.laneHeight
        axis(from: hasCalls ? 18 : y, to: bottom)
        for (number, lane) in lanes.enumerated() {
            draw(lane, at: y + (Double(number) + 0.5) * Self.laneHeight)
        }
        let height = Int(bottom + 44)
        let keys = [
            ("c0", hasCalls ? "calls a second" : ""), ("c2", "killed, until the next answer"),
            ("c1", "standing still, until the next answer"),
        ]
        let legend = keys.filter { !$0.1.isEmpty }.map {
            "<span class=\"key\"><i class=\"\($0.0)\"></i>\(HTML.escaped($0.1))</span>"
        }
        return """
            <figure>
            <figcaption>Timeline: faults and recoveries\(hasCalls ? " under traffic" : "")</figcaption>
            <p class="legend">\(legend.joined())</p>
            <svg class="timeline" viewBox="0 0 \(Int(Self.width)) \(height)" role="img" aria-label="Timeline">
            \(elements.joined(separator: "\n"))
            </svg>
            </figure>
            """
    }

    private struct Lane {
        var title: String
        var strikes: [ChaosBook.Strike]
    }

    /// The supervisor's first; of very many actors those that were hit most.
    private var lanes: [Lane] {
        let strikes = Dictionary(grouping: page.strikes, by: \.title)
        let titles = Set(strikes.keys).union(page.processes.map(\.title))
        var all = titles.map { Lane(title: $0, strikes: strikes[$0] ?? []) }
        if all.count > Self.lanesMax {
            all = Array(all.sorted { $0.strikes.count > $1.strikes.count }.prefix(Self.lanesMax))
        }
        func rank(_ title: String) -> (Int, Int, String) {
            (title == ChaosBook.Strike.supervisor ? 0 : 1, title.count, title)
        }
        return all.sorted { rank($0.title) < rank($1.title) }
    }

    /// Calls a second. Returns where it ends.
    private mutating func chart(from top: Double) -> Double {
        let bottom = top + Self.chartHeight
        let count = page.buckets.count
        let step = max(1, (count + Self.pointsMax - 1) / Self.pointsMax)
        let bucket = ChaosBook.bucket / .seconds(1)
        // The last bucket is not full.
        let points = stride(from: 0, to: max(0, count - 1), by: step).map { first in
            let range = first..<min(first + step, count)
            let sum = page.buckets[range].reduce(0, +)
            let middle = (Double(range.lowerBound) + Double(range.count) / 2) * bucket
            return (time: middle, rate: Double(sum) / (Double(range.count) * bucket))
        }
        let scale = Ticks.linear(upTo: points.map(\.rate).max() ?? 1)
        let highest = scale.last ?? 1
        func place(_ rate: Double) -> Double { bottom - rate / highest * (Self.chartHeight - 10) }
        for tick in scale {
            line("grid", Self.left, place(tick), Self.width - Self.right, place(tick))
            text(Int(tick).grouped, x: Self.left - 10, y: place(tick) + 4, "label")
        }
        if let first = points.first, let last = points.last {
            let middle = points.map { "L\(Self.short(x($0.time))) \(Self.short(place($0.rate)))" }.joined()
            let path =
                "M\(Self.short(x(first.time))) \(Self.short(bottom))\(middle)L\(Self.short(x(last.time))) \(Self.short(bottom))Z"
            elements.append("<path class=\"c0 area\" d=\"\(path)\"/>")
            let ridge = "M" + middle.dropFirst()
            elements.append("<path class=\"ridge\" d=\"\(ridge)\"/>")
        }
        return bottom + 14
    }

    private mutating func axis(from top: Double, to bottom: Double) {
        for tick in ticks.dropLast() {
            line("grid", x(tick), top, x(tick), bottom)
            text(Ticks.text(tick), x: x(tick), y: bottom + 17, "tick")
        }
        text("seconds", x: (Self.left + Self.width - Self.right) / 2, y: bottom + 36, "tick")
    }

    private mutating func draw(_ lane: Lane, at y: Double) {
        let title = lane.title.count > 16 ? lane.title.prefix(15) + "…" : lane.title
        text(title, x: Self.left - 10, y: y + 4, "label")
        line("lane", Self.left, y, Self.width - Self.right, y)
        for strike in lane.strikes {
            let from = strike.offset / .seconds(1)
            let to = strike.recovery.map { from + $0 / .seconds(1) } ?? span
            let style = strike.kind.endsProcesses ? "c2" : "c1"
            let shape =
                "x=\"\(Self.short(x(from)))\" y=\"\(Self.short(y - 6))\" "
                + "width=\"\(Self.short(max(2.5, x(to) - x(from))))\" height=\"12\" rx=\"1.2\""
            elements.append("<rect class=\"\(style)\" \(shape)><title>\(HTML.escaped(strike.line))</title></rect>")
        }
    }

    private func x(_ seconds: Double) -> Double {
        Self.left + (Self.width - Self.left - Self.right) * min(1, seconds / span)
    }

    private mutating func line(_ style: String, _ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double) {
        let ends = "x1=\"\(Self.short(x1))\" y1=\"\(Self.short(y1))\" x2=\"\(Self.short(x2))\" y2=\"\(Self.short(y2))\""
        elements.append("<line class=\"\(style)\" \(ends)/>")
    }

    private mutating func text(_ text: some StringProtocol, x: Double, y: Double, _ style: String) {
        let place = "x=\"\(Self.short(x))\" y=\"\(Self.short(y))\""
        elements.append("<text class=\"\(style)\" \(place)>\(HTML.escaped(String(text)))</text>")
    }

    /// A coordinate; tenths of a pixel are enough.
    private static func short(_ value: Double) -> String { "\((value * 10).rounded() / 10)" }
}
