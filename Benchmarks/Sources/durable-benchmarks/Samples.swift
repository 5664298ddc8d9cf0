internal import Histogram

/// Durations of one thing, in nanoseconds, kept to three digits.
struct Samples {
    private var histogram = Histogram<UInt64>(highestTrackableValue: 600_000_000_000)

    /// Runs `body` and keeps how long it took.
    mutating func measure<Result>(_ body: () throws -> Result) rethrows -> Result {
        let start = nanoseconds()
        let result = try body()
        record(nanoseconds() - start)
        return result
    }

    /// Keeps one duration. Ten minutes stand for anything longer.
    mutating func record(_ duration: UInt64) {
        if !histogram.record(duration) { histogram.record(histogram.highestTrackableValue) }
    }

    /// How many there are.
    var count: Int { Int(histogram.totalCount) }

    /// The half-way duration in microseconds.
    var p50: Double { percentile(50) }
    /// What one in a hundred exceeds, in microseconds.
    var p99: Double { percentile(99) }
    /// The longest, in microseconds.
    var max: Double { Double(histogram.max) / 1000 }

    private func percentile(_ percent: Double) -> Double { Double(histogram.valueAtPercentile(percent)) / 1000 }
}
