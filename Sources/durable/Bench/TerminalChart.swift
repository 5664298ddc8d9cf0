internal import DurableBench
internal import Glibc

/// Bars for a terminal. With colours the parts of a bar differ by these, else by their patterns.
struct TerminalChart {
    private static let width = 50
    private static let patterns: [Character] = ["#", "=", "+", "-", ".", "%"]
    private static let colours = [34, 33, 31, 36, 32, 35]

    private let plot: BarPlot

    init(_ plot: BarPlot) { self.plot = plot }

    /// The chart, with its legend.
    func text(isColoured: Bool) -> String {
        let labels = plot.rows.map(\.label.count).max() ?? 0
        var lines = ["\(plot.title), \(plot.unit)"]
        for row in plot.rows {
            let bar = row.isBeside ? [(cells: cells(row.total), part: 5)] : parts(of: row)
            let drawn = bar.map { Self.drawn($0.cells, $0.part, isColoured) }.joined()
            lines.append("\(row.label.padded(to: labels))  \(drawn) \(BenchmarkReport.rounded(row.total))")
        }
        if !plot.segments.isEmpty {
            let names = plot.segments.enumerated().map { "\(Self.drawn(2, $0.offset, isColoured)) \($0.element)" }
            lines.append("\(String(repeating: " ", count: labels))  \(names.joined(separator: "  "))")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// The parts of a bar. Each ends where the sum so far does, so that rounding does not add up.
    private func parts(of row: BarPlot.Row) -> [(cells: Int, part: Int)] {
        var (sum, drawn) = (0.0, 0)
        return row.values.enumerated().map { part, value in
            sum += value
            let end = cells(sum)
            defer { drawn = end }
            return (end - drawn, part)
        }
    }

    private func cells(_ value: Double) -> Int {
        guard plot.max > 0, value.isFinite else { return 0 }
        return Int((value / plot.max * Double(Self.width)).rounded())
    }

    private static func drawn(_ cells: Int, _ part: Int, _ isColoured: Bool) -> String {
        guard cells > 0 else { return "" }
        guard isColoured else { return String(repeating: patterns[part % patterns.count], count: cells) }
        return "\u{1B}[\(colours[part % colours.count])m" + String(repeating: "█", count: cells) + "\u{1B}[0m"
    }
}

extension StandardOutput {
    /// Whether somebody watches.
    static var isTerminal: Bool { isatty(STDOUT_FILENO) == 1 && hasColours }

    /// Whether a terminal, if there is one, is to show colours.
    static var hasColours: Bool { getenv("NO_COLOR") == nil && getenv("TERM").map { strcmp($0, "dumb") } != 0 }
}
