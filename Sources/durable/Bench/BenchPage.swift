internal import DurableBench

/// A report as one page that needs nothing from elsewhere.
struct BenchPage {
    private let report: BenchmarkReport
    private let plots: [BenchPlot]

    init(_ report: BenchmarkReport, _ plots: [BenchPlot]) {
        self.report = report
        self.plots = plots
    }

    /// The page.
    var text: String {
        let figures = plots.map(SVG.figure)
        let tables = report.units.map { unit in table(report.figures.filter { $0.unit == unit }, unit) }
        let parameters = report.parameters.map { "<dt>\(HTML.escaped($0.name))</dt><dd>\(HTML.escaped($0.value))</dd>" }
        return """
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>durable bench \(HTML.escaped(report.benchmark))</title>
            <style>
            \(Self.style)
            </style>
            </head>
            <body>
            <main>
            <h1>durable bench \(HTML.escaped(report.benchmark))</h1>
            <p class="question">\(HTML.escaped(report.question))</p>
            <p class="machine">\(HTML.escaped(report.circumstances))</p>
            <dl>\(parameters.joined())</dl>
            \(figures.joined(separator: "\n"))
            \(tables.joined(separator: "\n"))
            <p class="notes">\(HTML.escaped(report.notes.joined(separator: " ")))</p>
            </main>
            </body>
            </html>

            """
    }

    private func table(_ figures: [BenchmarkReport.Figure], _ unit: String) -> String {
        let columns = figures.first?.values.map(\.column) ?? []
        let head = ([unit] + columns).map { "<th>\(HTML.escaped($0))</th>" }.joined()
        let rows = figures.map { figure in
            let cells = figure.values.map { "<td>\(BenchmarkReport.rounded($0.value))</td>" }.joined()
            return "<tr><th>\(HTML.escaped(figure.name))</th>\(cells)</tr>"
        }
        let body = rows.joined(separator: "\n")
        return "<div class=\"table\"><table>\n<thead><tr>\(head)</tr></thead>\n<tbody>\n\(body)\n</tbody></table></div>"
    }

    static let style = """
        :root { color-scheme: light dark; --ink: #1c2024; --soft: #60646c; --line: #e0e1e6; --paper: #ffffff;
          --card: #f7f8fa; --c0: #3a66c9; --c1: #e2a100; --c2: #d8513f; --c3: #3a9ea5; --c4: #4e9a3c; --c5: #8d8d96; }
        @media (prefers-color-scheme: dark) {
          :root { --ink: #edeef0; --soft: #a4a9b3; --line: #363a43; --paper: #14161a; --card: #1c1f25; --c0: #7a9cf0;
            --c1: #f0c24b; --c2: #f08070; --c3: #67c8cf; --c4: #86cc74; --c5: #9a9aa6; } }
        * { box-sizing: border-box; }
        body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
        main { max-width: 980px; margin: 0 auto; padding: 32px 20px 64px; }
        h1 { font-size: 24px; margin: 0 0 4px; }
        .question { font-size: 17px; margin: 0 0 8px; }
        .machine, .notes { color: var(--soft); font-size: 13px; margin: 0 0 12px; }
        dl { display: flex; flex-wrap: wrap; gap: 4px 20px; margin: 0 0 24px; font-size: 13px; }
        dt { color: var(--soft); } dd { margin: 0; } dl dt { margin-right: -14px; }
        figure { margin: 0 0 24px; padding: 16px 18px 8px; background: var(--card); border: 1px solid var(--line);
          border-radius: 10px; }
        figcaption { font-weight: 600; }
        .legend { margin: 4px 0 8px; font-size: 13px; color: var(--soft); }
        .key { margin-right: 16px; white-space: nowrap; }
        .key i { display: inline-block; width: 11px; height: 11px; border-radius: 3px; margin-right: 6px; }
        svg { display: block; width: 100%; height: auto; margin-top: 8px; }
        svg text { font: 13px system-ui, sans-serif; fill: var(--ink); font-variant-numeric: tabular-nums; }
        svg .label { text-anchor: end; } svg .tick { text-anchor: middle; fill: var(--soft); font-size: 12px; }
        svg .grid { stroke: var(--line); } svg .range { stroke: var(--soft); stroke-width: 2; }
        svg .dot { fill: var(--c0); opacity: .6; }
        svg circle:not(.dot) { stroke: var(--card); stroke-width: .8; }
        .c0 { fill: var(--c0); background: var(--c0); } .c1 { fill: var(--c1); background: var(--c1); }
        .c2 { fill: var(--c2); background: var(--c2); } .c3 { fill: var(--c3); background: var(--c3); }
        .c4 { fill: var(--c4); background: var(--c4); } .c5 { fill: var(--c5); background: var(--c5); }
        .table { overflow-x: auto; margin: 0 0 24px; }
        table { border-collapse: collapse; width: 100%; font-size: 13px; font-variant-numeric: tabular-nums; }
        th, td { padding: 6px 10px; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
        th:first-child { text-align: left; } thead th { color: var(--soft); font-weight: 500; }
        tbody th { font-weight: 500; }
        """
}
