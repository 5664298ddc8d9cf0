import CBOR
import DurableBench
import Testing

/// Durations of so many milliseconds each, in an order that is not theirs.
private func milliseconds(_ range: ClosedRange<Int>) -> [Duration] {
    range.reversed().map { .milliseconds($0) }
}

@Suite("What durations come to")
struct LatencySummaryTests {
    @Test(
        "each percentile is the duration of the nearest rank",
        arguments: [
            // Of 1 to n milliseconds: p50, p99, p99.9.
            (1, 1, 1, 1), (2, 1, 2, 2), (3, 2, 3, 3), (100, 50, 99, 100), (101, 51, 100, 101), (200, 100, 198, 200),
            (1000, 500, 990, 999), (10_000, 5000, 9900, 9990),
        ]
    )
    func takesTheNearestRank(count: Int, p50: Int, p99: Int, p999: Int) throws {
        let summary = try #require(LatencySummary(milliseconds(1...count)))
        #expect(summary.count == count)
        #expect(summary.min == .milliseconds(1))
        #expect(summary.p50 == .milliseconds(p50))
        #expect(summary.p99 == .milliseconds(p99))
        #expect(summary.p999 == .milliseconds(p999))
        #expect(summary.max == .milliseconds(count))
    }

    @Test("nothing comes to nothing, and equal durations to themselves")
    func knowsTheEdges() {
        #expect(LatencySummary([]) == nil)
        #expect(LatencySamples().summary == nil)
        let same = LatencySummary(Array(repeating: Duration.microseconds(7), count: 12))
        #expect(same?.p50 == .microseconds(7) && same?.max == .microseconds(7) && same?.min == .microseconds(7))
    }

    @Test("the ends of the scale are the shortest and the longest", arguments: [0.0, 1e-9, 100, 250])
    func clampsPercentiles(percent: Double) {
        let found = LatencySummary.percentile(percent, of: milliseconds(1...9).sorted())
        #expect(found == .milliseconds(percent < 50 ? 1 : 9))
    }

    @Test("samples keep what they are given, in order")
    func keepsSamples() throws {
        var samples = LatencySamples([.seconds(3)])
        samples.record(.seconds(1))
        let answer = samples.measure { 42 }
        #expect(answer == 42)
        #expect(samples.durations.prefix(2) == [.seconds(3), .seconds(1)])
        #expect(samples.durations.count == 3)
        #expect(samples.summary?.max == .seconds(3))
    }

    @Test("a summary survives being stored, to the nanosecond, and its keys name their unit")
    func isCodable() throws {
        let summary = try #require(LatencySummary([.nanoseconds(1), .nanoseconds(1_234_567_891), .seconds(3)]))
        let bytes = try CBOREncoder().encode(summary)
        #expect(try CBORDecoder().decode(LatencySummary.self, from: bytes) == summary)
        let json = try CBORDiagnostic.json(bytes)
        #expect(
            json.contains("\"p99Nanoseconds\":3000000000") || json.contains("\"p99Nanoseconds\": 3000000000"),
            "\(json)"
        )
    }
}

@Suite("Claims about latencies")
struct LatencyAssertionTests {
    @Test(
        "a claim is read as it was meant",
        arguments: [
            ("p99<50ms", LatencyStatistic.p99, LatencyAssertion.Comparison.below, Duration.milliseconds(50)),
            ("p99.9 <= 1.5s", .p999, .atMost, .milliseconds(1500)), ("max>10us", .max, .above, .microseconds(10)),
            ("  p50 >= 7 ns ", .p50, .atLeast, .nanoseconds(7)), ("min<0.25µs", .min, .below, .nanoseconds(250)),
            ("max<0ms", .max, .below, .zero), ("p50<10μs", .p50, .below, .microseconds(10)),
        ]
    )
    func reads(text: String, statistic: LatencyStatistic, comparison: LatencyAssertion.Comparison, bound: Duration)
        throws
    {
        let claim = try LatencyAssertion(text)
        #expect(claim.statistic == statistic && claim.comparison == comparison && claim.bound == bound)
        #expect("\(claim)" == text)
    }

    @Test(
        "text that is no claim is refused, with the text, the fault and an example",
        arguments: [
            ("", "there is none of"), ("fast please", "there is none of"), ("p99 50ms", "there is none of"),
            ("p98<50ms", "\"p98\" is none of min, p50, p99, p99.9, max"), ("<50ms", "nothing stands before <"),
            ("P99<50ms", "\"P99\" is none of"), ("p99<", "nothing stands behind <"), ("p99<50", "50 has no unit"),
            ("p99<50m", "\"m\" is none of ns, us, ms, s"), ("p99<50MS", "\"MS\" is none of"),
            ("p99<fifty ms", "does not begin with a number"), ("p99<-1ms", "does not begin with a number"),
            ("p99<1.2.3ms", "does not begin with a number"), ("p99<.ms", "does not begin with a number"),
            ("p99=50ms", "\"=\" is none of"), ("p99==50ms", "\"==\" is none of"), ("p99<>50ms", "\"<>\" is none of"),
            ("p99<50ms<2s", "is none of ns, us, ms, s"), ("p99<99999999999999999999s", "longer than eleven days"),
        ]
    )
    func refuses(text: String, fault: String) {
        let error = #expect(throws: LatencyAssertion.ParseError.self) { _ = try LatencyAssertion(text) }
        let message = error?.description ?? ""
        #expect(message.hasPrefix("\"\(text)\" is no assertion: ") && message.contains(fault), "\(message)")
        #expect(message.hasSuffix("write one as in p99<50ms or max<=1.5s"))
    }

    @Test(
        "a claim holds on its own side of the bound only",
        arguments: [
            ("<", [true, false, false]), ("<=", [true, true, false]), (">", [false, false, true]),
            (">=", [false, true, true]),
        ]
    )
    func compares(sign: String, expected: [Bool]) throws {
        let claim = try LatencyAssertion("p50\(sign)2ms")
        let held = try (1...3).map { claim.holds(of: try #require(LatencySummary([.milliseconds($0)]))) }
        #expect(held == expected)
    }

    @Test("each statistic is compared by its own number", arguments: LatencyStatistic.allCases)
    func comparesItsOwn(statistic: LatencyStatistic) throws {
        let summary = try #require(LatencySummary(milliseconds(1...10_000)))
        let own = ["min": 1, "p50": 5000, "p99": 9900, "p99.9": 9990, "max": 10_000][statistic.rawValue] ?? 0
        #expect(try LatencyAssertion("\(statistic.rawValue)<=\(own)ms").holds(of: summary))
        #expect(try !LatencyAssertion("\(statistic.rawValue)<\(own)ms").holds(of: summary))
    }
}

@Suite("The phases of a recovery")
struct RecoveryTests {
    private let killed = ContinuousClock.now

    private func moments(_ offsets: [Recovery.Phase: Int]) -> [Recovery.Phase: ContinuousClock.Instant] {
        offsets.mapValues { killed + .milliseconds($0) }
    }

    @Test("each phase lasts from the one before, and together they are the total")
    func addsUp() {
        let all = moments([.noticed: 1, .assigned: 3, .claimed: 6, .restored: 10, .answered: 15])
        let recovery = Recovery(killed: killed, moments: all)
        let expected: [Recovery.Phase: Duration] = [
            .noticed: .milliseconds(1), .assigned: .milliseconds(2), .claimed: .milliseconds(3),
            .restored: .milliseconds(4), .answered: .milliseconds(5),
        ]
        #expect(recovery.phases == expected)
        #expect(recovery.total == .milliseconds(15))
    }

    @Test("what was noted after what follows it is taken to have been then, and no phase is negative")
    func ordersLateNotes() {
        let late = moments([.noticed: 20, .assigned: 5, .claimed: 30, .answered: 9])
        let recovery = Recovery(killed: killed, moments: late)
        let expected: [Recovery.Phase: Duration] = [
            .noticed: .milliseconds(5), .assigned: .zero, .claimed: .milliseconds(4), .answered: .zero,
        ]
        #expect(recovery.phases == expected)
        #expect(recovery.total == .milliseconds(9))
        let early = Recovery(killed: killed, moments: moments([.noticed: -3, .answered: 2]))
        #expect(early.phases == [.noticed: .zero, .answered: .milliseconds(2)])
    }

    @Test("a phase that nobody saw is left out, and its time is in the next")
    func leavesOut() {
        let recovery = Recovery(killed: killed, moments: moments([.noticed: 2, .answered: 9]))
        #expect(recovery.phases == [.noticed: .milliseconds(2), .answered: .milliseconds(7)])
    }

    @Test("a measurement survives being stored, and one of nothing is none")
    func isCodable() throws {
        let recovery = Recovery(killed: killed, moments: moments([.noticed: 1, .claimed: 4, .answered: 9]))
        let measurement = try #require(RecoveryMeasurement(of: "Account", [recovery, recovery]))
        let bytes = try CBOREncoder().encode(measurement)
        #expect(try CBORDecoder().decode(RecoveryMeasurement.self, from: bytes) == measurement)
        #expect(RecoveryMeasurement(of: "Account", []) == nil)
    }
}
