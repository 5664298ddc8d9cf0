import DurableActors
import DurableProcess
import Foundation
import Glibc
import Synchronization
import Testing

@testable import DurableTesting

/// What the trait does after a test, driven by hand: a test cannot see its own end.
@Suite struct EndingTests {
    private struct Broken: Error {}

    /// What one use of the trait left behind.
    private struct Seen {
        var directory = ""
        var processes: [Int32] = []
        var issues: [Issue] = []
        var thrown: (any Error)?

        var failures: [String] { issues.filter { $0.severity == .error }.map { "\($0)" } }
        var warnings: [String] { issues.filter { $0.severity == .warning }.map { "\($0)" } }

        /// Those that live still.
        var living: [Int32] { processes.filter { kill($0, 0) == 0 && !isZombie($0) } }

        private func isZombie(_ pid: Int32) -> Bool {
            let text = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)
            return text?.contains(") Z") != false
        }
    }

    /// Uses the trait around `body`; the issues that come up are for the caller to judge, not of this test.
    private func use(
        patience: Duration = .seconds(20),
        _ body: @escaping @Sendable (ActorRuntime) async throws -> Void
    ) async throws -> Seen {
        let test = try #require(Test.current)
        let noted = Mutex(Seen())
        let issues = Mutex<[Issue]>([])
        let collector: IssueHandlingTrait = .compactMapIssues { issue in
            issues.withLock { $0.append(issue) }
            return nil
        }
        var thrown: (any Error)?
        do {
            try await collector.provideScope(for: test, testCase: nil) {
                let trait = RuntimeTrait(RuntimeConfiguration(), patience: patience)
                try await trait.provideScope(for: test, testCase: nil) {
                    let runtime = try TestRuntime.current
                    let processes = RuntimeProcesses(directory: runtime.directory)
                    noted.withLock { $0.directory = runtime.directory }
                    defer { noted.withLock { $0.processes = processes.all().map(\.pid) } }
                    try await body(runtime)
                }
            }
        } catch {
            thrown = error
        }
        var seen = noted.withLock { $0 }
        seen.issues = issues.withLock { $0 }
        seen.thrown = thrown
        return seen
    }

    /// Whatever a test did: nothing is left of its runtime.
    private func expectNothingLeft(_ seen: Seen) {
        #expect(!seen.processes.isEmpty)
        #expect(seen.living.isEmpty)
        #expect(access(seen.directory, F_OK) != 0)
    }

    @Test func `nothing is left of a test that passed, and nothing is said`() async throws {
        let seen = try await use { runtime in
            let owned = try await runtime.spawn(Tally.self)
            let detached = try await runtime.getOrCreate(Tally.self, name: "detached")
            #expect(try await owned.add(1) == 1)
            #expect(try await detached.add(1) == 1)
            try await detached.say("said in passing")
            kill(try await detached.processID(), SIGKILL)
            #expect(try await detached.add(1) == 2)
        }
        expectNothingLeft(seen)
        #expect(seen.issues.isEmpty, "\(seen.issues)")
    }

    @Test func `the issue of a failed test comes with the deaths and what workers wrote`() async throws {
        let victim = Mutex<Int32>(0)
        let seen = try await use { runtime in
            let tally = try await runtime.spawn(Tally.self, options: .resilient)
            let pid = try await tally.processID()
            victim.withLock { $0 = pid }
            try await tally.say("last words")
            kill(pid, SIGKILL)
            #expect(try await tally.add(1) == 1)
            try await tally.say("second thoughts")
            Issue.record("the test's own failure")
        }
        expectNothingLeft(seen)
        #expect(seen.failures.count == 1)
        try #require(seen.warnings.count == 1)
        for part in [
            "Tally, life 1, process \(victim.withLock { $0 }), restarted", "SIGKILL", "last words", "second th",
        ] {
            #expect(seen.warnings[0].contains(part), "\(part) is not in: \(seen.warnings[0])")
        }
    }

    @Test func `a test that throws fails with its error, and the deaths are told`() async throws {
        let seen = try await use { runtime in
            let tally = try await runtime.spawn(Tally.self)
            kill(try await tally.processID(), SIGKILL)
            while (try? await tally.add(1)) != nil {}
            throw Broken()
        }
        expectNothingLeft(seen)
        #expect(seen.thrown is Broken)
        #expect(seen.failures.isEmpty)
        #expect(seen.warnings.count == 1 && seen.warnings[0].contains("Tally, life 1"), "\(seen.warnings)")
    }

    @Test func `a process that outlives the runtime is an issue with its number, and is ended`() async throws {
        let sleeper = Mutex<Int32>(0)
        let seen = try await use(patience: .milliseconds(200)) { runtime in
            let tally = try await runtime.spawn(Tally.self)
            let pid = try await tally.startSleeper()
            sleeper.withLock { $0 = pid }
        }
        let pid = sleeper.withLock { $0 }
        #expect(pid > 0 && seen.processes.contains(pid))
        try #require(seen.failures.count == 1, "\(seen.failures)")
        #expect(seen.failures[0].contains("process \(pid)"), "\(seen.failures[0])")
        expectNothingLeft(seen)
    }

    @Test func `a test that stopped its processes and gave up leaves nothing`() async throws {
        let seen = try await use { runtime in
            let tally = try await runtime.spawn(Tally.self)
            let pids = [try await tally.processID(), try #require(runtime.supervisorProcessID)]
            for pid in pids { kill(pid, SIGSTOP) }
        }
        expectNothingLeft(seen)
        #expect(seen.issues.isEmpty, "\(seen.issues)")
    }

    @Test func `a supervisor that the test kills leaves nothing`() async throws {
        let seen = try await use { runtime in
            let tally = try await runtime.getOrCreate(Tally.self, name: "detached")
            #expect(try await tally.add(1) == 1)
            kill(try #require(runtime.supervisorProcessID), SIGKILL)
        }
        expectNothingLeft(seen)
        #expect(seen.issues.isEmpty, "\(seen.issues)")
    }

    @Test func `a cancelled test leaves nothing`() async throws {
        let task = Task {
            try await use { runtime in
                let tally = try await runtime.getOrCreate(Tally.self, name: "detached")
                #expect(try await tally.add(1) == 1)
                withUnsafeCurrentTask { $0?.cancel() }
                try Task.checkCancellation()
            }
        }
        let seen = try await task.value
        expectNothingLeft(seen)
        #expect(seen.thrown is CancellationError)
        #expect(seen.failures.isEmpty, "\(seen.failures)")
    }
}
