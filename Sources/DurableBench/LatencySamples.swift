/// How long something took, each time that it was measured.
public struct LatencySamples: Sendable {
    /// The durations, in the order in which they were measured.
    public private(set) var durations: [Duration]

    /// Keeps these durations, or none yet.
    public init(_ durations: [Duration] = []) { self.durations = durations }

    /// Keeps one duration more.
    public mutating func record(_ duration: Duration) { durations.append(duration) }

    /// Runs `body` and keeps how long it took.
    public mutating func measure<Result>(_ body: () throws -> Result) rethrows -> Result {
        let start = ContinuousClock.now
        let result = try body()
        record(ContinuousClock.now - start)
        return result
    }

    /// What has been measured, in a few numbers; `nil` while nothing was.
    public var summary: LatencySummary? { LatencySummary(durations) }
}

/// What many durations come to. Each percentile is one of the durations, by the nearest rank: p99 of a hundred is the
/// second longest, and p99.9 of fewer than a thousand is the longest.
public struct LatencySummary: Sendable, Hashable {
    /// How many durations there were.
    public let count: Int
    /// The shortest.
    public let min: Duration
    /// Half of them took no longer.
    public let p50: Duration
    /// 99 of 100 took no longer.
    public let p99: Duration
    /// 999 of 1,000 took no longer.
    public let p999: Duration
    /// The longest.
    public let max: Duration

    /// Summarises durations in any order; `nil` when there are none.
    public init?(_ durations: some Sequence<Duration>) {
        let sorted = durations.sorted()
        guard let first = sorted.first, let last = sorted.last else { return nil }
        count = sorted.count
        min = first
        p50 = Self.percentile(50, of: sorted)
        p99 = Self.percentile(99, of: sorted)
        p999 = Self.percentile(99.9, of: sorted)
        max = last
    }

    /// The shortest of the durations that so many of a hundred do not exceed.
    /// - Parameters:
    ///   - percent: 0 to 100.
    ///   - sorted: At least one duration, the shortest first.
    package static func percentile(_ percent: Double, of sorted: [Duration]) -> Duration {
        precondition(!sorted.isEmpty, "nothing has no percentile")
        // 99.9 is no exact binary fraction: without the allowance, the rank of 999 of 1,000 would be 1,000.
        let rank = (percent / 100 * Double(sorted.count) - 1e-9).rounded(.up)
        return sorted[Swift.min(Swift.max(Int(rank), 1), sorted.count) - 1]
    }

    /// One of the numbers.
    package func value(of statistic: LatencyStatistic) -> Duration {
        switch statistic {
        case .min: min
        case .p50: p50
        case .p99: p99
        case .p999: p999
        case .max: max
        }
    }
}

/// The numbers of a summary that have names.
package enum LatencyStatistic: String, Sendable, CaseIterable {
    case min
    case p50
    case p99
    case p999 = "p99.9"
    case max
}

extension LatencySummary: Codable {
    private enum CodingKeys: String, CodingKey {
        case count, minNanoseconds, p50Nanoseconds, p99Nanoseconds, p999Nanoseconds, maxNanoseconds
    }

    /// Reads the numbers, which are stored as whole nanoseconds.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        func duration(_ key: CodingKeys) throws -> Duration {
            .nanoseconds(try container.decode(Int64.self, forKey: key))
        }
        count = try container.decode(Int.self, forKey: .count)
        min = try duration(.minNanoseconds)
        p50 = try duration(.p50Nanoseconds)
        p99 = try duration(.p99Nanoseconds)
        p999 = try duration(.p999Nanoseconds)
        max = try duration(.maxNanoseconds)
    }

    /// Writes the numbers as whole nanoseconds.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(count, forKey: .count)
        try container.encode(min.wholeNanoseconds, forKey: .minNanoseconds)
        try container.encode(p50.wholeNanoseconds, forKey: .p50Nanoseconds)
        try container.encode(p99.wholeNanoseconds, forKey: .p99Nanoseconds)
        try container.encode(p999.wholeNanoseconds, forKey: .p999Nanoseconds)
        try container.encode(max.wholeNanoseconds, forKey: .maxNanoseconds)
    }
}

extension Duration {
    /// The nanoseconds, without what is less than one.
    package var wholeNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }

    /// The microseconds, with their fraction.
    package var inMicroseconds: Double { self / .microseconds(1) }

    /// The milliseconds, with their fraction.
    package var inMilliseconds: Double { self / .milliseconds(1) }
}
