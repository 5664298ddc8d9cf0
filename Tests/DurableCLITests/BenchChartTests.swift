import DurableBench
import Testing

@testable import durable

/// What benchmarks draw and read, without any process.
@Suite("Charts and sizes of benchmarks")
struct BenchChartTests {
    private func chart(_ rows: [BarPlot.Row], segments: [String] = [], isColoured: Bool = false) -> [Substring] {
        let plot = BarPlot(title: "Title", unit: "ms", segments: segments, rows: rows)
        return TerminalChart(plot).text(isColoured: isColoured).split(separator: "\n")
    }

    @Test("the longest bar is 50 cells, and the others are in proportion")
    func scalesBars() {
        let lines = chart([
            .init(label: "a", values: [10]), .init(label: "bbb", values: [5]), .init(label: "c", values: [0]),
        ])
        #expect(lines[0] == "Title, ms")
        #expect(lines[1] == "a    \(String(repeating: "#", count: 50)) 10.0")
        #expect(lines[2] == "bbb  \(String(repeating: "#", count: 25)) 5.0")
        #expect(lines[3] == "c     0.0")
    }

    @Test("the parts of a bar differ and together are as long as the bar, however they are rounded")
    func splitsBars() {
        let parts = chart([.init(label: "a", values: Array(repeating: 1, count: 7))], segments: ["x", "y"])
        #expect(parts[1].filter { "#=+-.%".contains($0) }.count == 50 + 1, "and the point of the number")
        let two = chart([.init(label: "a", values: [3, 1])], segments: ["x", "y"])
        #expect(two[1].contains(String(repeating: "#", count: 38) + String(repeating: "=", count: 12) + " 4.0"))
        #expect(two[2].contains("## x  == y"))
    }

    @Test("with colours there are no patterns, and every colour ends")
    func colours() {
        let lines = chart([.init(label: "a", values: [3, 1])], segments: ["x", "y"], isColoured: true)
        #expect(lines[1].contains("\u{1B}[34m") && lines[1].contains("\u{1B}[33m") && lines[1].contains("█"))
        #expect(!lines[1].contains("#"))
        let starts = lines[1].split(separator: "\u{1B}[", omittingEmptySubsequences: false).dropFirst()
        #expect(starts.count == 4 && starts.filter { $0.hasPrefix("0m") }.count == 2)
    }

    @Test("nothing to show is shown as nothing", arguments: [[], [0.0], [.nan], [0, 0]])
    func survivesNothing(values: [Double]) {
        #expect(chart([.init(label: "a", values: values)]).count == 2)
        let page = SVG.figure(.bars(BarPlot(title: "t", unit: "ms", rows: [.init(label: "a", values: values)])))
        #expect(!page.contains("nan"))
    }

    @Test("axes begin at or before the least value and end at or behind the largest")
    func boundsAxes() {
        for max in [0.0001, 0.9, 1, 1.1, 7, 49, 50, 51, 99_999, 3e9] {
            let linear = Ticks.linear(upTo: max)
            #expect(
                linear.first == 0 && linear.last.map { $0 >= max } == true && linear.count <= 8,
                "\(max): \(linear)"
            )
            for min in [max, max / 1.5, max / 10, max / 4321] {
                let ticks = Ticks.logarithmic(from: min, to: max)
                #expect(ticks.count >= 2 && ticks == ticks.sorted(), "\(min) to \(max): \(ticks)")
                #expect((ticks.first ?? .infinity) <= Swift.max(min, 1e-6) * 1.000001, "\(min) to \(max): \(ticks)")
                #expect((ticks.last ?? 0) >= max * 0.999999, "\(min) to \(max): \(ticks)")
            }
        }
    }

    @Test("labels cannot break out of the page")
    func escapes() {
        let hostile = "<script>\"&'</text>"
        let row = BarPlot.Row(label: hostile, values: [1])
        let drawing = SVG.figure(.bars(BarPlot(title: hostile, unit: hostile, segments: [hostile], rows: [row])))
        #expect(!drawing.contains("<script") && !drawing.contains("</text></text>"))
        #expect(drawing.contains("&lt;script&gt;&quot;&amp;"))
    }

    @Test(
        "sizes are read and written in their units",
        arguments: [
            ("0B", 0, "0 B"), ("1B", 1, "1 B"), ("1024B", 1024, "1 KiB"), ("1536B", 1536, "1536 B"),
            ("16MiB", 16 << 20, "16 MiB"),
            ("4GiB", 4 << 30, "4 GiB"), ("1024KiB", 1 << 20, "1 MiB"),
        ]
    )
    func readsSizes(text: String, bytes: Int, shown: String) {
        #expect(ByteCount(text)?.bytes == bytes)
        #expect(ByteCount(bytes).description == shown)
    }

    @Test(
        "what is no size is not read",
        arguments: [
            "", "B", "1", "1 KiB", "-1B", "1.5MiB", "1KB", "1kib", "5GiB", "4294967297B", "99999999999999999999B", "٣B",
        ]
    )
    func refusesSizes(text: String) { #expect(ByteCount(text) == nil) }
}

/// What the chart of recoveries shows.
@Suite("Typical recoveries")
struct TypicalRecoveryTests {
    private func recovery(_ noticed: Int, _ answered: Int) -> Recovery {
        let killed = ContinuousClock.now
        return Recovery(
            killed: killed,
            moments: [.noticed: killed + .milliseconds(noticed), .answered: killed + .milliseconds(answered)]
        )
    }

    @Test("the middle half counts, whatever the slowest and the fastest are, and its phases add up to its mean")
    func takesTheMiddleHalf() {
        let recoveries = [recovery(900, 9000), recovery(2, 10), recovery(4, 14), recovery(0, 1)]
        #expect(RecoveryTable.typical(recoveries) == [3, 0, 0, 0, 9])
        #expect(RecoveryTable.typical([recovery(2, 10)]) == [2, 0, 0, 0, 8])
        #expect(RecoveryTable.typical([]) == [0, 0, 0, 0, 0])
    }
}
