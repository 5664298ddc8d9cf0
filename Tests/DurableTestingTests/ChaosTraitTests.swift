import DurableActors
import DurableChaos
import Glibc
import Synchronization
import Testing

@testable import DurableTesting

/// The trait as users write it.
@Suite(.serialized) struct ChaosTraitTests {
    @Test(.chaos(.kill(every: .milliseconds(50)), seed: 42))
    func `a test under fire has a runtime, and its actors keep what they promise`() async throws {
        let tally = try await TestRuntime.current.getOrCreate(Tally.self, name: "tally")
        for expected in 1...200 { try #require(try await tally.add(1) == expected) }
    }

    @Test(.runtime(.graceful), .chaos(.anything(every: .milliseconds(150)), seed: 7, budget: ChaosBudget(downMax: 2)))
    func `every kind of fault is borne, with the runtime that the test asks for`() async throws {
        let runtime = try TestRuntime.current
        var options = ActorOptions.resilient
        // SIGABRT from outside looks like a crash of the call that runs.
        options.maxCallCrashes = .unlimited
        let tallies = try await [
            runtime.getOrCreate(Tally.self, name: "first", options: options),
            runtime.getOrCreate(Tally.self, name: "second", options: options),
        ]
        for expected in 1...150 {
            for tally in tallies { try #require(try await tally.add(1) == expected) }
        }
    }
}

/// What the trait says of a test that fails; driven by hand, as a test cannot see its own end.
@Suite(.serialized) struct ChaosReportTests {
    private struct Seen {
        var issues: [Issue] = []
        var thrown: (any Error)?

        var failures: [String] { issues.filter { $0.severity == .error }.map { "\($0)" } }
        var warnings: String { issues.filter { $0.severity == .warning }.map { "\($0)" }.joined(separator: "\n") }
    }

    private func use(
        _ trait: ChaosTrait,
        _ body: @escaping @Sendable (ActorRuntime) async throws -> Void
    ) async throws -> Seen {
        let test = try #require(Test.current)
        let issues = Mutex<[Issue]>([])
        let collector: IssueHandlingTrait = .compactMapIssues { issue in
            issues.withLock { $0.append(issue) }
            return nil
        }
        var thrown: (any Error)?
        do {
            try await collector.provideScope(for: test, testCase: nil) {
                try await trait.provideScope(for: test, testCase: nil) { try await body(try TestRuntime.current) }
            }
        } catch {
            thrown = error
        }
        return Seen(issues: issues.withLock { $0 }, thrown: thrown)
    }

    /// Calls until the first life has ended.
    private static func outlive(_ tally: Tally) async throws {
        let first = try await tally.processID()
        while try await tally.processID() == first {}
    }

    @Test func `a test that passes under fire says nothing`() async throws {
        let seen = try await use(.chaos(faults: [ChaosFault(.kill, at: .milliseconds(300))])) { runtime in
            try await Self.outlive(try await runtime.getOrCreate(Tally.self, name: "tally"))
        }
        #expect(seen.issues.isEmpty, "\(seen.issues)")
        #expect(seen.thrown == nil)
    }

    @Test func `a test that fails comes with the seed, the faults and whom they hit`() async throws {
        let victim = Mutex<Int32>(0)
        let seen = try await use(.chaos(.kill(every: .milliseconds(200)), seed: 4711)) { runtime in
            let tally = try await runtime.getOrCreate(Tally.self, name: "tally")
            try await tally.say("said before")
            let pid = try await tally.processID()
            victim.withLock { $0 = pid }
            while try await tally.processID() == pid {}
            Issue.record("the test's own failure")
        }
        #expect(seen.failures.count == 1, "\(seen.failures)")
        for part in ["seed 4711", "ChaosFault(.kill, at: ", "tally, process", "SIGKILL", "said before"] {
            #expect(seen.warnings.contains(part), "\(part) is not in: \(seen.warnings)")
        }
    }

    @Test func `a death that no fault has caused fails the test`() async throws {
        let victim = Mutex<Int32>(0)
        let seen = try await use(.chaos(faults: [])) { runtime in
            let tally = try await runtime.getOrCreate(Tally.self, name: "tally")
            let pid = try await tally.processID()
            victim.withLock { $0 = pid }
            kill(pid, SIGSEGV)
            while try await tally.processID() == pid {}
        }
        #expect(seen.thrown == nil)
        try #require(seen.failures.count == 1, "\(seen.failures)")
        let expected = "a death that is not ours: Tally, life 1, process \(victim.withLock { $0 })"
        #expect(seen.failures[0].contains(expected), "\(seen.failures[0])")
    }

    @Test func `no more is down at once than the budget allows`() async throws {
        let log = ChaosLog()
        try await ActorRuntime.withRuntime { runtime in
            var tallies: [Tally] = []
            for _ in 0..<3 { tallies.append(try await runtime.spawn(Tally.self, options: .resilient)) }
            for tally in tallies { _ = try await tally.add(1) }
            // Both come at once; the second finds the first victim standing still.
            let faults = [
                ChaosFault(.stop, at: .milliseconds(10), lasting: .seconds(60), choice: 0),
                ChaosFault(.kill, at: .milliseconds(11), choice: 1),
                ChaosFault(.killAll, at: .milliseconds(12)),
            ]
            try await withChaos(runtime, ChaosSchedule(faults), log: log) {
                while log.entries.count < 3 { try await Task.sleep(for: .milliseconds(5)) }
            }
            for tally in tallies { #expect(try await tally.add(1) == 2, "who stood still goes on") }
        }
        #expect(log.entries.map { $0.victims.count } == [1, 0, 0], "\(log.entries)")
        #expect(log.entries[1].description.contains("left out, 1 processes are down"), "\(log.entries[1])")
        #expect(log.faults.map(\.kind) == [.stop])
    }

    @Test func `killing and freezing everything at once is borne`() async throws {
        let log = ChaosLog()
        try await ActorRuntime.withRuntime { runtime in
            let tally = try await runtime.getOrCreate(Tally.self, name: "tally")
            _ = try await tally.add(1)
            let faults = [
                ChaosFault(.freeze, at: .milliseconds(1), lasting: .milliseconds(50)),
                ChaosFault(.killAll, at: .milliseconds(2)),
            ]
            try await withChaos(runtime, ChaosSchedule(faults), log: log) {
                while log.entries.count < 2 { try await Task.sleep(for: .milliseconds(5)) }
                #expect(try await tally.add(1) == 2)
            }
            try await runtime.kill(tally)
        }
        #expect(log.entries.map { $0.victims.count } == [2, 2], "\(log.entries)")
    }
}

extension RuntimeConfiguration {
    fileprivate static var graceful: Self {
        var configuration = RuntimeConfiguration()
        configuration.warmSpares = 3
        return configuration
    }
}
