internal import DurableBench
internal import DurableChaos
internal import Glibc

/// What a run shows while it goes on: a picture that is redrawn on a terminal, a line every few seconds elsewhere.
struct ChaosView: Sendable {
    private static let barWidth = 30
    private static let eventsMax = 6
    private static let processesMax = 10
    private static let blocks: [Character] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]

    var title: String
    var settings: ChaosSettings
    /// Whether the tool makes calls itself.
    var hasCalls = true

    /// Shows until the task is cancelled.
    func show(_ book: ChaosBook) async {
        let isTerminal = StandardError.isTerminal
        var drawn = 0
        if isTerminal { StandardError.write("\u{1B}[?25l") } else { StandardError.write("\(header)\n") }
        while !Task.isCancelled {
            if isTerminal { draw(book.page, &drawn) }
            do { try await Task.sleep(for: isTerminal ? .milliseconds(100) : .seconds(3)) } catch { break }
            if !isTerminal { StandardError.write(line(book.page) + "\n") }
        }
        if isTerminal {
            draw(book.page, &drawn)
            StandardError.write("\u{1B}[?25h\n")
        }
    }

    private func draw(_ page: ChaosBook.Page, _ drawn: inout Int) {
        let (columns, rows) = Self.size
        let lines = lines(page, columns: columns).prefix(max(1, rows - 1)).enumerated().map { number, line in
            Self.coloured(line, isHeader: number == 0)
        }
        let up = drawn > 0 ? "\u{1B}[\(drawn)F" : ""
        StandardError.write(up + lines.map { "\($0)\u{1B}[K\n" }.joined() + "\u{1B}[J")
        drawn = lines.count
    }

    private static let hasColours = StandardOutput.hasColours

    private static func coloured(_ line: String, isHeader: Bool) -> String {
        guard hasColours else { return line }
        if isHeader { return "\u{1B}[1m\(line)\u{1B}[0m" }
        for (state, colour) in [(" alive", 32), (" restarting", 31), (" starting", 33), (" stopped", 33)]
        where line.hasSuffix(state) {
            return "\(line.dropLast(state.count))\u{1B}[\(colour)m\(state)\u{1B}[0m"
        }
        return line
    }

    /// What runs.
    var header: String {
        let who = hasCalls ? "\(settings.clients) clients, " : ""
        return "\(title): \(who)\(settings.kinds) every \(settings.period.brief), seed \(settings.seed)"
    }

    /// Everything in one line.
    func line(_ page: ChaosBook.Page) -> String {
        let time = "\(Self.seconds(page.elapsed)) of \(Self.seconds(settings.duration))"
        let calls = hasCalls ? ", \(page.acknowledged.grouped) calls (\(recentRate(page).grouped)/s)" : ""
        let failures = page.failed + page.unknown == 0 ? "" : ", \(page.failed) failed, \(page.unknown) unknown"
        let recovery = page.workerRecoveries
        let back = recovery.isEmpty ? "" : ", recovery \(Percentiles(recovery).shown)"
        return "\(time)\(calls)\(failures), \(page.faultsCount.grouped) faults\(back)"
    }

    /// The picture.
    func lines(_ page: ChaosBook.Page, columns: Int) -> [String] {
        var lines = [header, bar(page), ""]
        if hasCalls {
            let failures = "\(page.failed.grouped) failed, \(page.unknown.grouped) unknown"
            lines.append(
                "calls      \(page.acknowledged.grouped) acknowledged, \(failures), \(recentRate(page).grouped)/s now"
            )
            lines.append("           \(sparkline(page, width: max(10, min(60, columns - 12))))")
        }
        let kinds = page.faultsByKind.map { "\($0.kind) \($0.count)" }.joined(separator: "  ")
        let omitted = page.leftOut == 0 ? "" : "  (left out \(page.leftOut))"
        lines.append("faults     \(kinds.isEmpty ? "none yet" : kinds)\(omitted)")
        for (name, durations) in [("worker", page.workerRecoveries), ("supervisor", page.supervisorRecoveries)] {
            lines.append(
                "\(name.padded(to: 11))\(durations.isEmpty ? "no recovery yet" : Percentiles(durations).shown)"
            )
        }
        lines += ["", "PROCESS".padded(to: 18) + "PID".padded(to: 10) + "STATE"]
        let shown = page.processes.prefix(Self.processesMax)
        for process in shown {
            let pid = process.processID.map { "\($0)" } ?? "-"
            lines.append(process.title.prefix(17).description.padded(to: 18) + pid.padded(to: 10) + process.state)
        }
        if page.processes.count > shown.count { lines.append("and \(page.processes.count - shown.count) more") }
        lines.append("")
        // Always as many lines, so that nothing jumps.
        let events = page.strikes.suffix(Self.eventsMax).map(\.line)
        lines += events + Array(repeating: "", count: Self.eventsMax - events.count)
        return lines.map { String($0.prefix(columns - 1)) }
    }

    private func bar(_ page: ChaosBook.Page) -> String {
        let share = min(1, page.elapsed / settings.duration)
        let filled = Int((share * Double(Self.barWidth)).rounded(.down))
        let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: Self.barWidth - filled)
        let rest = page.elapsed >= settings.duration ? ", the end is checked" : ""
        return "[\(bar)] \(Self.seconds(page.elapsed)) of \(Self.seconds(settings.duration))\(rest)"
    }

    /// Calls a second over the last ten seconds or less, one cell for so many buckets.
    private func sparkline(_ page: ChaosBook.Page, width: Int) -> String {
        let perCell = max(1, (page.buckets.count + width - 1) / width)
        let cells = stride(from: 0, to: page.buckets.count, by: perCell).map { first in
            page.buckets[first..<min(first + perCell, page.buckets.count)].reduce(0, +)
        }
        let highest = max(1, cells.max() ?? 1)
        return String(cells.map { Self.blocks[min(7, $0 * 8 / (highest + 1))] })
    }

    /// Over the last second.
    private func recentRate(_ page: ChaosBook.Page) -> Int {
        let now = Int(page.elapsed / ChaosBook.bucket)
        let recent = page.buckets.indices.filter { $0 < now && $0 >= now - 10 }
        return recent.isEmpty
            ? Int(page.callsPerSecond) : recent.reduce(0) { $0 + page.buckets[$1] } * 10 / min(10, max(1, now))
    }

    private static func seconds(_ duration: Duration) -> String {
        let tenths = Int((duration / .milliseconds(100)).rounded())
        return "\(tenths / 10).\(tenths % 10) s"
    }

    private static var size: (columns: Int, rows: Int) {
        var size = winsize()
        guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else {
            return (80, 40)
        }
        return (max(20, Int(size.ws_col)), Int(size.ws_row))
    }
}

extension Duration {
    /// In the way that users write it.
    var brief: String { TimeSpan(milliseconds: Int((self / .milliseconds(1)).rounded())).description }
}
