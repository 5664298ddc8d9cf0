internal import DurableActors
public import DurableChaos
public import Testing

/// Puts the runtime of each test under fire while its body runs: workers and supervisor are killed, stopped and
/// continued, as a schedule says that follows from the seed.
///
/// The runtime is that of ``RuntimeTrait``; without one, the test gets a runtime with the default configuration. The
/// seed is printed, and repeats the schedule. A worker that dies of anything else than these faults fails the test. When
/// a test fails, a warning tells which faults came when and whom they hit, besides what ``RuntimeTrait`` tells.
public struct ChaosTrait: TestTrait, SuiteTrait, TestScoping {
    @TaskLocal private static var test: Test.ID?

    private let chaos: [Chaos]
    private let listed: [ChaosFault]?
    private let seed: UInt64?
    private let budget: ChaosBudget

    init(_ chaos: [Chaos], listed: [ChaosFault]? = nil, seed: UInt64?, budget: ChaosBudget) {
        self.chaos = chaos
        self.listed = listed
        self.seed = seed
        self.budget = budget
    }

    /// A suite's trait is for each of its tests, not for all of them together.
    public var isRecursive: Bool { true }

    /// Runs a test under fire; Swift Testing calls it.
    public func provideScope(
        for test: Test,
        testCase: Test.Case?,
        performing function: @Sendable () async throws -> Void
    ) async throws {
        guard Self.test != test.id else { return try await function() }
        // The innermost trait counts, as it does for runtimes.
        let trait = test.traits.last { $0 is Self }.flatMap { $0 as? Self } ?? self
        guard TestRuntime.scope?.test != test.id else {
            return try await trait.fire(test, testCase, function)
        }
        try await RuntimeTrait(RuntimeConfiguration()).provideScope(for: test, testCase: testCase) {
            try await trait.fire(test, testCase, function)
        }
    }

    private func fire(
        _ test: Test,
        _ testCase: Test.Case?,
        _ function: @Sendable () async throws -> Void
    ) async throws {
        let seed = seed ?? UInt64.random(in: 0...UInt64.max)
        let schedule = listed.map { ChaosSchedule($0) } ?? ChaosSchedule(chaos, seed: seed)
        let origin = listed.map { "\($0.count) faults" } ?? "seed \(seed)"
        print("chaos: \(test.name), \(origin)")
        let failures = FailureCount()
        let log = ChaosLog()
        var thrown: (any Error)?
        do {
            try await withChaos(try TestRuntime.current, schedule, budget: budget, log: log) {
                try await Self.$test.withValue(test.id) {
                    try await failures.observer.provideScope(for: test, testCase: testCase, performing: function)
                }
            }
        } catch is UnplannedDeaths {
            // They are told below, also when the test throws an error of its own.
        } catch {
            thrown = error
        }
        for death in log.unplannedDeaths { Issue.record(Comment(rawValue: death)) }
        if thrown != nil || failures.count > 0 || !log.unplannedDeaths.isEmpty {
            Issue.record(Comment(rawValue: history(log, origin)), severity: .warning)
        }
        if let thrown { throw thrown }
    }

    private func history(_ log: ChaosLog, _ origin: String) -> String {
        let lines = log.entries.map { "  \($0)" }
        return "the faults of this test, from \(origin), oldest first:\n" + lines.joined(separator: "\n")
    }
}

extension Trait where Self == ChaosTrait {
    /// These faults for each test.
    /// - Parameters:
    ///   - chaos: What comes how often.
    ///   - seed: What decides when each fault comes and whom it hits; random unless given, and printed.
    ///   - budget: How much may be down at once.
    public static func chaos(_ chaos: Chaos..., seed: UInt64? = nil, budget: ChaosBudget = ChaosBudget()) -> Self {
        ChaosTrait(chaos, seed: seed, budget: budget)
    }

    /// These faults and no others for each test, as the history of a failed test names them.
    public static func chaos(faults: [ChaosFault], budget: ChaosBudget = ChaosBudget()) -> Self {
        ChaosTrait([], listed: faults, seed: nil, budget: budget)
    }
}
