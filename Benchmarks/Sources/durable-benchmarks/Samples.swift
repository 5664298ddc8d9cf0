internal import DurableBench

/// Durations as this package measures and reports them: taken in nanoseconds, told in microseconds.
typealias Samples = LatencySamples

extension LatencySamples {
    /// Keeps one duration.
    mutating func record(_ nanoseconds: UInt64) { record(.nanoseconds(Int64(clamping: nanoseconds))) }

    /// The half-way duration in microseconds.
    var p50: Double { microseconds(\.p50) }
    /// What one in a hundred exceeds, in microseconds.
    var p99: Double { microseconds(\.p99) }
    /// The longest, in microseconds.
    var max: Double { microseconds(\.max) }

    private func microseconds(_ statistic: KeyPath<LatencySummary, Duration>) -> Double {
        summary.map { $0[keyPath: statistic] / .microseconds(1) } ?? .nan
    }
}
