/// What a ``RecoveryBenchmark`` found. Its description is a table in milliseconds.
public struct RecoveryMeasurement: Sendable, Hashable, Codable, CustomStringConvertible {
    /// What was killed.
    public let subject: String
    /// Every recovery, in the order of the kills.
    public let recoveries: [Recovery]
    /// From each kill until the next answer.
    public let total: LatencySummary
    /// What it was measured on.
    public let machine: BenchmarkMachine

    /// Summarises recoveries; `nil` when there are none.
    package init?(of subject: String, _ recoveries: [Recovery]) {
        guard let total = LatencySummary(recoveries.map(\.total)) else { return nil }
        self.subject = subject
        self.recoveries = recoveries
        self.total = total
        machine = .current()
    }

    /// How long a phase took in each recovery that tells; `nil` when none does.
    public func summary(of phase: Recovery.Phase) -> LatencySummary? {
        LatencySummary(recoveries.compactMap { $0.phases[phase] })
    }

    /// The table: a line for each phase that could be told apart, and one for the whole, in milliseconds.
    public var description: String {
        var figures = Recovery.Phase.allCases.compactMap { phase in
            summary(of: phase).map { BenchmarkReport.Figure(phase.rawValue, $0) }
        }
        figures.append(BenchmarkReport.Figure("kill -9 to answer", total))
        return "\(total.count) kills of \(subject)\n" + machine.line + "\n"
            + BenchmarkReport.table(of: figures, unit: BenchmarkReport.Figure.milliseconds) + "\n"
    }
}
