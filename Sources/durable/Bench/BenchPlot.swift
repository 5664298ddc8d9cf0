internal import DurableBench
internal import Glibc

/// Something to look at.
enum BenchPlot: Sendable {
    case bars(BarPlot)
    case percentiles(PercentilePlot)
    case spread(SpreadPlot)
}

/// Bars, each of one part or of several behind one another.
struct BarPlot: Sendable {
    /// One bar.
    struct Row: Sendable {
        let label: String
        let values: [Double]
        /// Whether it is there to compare with, and its value is none of the segments.
        var isBeside = false

        var total: Double { values.reduce(0, +) }
    }

    let title: String
    let unit: String
    /// The names of the parts; empty when bars have only one.
    var segments: [String] = []
    let rows: [Row]

    var max: Double { rows.map(\.total).max() ?? 0 }
}

/// A few percentiles of each line, on a logarithmic scale.
struct PercentilePlot: Sendable {
    /// One line.
    struct Row: Sendable {
        let label: String
        let values: [(name: String, value: Double)]

        init(_ label: String, _ summary: LatencySummary) {
            self.label = label
            let shown: [LatencyStatistic] = [.p50, .p99, .p999, .max]
            values = shown.map { ($0.rawValue, summary.value(of: $0).inMilliseconds) }
        }
    }

    let title: String
    let unit: String
    let rows: [Row]
}

/// Every single value, on a logarithmic scale.
struct SpreadPlot: Sendable {
    let title: String
    let unit: String
    let rows: [(label: String, values: [Double])]
}

/// Numbers beside an axis.
enum Ticks {
    /// A few round numbers from 0 to beyond `max`.
    static func linear(upTo max: Double) -> [Double] {
        guard max > 0, max.isFinite else { return [0, 1] }
        let power = pow(10, floor(log10(max / 4)))
        let step = [1, 2, 5, 10].map { $0 * power }.first { max / $0 <= 6 } ?? 10 * power
        return (0...Int((max / step).rounded(.up))).map { Double($0) * step }
    }

    /// 1, 2 and 5 of each power of ten, from below `min` to above `max`.
    static func logarithmic(from min: Double, to max: Double) -> [Double] {
        let (low, high) = (Swift.max(min, 1e-6), Swift.max(max, min, 1e-6))
        let first = Int(floor(log10(low)))
        let last = Int(floor(log10(high)))
        let all = (first...last + 1).flatMap { power in [1, 2, 5].map { $0 * pow(10, Double(power)) } }
        let start = all.lastIndex { $0 <= low } ?? 0
        let end = all.firstIndex { $0 >= high && $0 > all[start] } ?? all.count - 1
        return Array(all[start...end])
    }

    /// A number of an axis.
    static func text(_ value: Double) -> String {
        let rounded = (value * 1e6).rounded() / 1e6
        return rounded == rounded.rounded() && abs(rounded) < 1e15 ? "\(Int(rounded))" : "\(rounded)"
    }
}
