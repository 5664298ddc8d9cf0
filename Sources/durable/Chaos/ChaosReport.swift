internal import CBOR
internal import DurableBench
internal import DurableChaos

/// What a run under fire showed.
struct ChaosReport: Sendable {
    /// The scenario, or what was attacked.
    var title: String
    /// What was promised.
    var promise: String
    var settings: ChaosSettings
    var machine: BenchmarkMachine
    var loadBefore: Double
    var loadAfter = BenchmarkMachine.load
    var page: ChaosBook.Page
    /// Whether the tool made calls itself.
    var hasCalls = true
    var checks: [ChaosCheck]
    var lost: Int?
    var doubled: Int?
    /// What else is to be said.
    var notes: [String] = []
    /// Deaths that no fault has caused and that break no promise of ours.
    var strangeDeaths: [String] = []

    /// Whether every promise was shown to hold.
    var isClean: Bool { checks.allSatisfy(\.isHeld) }

    /// The verdict in a sentence.
    var verdict: String {
        let broken = checks.count { if case .broken = $0.verdict { true } else { false } }
        if broken > 0 { return broken == 1 ? "a promise is broken" : "\(broken) promises are broken" }
        if !isClean { return "not everything could be decided" }
        return checks.count == 1 ? "the promise holds" : "all \(checks.count) promises hold"
    }

    /// Groups of recoveries, with what they are.
    var recoveries: [(name: String, durations: [Duration])] {
        [
            ("worker", page.workerRecoveries), ("supervisor", page.supervisorRecoveries),
            ("everything", page.jointRecoveries), ("standstill", page.standstills),
        ].filter { !$0.1.isEmpty }
    }

    /// The faults around what is wrong: within a second of it if its time is known, else the last.
    func history(around difference: ChaosComparison.Difference?) -> [ChaosBook.Strike] {
        guard let time = difference?.time else { return page.strikes.suffix(12) }
        return Array(page.strikes.filter { abs(($0.offset - time) / .seconds(1)) <= 1 }.suffix(24))
    }
}

extension ChaosBook.Strike {
    /// A line for people.
    var line: String {
        let time = "\(BenchmarkReport.rounded(offset / .seconds(1))) s"
        let standing = lasting == .zero ? "" : " for \(lasting.shown)"
        let back = recovery.map { "answers after \($0.shown)" } ?? "no answer yet"
        return
            "\(time.padded(to: 8)) \(kind.rawValue.padded(to: 15)) \(title), process \(processID)\(standing): \(back)"
    }
}

extension ChaosReport {
    private static let evidenceLinesMax = 8

    /// For people.
    func text(isColoured: Bool) -> String {
        var lines = ["\(title): \(promise)", ""]
        lines += rows.map { "  \($0.0.padded(to: 23))\($0.1)" } + [""]
        let width = checks.map(\.word.count).max() ?? 0
        for check in checks {
            let extent = check.extent.isEmpty ? "" : " (\(check.extent))"
            let word = check.word.padded(to: width)
            let colour = check.isHeld ? 32 : 31
            lines.append("  \(isColoured ? "\u{1B}[\(colour)m\(word)\u{1B}[0m" : word)  \(check.promise)\(extent)")
        }
        for check in checks where !check.isHeld { lines += ["", "\(check.word): \(check.promise)"] + evidence(check) }
        if !strangeDeaths.isEmpty {
            lines += ["", "deaths that are not ours"] + strangeDeaths.map { "  \($0)" }
        }
        lines += ["", "\(verdict); seed \(settings.seed); again: \(settings.command)"] + notes
        return lines.joined(separator: "\n") + "\n"
    }

    private var rows: [(String, String)] {
        var rows: [(String, String)] = []
        if hasCalls {
            let calls = "\(page.acknowledged.grouped) acknowledged, \(page.failed.grouped) failed, "
            rows.append(
                ("calls", calls + "\(page.unknown.grouped) unknown; \(Int(page.callsPerSecond).grouped) a second")
            )
            rows.append(("slowest call", page.slowest.shown))
        }
        let kinds = page.faultsByKind.map { "\($0.count) \($0.kind)" }.joined(separator: ", ")
        let omitted = page.leftOut == 0 ? "" : "; \(page.leftOut) left out"
        rows.append(("faults", "\(page.faultsCount.grouped)\(kinds.isEmpty ? "" : ": \(kinds)")\(omitted)"))
        for (name, durations) in recoveries {
            rows.append(("\(name) back after", "\(Percentiles(durations).shown)   (\(durations.count.grouped))"))
        }
        if let lost { rows.append(("lost", "\(lost)")) }
        if let doubled { rows.append(("doubled", "\(doubled)")) }
        for error in page.errors { rows.append(("a call threw", error)) }
        rows.append(("run", settings.parameters.map { "\($0.name) \($0.value)" }.joined(separator: ", ")))
        rows.append(("machine", "\(machine.line), load \(BenchmarkReport.rounded(loadBefore))"))
        return rows
    }

    private func evidence(_ check: ChaosCheck) -> [String] {
        evidenceLines(check).map { "  \($0)" }
    }

    /// What is wrong, and the faults around it; of very much the beginning.
    func evidenceLines(_ check: ChaosCheck) -> [String] {
        let differences = check.differences
        var (lines, shown) = ([String](), 0)
        for difference in differences where lines.count < Self.evidenceLinesMax {
            let time = difference.time.map { "\(BenchmarkReport.rounded($0 / .seconds(1))) s: " } ?? ""
            lines += "\(time)\(difference.text)".split(separator: "\n").map(String.init)
            shown += 1
        }
        if differences.count > shown { lines.append("and \((differences.count - shown).grouped) more") }
        let history = history(around: differences.first)
        if !history.isEmpty { lines += ["faults around it:"] + history.map { "  \($0.line)" } }
        return lines
    }

    /// For programs.
    var json: String {
        get throws {
            try JSON.text(
                .object([
                    "scenario": .text(title),
                    "promise": .text(promise),
                    "verdict": .text(
                        isClean ? "holds" : checks.contains { $0.word == "BROKEN" } ? "broken" : "undecided"
                    ),
                    "seed": CBORValue(settings.seed),
                    "command": .text(settings.command),
                    "parameters": .map(settings.parameters.map { .init(.text($0.name), .text($0.value)) }),
                    "seconds": .float((page.elapsed / .milliseconds(1)).rounded() / 1000),
                    "calls": hasCalls ? callsValue : .null,
                    "faults": .map(page.faultsByKind.map { .init(.text($0.kind), CBORValue($0.count)) }),
                    "faultsLeftOut": CBORValue(page.leftOut),
                    "recoveries": .map(recoveries.map { .init(.text($0.name), Self.value($0.durations)) }),
                    "lost": lost.map { CBORValue($0) } ?? .null,
                    "doubled": doubled.map { CBORValue($0) } ?? .null,
                    "checks": .array(checks.map(value)),
                    "strikes": .array(page.strikes.map(Self.value)),
                    "deathsNotOurs": .array(strangeDeaths.map { .text($0) }),
                    "notes": .array(notes.map { .text($0) }),
                    "machine": .text(machine.line),
                ])
            )
        }
    }

    private var callsValue: CBORValue {
        .object([
            "acknowledged": CBORValue(page.acknowledged), "failed": CBORValue(page.failed),
            "unknown": CBORValue(page.unknown), "perSecond": CBORValue(Int(page.callsPerSecond)),
            "slowestMilliseconds": .milliseconds(page.slowest),
        ])
    }

    private static func value(_ durations: [Duration]) -> CBORValue {
        let percentiles = Percentiles(durations)
        return .object([
            "count": CBORValue(durations.count), "p50Milliseconds": .milliseconds(percentiles.p50),
            "p99Milliseconds": .milliseconds(percentiles.p99), "maxMilliseconds": .milliseconds(percentiles.max),
        ])
    }

    private func value(_ check: ChaosCheck) -> CBORValue {
        .object([
            "promise": .text(check.promise), "extent": .text(check.extent), "verdict": .text(check.word.lowercased()),
            "differences": .array(check.differences.prefix(100).map { .text($0.text) }),
        ])
    }

    private static func value(_ strike: ChaosBook.Strike) -> CBORValue {
        .object([
            "kind": .text(strike.kind.rawValue), "milliseconds": .milliseconds(strike.offset),
            "title": .text(strike.title), "pid": CBORValue(strike.processID),
            "recoveryMilliseconds": .milliseconds(strike.recovery),
        ])
    }
}
