internal import CBOR
internal import DurableActors
internal import DurableBench

/// What the recovery benchmark found, by state, durability and spare.
struct RecoveryTable {
    /// Under which conditions workers were killed.
    struct Cell: Hashable {
        let size: ByteCount
        let durability: Durability
        let isWarm: Bool

        var name: String { "\(size), .\(durability), \(isWarm ? "warm" : "cold")" }
    }

    /// Flushes of a small file on the same disk, one after each recovery.
    var flushes = LatencySamples()
    private var cells: [Cell] = []
    private var recoveries: [Cell: [Recovery]] = [:]

    /// Keeps one recovery.
    mutating func record(_ recovery: Recovery, of cell: Cell) {
        if recoveries[cell] == nil { cells.append(cell) }
        recoveries[cell, default: []].append(recovery)
    }

    private var sorted: [Cell] {
        cells.sorted {
            ($0.isWarm ? 0 : 1, $0.size.bytes, "\($0.durability)") < (
                $1.isWarm ? 0 : 1, $1.size.bytes, "\($1.durability)"
            )
        }
    }

    /// Everything, for people and programs.
    /// - Parameters:
    ///   - rounds: How often each was killed.
    ///   - parameters: How the benchmark was run.
    func findings(rounds: Int, _ parameters: [(name: String, value: String)]) -> BenchFindings {
        let measured = sorted.compactMap { cell in
            RecoveryMeasurement(of: cell.name, recoveries[cell] ?? []).map { (cell: cell, result: $0) }
        }
        let totals = measured.map { (name: $0.cell.name, summary: $0.result.total) }
        let typical = measured.map { (name: $0.cell.name, phases: Self.typical($0.result.recoveries)) }
        let flush = flushes.summary.map { ("fdatasync of 4 KiB", $0) }
        var figures = totals.map { BenchmarkReport.Figure($0.name, $0.summary) }
        if let flush { figures.append(BenchmarkReport.Figure(flush.0, flush.1)) }
        figures += measured.map { cell, result in
            BenchmarkReport.Figure(
                name: cell.name,
                unit: "p50 of each phase, milliseconds",
                values: Recovery.Phase.allCases.map {
                    ($0.rawValue, result.summary(of: $0)?.p50.inMilliseconds ?? .nan)
                }
            )
        }
        return BenchFindings(
            parameters: parameters,
            figures: figures,
            notes: Self.notes(rounds: rounds),
            plots: Self.plots(totals, typical, flush, measured.map { ($0.cell.name, $0.result.recoveries) }),
            latencies: totals,
            members: [
                ("cells", .array(measured.map { Self.json($0.cell, $0.result) })),
                ("flush", flush.map { Self.json($0.1) } ?? .null),
            ]
        )
    }

    private static func notes(rounds: Int) -> [String] {
        var notes = [
            "noticed: the kernel tells that the process is gone; assigned: the next worker opens the shard; claimed: it",
            "writes there for the first time; restored: the next turn begins; answered: the caller has the answer. The",
            "medians of phases need not add up to the median of the whole; the means in the chart do. Every answer was",
            "checked: no acknowledged change was missing or made twice.",
        ]
        if rounds < 1000 { notes.append("With fewer than 1,000 kills of each, p99.9 is the longest.") }
        return notes
    }

    /// The mean of each phase, in milliseconds, over the middle half of the recoveries by their total. Unlike medians of
    /// phases these add up, and unlike means of all the longest do not govern them.
    static func typical(_ recoveries: [Recovery]) -> [Double] {
        let sorted = recoveries.sorted { $0.total < $1.total }
        let middle = sorted[(sorted.count / 4)..<(sorted.count - sorted.count / 4)]
        return Recovery.Phase.allCases.map { phase in
            middle.reduce(0) { $0 + ($1.phases[phase] ?? .zero).inMilliseconds } / Double(max(1, middle.count))
        }
    }

    private static func plots(
        _ totals: [(name: String, summary: LatencySummary)],
        _ typical: [(name: String, phases: [Double])],
        _ flush: (name: String, summary: LatencySummary)?,
        _ recoveries: [(name: String, recoveries: [Recovery])]
    ) -> [BenchPlot] {
        let segments = Recovery.Phase.allCases.map(\.rawValue)
        var bars = typical.map { BarPlot.Row(label: $0.name, values: $0.phases) }
        if let flush {
            bars.append(.init(label: flush.name, values: [flush.summary.p50.inMilliseconds], isBeside: true))
        }
        let lines = totals + (flush.map { [$0] } ?? [])
        return [
            .bars(
                BarPlot(
                    title: "Where the time goes: phases of the middle half of the kills",
                    unit: "ms",
                    segments: segments,
                    rows: bars
                )
            ),
            .percentiles(
                PercentilePlot(
                    title: "Percentiles of the whole",
                    unit: "ms",
                    rows: lines.map { .init($0.name, $0.summary) }
                )
            ),
            .spread(
                SpreadPlot(
                    title: "Every kill",
                    unit: "ms",
                    rows: recoveries.map { ($0.name, $0.recoveries.map(\.total.inMilliseconds)) }
                )
            ),
        ]
    }

    private static func json(_ cell: Cell, _ result: RecoveryMeasurement) -> CBORValue {
        let phases = Recovery.Phase.allCases.compactMap { phase in
            result.summary(of: phase).map { CBORValue.Entry(.text(phase.rawValue), json($0)) }
        }
        return .object([
            "stateBytes": .unsigned(UInt64(cell.size.bytes)), "durability": .text("\(cell.durability)"),
            "spare": .text(cell.isWarm ? "warm" : "cold"), "total": json(result.total), "phases": .map(phases),
            "totals": .array(result.recoveries.map { .milliseconds($0.total) }),
        ])
    }

    private static func json(_ summary: LatencySummary) -> CBORValue {
        .object([
            "count": .unsigned(UInt64(summary.count)), "minMilliseconds": .milliseconds(summary.min),
            "p50Milliseconds": .milliseconds(summary.p50), "p99Milliseconds": .milliseconds(summary.p99),
            "p99.9Milliseconds": .milliseconds(summary.p999), "maxMilliseconds": .milliseconds(summary.max),
        ])
    }
}
