internal import DurableBench
internal import DurableChaos

/// A report as one page that needs nothing from elsewhere.
struct ChaosPage {
    private static let longestMax = 10
    private let report: ChaosReport

    init(_ report: ChaosReport) { self.report = report }

    /// The page.
    var text: String {
        let title = HTML.escaped("durable chaos \(report.title)")
        let parameters = report.settings.parameters + [("seed", "\(report.settings.seed)")]
        let list = parameters.map { "<dt>\(HTML.escaped($0.0))</dt><dd>\(HTML.escaped($0.1))</dd>" }.joined()
        let load = BenchmarkReport.rounded(report.loadBefore)
        return """
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>\(title)</title>
            <style>
            \(BenchPage.style)
            \(Self.style)
            </style>
            </head>
            <body>
            <main>
            <h1>\(title)</h1>
            <p class="question">\(HTML.escaped(report.promise))</p>
            <p class="verdict \(report.isClean ? "good" : "bad")">\(HTML.escaped(report.verdict))</p>
            <div class="tiles">\(tiles)</div>
            <dl>\(list)</dl>
            \(checks)
            \(ChaosTimeline(report.page, hasCalls: report.hasCalls).figure)
            \(spread)
            \(recoveries)
            \(longest)
            \(strangeDeaths)
            <p class="machine">The same again: <code>\(HTML.escaped(report.settings.command))</code></p>
            <p class="machine">\(HTML.escaped("\(report.machine.line), load \(load) before"))</p>
            <p class="notes">\(HTML.escaped(report.notes.joined(separator: " ")))</p>
            </main>
            </body>
            </html>

            """
    }

    private var tiles: String {
        var tiles: [(String, String)] = []
        if report.hasCalls {
            tiles += [
                ("calls acknowledged", report.page.acknowledged.grouped), ("failed", report.page.failed.grouped),
                ("unknown", report.page.unknown.grouped),
            ]
        }
        tiles.append(("faults", report.page.faultsCount.grouped))
        if let lost = report.lost { tiles.append(("lost", lost.grouped)) }
        if let doubled = report.doubled { tiles.append(("doubled", doubled.grouped)) }
        if let p99 = Percentiles(report.page.workerRecoveries).p99 {
            tiles.append(("p99 until an actor answers", "\(BenchmarkReport.rounded(p99 / .milliseconds(1))) ms"))
        }
        return tiles.map { "<div><b>\(HTML.escaped($0.1))</b><span>\(HTML.escaped($0.0))</span></div>" }.joined()
    }

    private var checks: String {
        let rows = report.checks.map { check in
            let style = check.isHeld ? "good" : "bad"
            let extent = "<td class=\"extent\">\(HTML.escaped(check.extent))</td>"
            let promise = "<td>\(HTML.escaped(check.promise))</td>"
            return "<tr><th class=\"\(style)\">\(check.word)</th>\(promise)\(extent)</tr>" + evidence(check)
        }
        return table("checks", ["", "promise", "checked on"], rows)
    }

    private func evidence(_ check: ChaosCheck) -> String {
        guard !check.isHeld else { return "" }
        let lines = report.evidenceLines(check)
        return "<tr><td colspan=\"3\"><pre>\(HTML.escaped(lines.joined(separator: "\n")))</pre></td></tr>"
    }

    /// Every recovery, on a logarithmic scale.
    private var spread: String {
        let rows = report.recoveries.map { (label: $0.name, values: $0.durations.map { $0 / .milliseconds(1) }) }
        guard !rows.isEmpty else { return "" }
        return SVG.figure(.spread(SpreadPlot(title: "From each fault to the next answer", unit: "ms", rows: rows)))
    }

    private var recoveries: String {
        let rows = report.recoveries.map { name, durations in
            let percentiles = Percentiles(durations)
            let cells = [percentiles.p50, percentiles.p99, percentiles.max].map { "<td>\($0?.shown ?? "-")</td>" }
            return "<tr><th>\(name)</th><td>\(durations.count.grouped)</td>\(cells.joined())</tr>"
        }
        guard !rows.isEmpty else { return "" }
        return table("", ["until the next answer", "count", "p50", "p99", "max"], rows)
    }

    private var longest: String {
        let strikes = report.page.strikes.sorted {
            ($0.recovery ?? .seconds(86_400)) > ($1.recovery ?? .seconds(86_400))
        }
        let rows = strikes.prefix(Self.longestMax).map { strike in
            let time = "\(BenchmarkReport.rounded(strike.offset / .seconds(1))) s"
            let cells = [time, strike.kind.rawValue, "\(strike.processID)", strike.recovery?.shown ?? "no answer"]
            return "<tr><th>\(HTML.escaped(strike.title))</th>\(cells.map { "<td>\($0)</td>" }.joined())</tr>"
        }
        guard !rows.isEmpty else { return "" }
        return table("", ["the longest", "at", "fault", "process", "answers after"], rows)
    }

    private var strangeDeaths: String {
        guard !report.strangeDeaths.isEmpty else { return "" }
        let rows = report.strangeDeaths.map { "<tr><th>\(HTML.escaped($0))</th></tr>" }
        return table("", ["deaths that are not ours"], rows)
    }

    private func table(_ style: String, _ header: [String], _ rows: [String]) -> String {
        let head = header.map { "<th>\(HTML.escaped($0))</th>" }.joined()
        return "<div class=\"table \(style)\"><table>\n<thead><tr>\(head)</tr></thead>\n<tbody>\n"
            + rows.joined(separator: "\n") + "\n</tbody></table></div>"
    }

    private static let style = """
        .verdict { display: inline-block; margin: 4px 0 16px; padding: 4px 14px; border-radius: 999px; font-weight: 600;
          border: 1px solid currentColor; }
        .good { color: var(--c4); } .bad { color: var(--c2); }
        .tiles { display: flex; flex-wrap: wrap; gap: 12px; margin: 0 0 16px; }
        .tiles div { flex: 1 1 110px; padding: 10px 14px; background: var(--card); border: 1px solid var(--line);
          border-radius: 10px; }
        .tiles b { display: block; font-size: 22px; font-variant-numeric: tabular-nums; }
        .tiles span { color: var(--soft); font-size: 12px; }
        .checks td { text-align: left; white-space: normal; } .checks th:nth-child(n+2) { text-align: left; }
        .checks .extent { color: var(--soft); }
        pre { margin: 0; padding: 10px 12px; overflow-x: auto; background: var(--card); border-radius: 8px;
          font: 12px/1.5 ui-monospace, monospace; }
        code { font: 12px ui-monospace, monospace; overflow-wrap: anywhere; }
        svg .lane { stroke: var(--line); stroke-width: 2; } svg .area { opacity: .25; }
        svg .ridge { fill: none; stroke: var(--c0); stroke-width: 1.6; stroke-linejoin: round; }
        """
}
