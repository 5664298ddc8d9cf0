internal import DurableBench
internal import Glibc

/// Plots as inline SVG. Colours are classes that the page defines, for light and for dark.
struct SVG {
    private static let width = 900.0
    private static let left = 215.0
    private static let right = 70.0
    private static let rowHeight = 30.0
    private static let bottom = 42.0

    private let title: String
    private let unit: String
    private let ticks: [Double]
    private let isLogarithmic: Bool
    private var height: Double
    private var elements: [String] = []

    private init(_ title: String, _ unit: String, rows: Int, ticks: [Double], isLogarithmic: Bool) {
        self.title = title
        self.unit = unit
        self.ticks = ticks
        self.isLogarithmic = isLogarithmic
        height = Double(rows) * Self.rowHeight + Self.bottom
        drawAxis()
    }

    /// The plot, and above it what its colours mean.
    static func figure(_ plot: BenchPlot) -> String {
        switch plot {
        case .bars(let plot): bars(plot)
        case .percentiles(let plot): percentiles(plot)
        case .spread(let plot): spread(plot)
        }
    }

    private static func bars(_ plot: BarPlot) -> String {
        let ticks = Ticks.linear(upTo: plot.max)
        var svg = SVG(plot.title, plot.unit, rows: plot.rows.count, ticks: ticks, isLogarithmic: false)
        for (index, row) in plot.rows.enumerated() {
            let y = svg.label(row.label, index)
            var sum = 0.0
            for (part, value) in row.values.enumerated() where value > 0 {
                let (from, to) = (svg.x(sum), svg.x(sum + value))
                let name = plot.segments.isEmpty || row.isBeside ? row.label : "\(row.label): \(plot.segments[part])"
                let shape = "x=\"\(short(from))\" y=\"\(short(y - 9))\" width=\"\(short(to - from))\" height=\"18\""
                svg.draw("rect", shape, row.isBeside ? "c5" : "c\(part % 6)", "\(name) \(shown(value)) \(plot.unit)")
                sum += value
            }
            svg.text(shown(sum), x: svg.x(sum) + 6, y: y + 4, "value")
        }
        return svg.figure(legend: plot.segments.enumerated().map { ("c\($0.offset % 6)", $0.element) })
    }

    private static func percentiles(_ plot: PercentilePlot) -> String {
        let values = plot.rows.flatMap { $0.values.map(\.value) }.filter { $0 > 0 }
        let ticks = Ticks.logarithmic(from: values.min() ?? 1, to: values.max() ?? 1)
        var svg = SVG(plot.title, plot.unit, rows: plot.rows.count, ticks: ticks, isLogarithmic: true)
        for (index, row) in plot.rows.enumerated() {
            let y = svg.label(row.label, index)
            let places = row.values.map { svg.x($0.value) }
            if let first = places.min(), let last = places.max() {
                svg.elements.append(
                    "<line class=\"range\" x1=\"\(short(first))\" x2=\"\(short(last))\" y1=\"\(short(y))\" y2=\"\(short(y))\"/>"
                )
            }
            // The last are drawn first and larger, so that equal ones show as rings.
            for (part, value) in row.values.enumerated().reversed() {
                let shape =
                    "cx=\"\(short(svg.x(value.value)))\" cy=\"\(short(y))\" r=\"\(short(4.5 + Double(part) * 2))\""
                svg.draw(
                    "circle",
                    shape,
                    "c\(part % 6)",
                    "\(row.label): \(value.name) \(shown(value.value)) \(plot.unit)"
                )
            }
        }
        let names = plot.rows.first?.values.map(\.name) ?? []
        return svg.figure(legend: names.enumerated().map { ("c\($0.offset % 6)", $0.element) })
    }

    private static func spread(_ plot: SpreadPlot) -> String {
        let values = plot.rows.flatMap(\.values).filter { $0 > 0 }
        let ticks = Ticks.logarithmic(from: values.min() ?? 1, to: values.max() ?? 1)
        var svg = SVG(plot.title, plot.unit, rows: plot.rows.count, ticks: ticks, isLogarithmic: true)
        for (index, row) in plot.rows.enumerated() {
            let y = svg.label(row.label, index)
            // Of very many every so many-th by size, and always the longest.
            let sorted = row.values.sorted(by: >)
            let step = Swift.max(1, sorted.count / 1000)
            for (place, value) in sorted.enumerated() where place.isMultiple(of: step) {
                let offset = Double((place * 7) % 13 - 6)
                svg.elements.append(
                    "<circle class=\"dot\" cx=\"\(short(svg.x(value)))\" cy=\"\(short(y + offset))\" r=\"3\"/>"
                )
            }
        }
        return svg.figure(legend: [])
    }

    private mutating func drawAxis() {
        let end = height - Self.bottom
        for tick in ticks {
            let place = Self.short(x(tick))
            elements.append("<line class=\"grid\" x1=\"\(place)\" x2=\"\(place)\" y1=\"0\" y2=\"\(Self.short(end))\"/>")
            text(Ticks.text(tick), x: x(tick), y: end + 16, "tick")
        }
        text(unit, x: (Self.left + Self.width - Self.right) / 2, y: end + 34, "tick")
    }

    /// Writes what a row is. Returns where its middle is.
    private mutating func label(_ label: String, _ row: Int) -> Double {
        let y = (Double(row) + 0.5) * Self.rowHeight
        text(label, x: Self.left - 10, y: y + 4, "label")
        return y
    }

    private func x(_ value: Double) -> Double {
        let room = Self.width - Self.left - Self.right
        guard let low = ticks.first, let high = ticks.last, high > low else { return Self.left }
        let share = isLogarithmic ? log(max(value, low) / low) / log(high / low) : (value - low) / (high - low)
        return Self.left + room * share
    }

    private mutating func draw(_ element: String, _ shape: String, _ style: String, _ tip: String) {
        elements.append("<\(element) class=\"\(style)\" \(shape)><title>\(HTML.escaped(tip))</title></\(element)>")
    }

    private mutating func text(_ text: String, x: Double, y: Double, _ style: String) {
        let place = "x=\"\(Self.short(x))\" y=\"\(Self.short(y))\""
        elements.append("<text class=\"\(style)\" \(place)>\(HTML.escaped(text))</text>")
    }

    private func figure(legend: [(style: String, name: String)]) -> String {
        let keys = legend.map { "<span class=\"key\"><i class=\"\($0.style)\"></i>\(HTML.escaped($0.name))</span>" }
        let caption = HTML.escaped(title)
        return """
            <figure>
            <figcaption>\(caption)</figcaption>
            \(keys.isEmpty ? "" : "<p class=\"legend\">\(keys.joined())</p>")
            <svg viewBox="0 0 \(Int(Self.width)) \(Int(height))" role="img" aria-label="\(caption)">
            \(elements.joined(separator: "\n"))
            </svg>
            </figure>
            """
    }

    private static func shown(_ value: Double) -> String { BenchmarkReport.rounded(value) }

    /// A coordinate; tenths of a pixel are enough.
    private static func short(_ value: Double) -> String { "\((value * 10).rounded() / 10)" }
}

/// Text within a page.
enum HTML {
    /// The text with nothing in it that a browser would take for markup.
    static func escaped(_ text: String) -> String {
        text.reduce(into: "") { result, character in
            switch character {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            default: result.append(character)
            }
        }
    }
}
