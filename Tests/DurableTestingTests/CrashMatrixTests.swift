import DurableActors
import DurableChaos
import DurableCore
import DurableProcess
import DurableTesting
import Foundation
import Glibc
import Synchronization
import Testing

/// A counter that keeps a wrong promise: it says in a file, and not in its state, what it has counted.
distributed actor Forgetful: DurableActor {
    @Checkpointed var value = 0
    var unstored = 0

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
    }

    distributed func add(_ amount: Int) -> Int {
        unstored += amount
        value = unstored
        return value
    }

    /// Ends the process in its first life, without a word.
    distributed func leaveOnce() {
        unstored += 1
        if unstored == 1, ActorContext.current?.incarnation == 1 { _exit(3) }
    }
}

/// The crash matrix as users run it, and as it must not be.
@Suite(.serialized) struct CrashMatrixTests {
    private static func options(_ points: Set<String>?, occurrences: Int? = nil) -> CrashMatrixOptions {
        var options = CrashMatrixOptions()
        options.points = points
        options.occurrencesMax = occurrences
        return options
    }

    /// Every named point that a small service passes, its first passage and its last: nothing acknowledged is lost,
    /// nothing is applied twice, and the name still leads to the actor.
    @Test func `a counter survives a death at every point that it passes`() async throws {
        let report = try await expectSurvival(seed: 7, options: Self.options(nil, occurrences: 2)) { runtime in
            let tally = try await runtime.getOrCreate(Tally.self, name: "tally")
            for expected in 1...2 { #expect(try await tally.add(1) == expected) }
        } verify: { runtime in
            let tally = try await runtime.getActor(Tally.self, name: "tally")
            try #require(try await tally.add(1) == 3)
        }
        print(report)
        #expect(report.notReached.isEmpty, "\(report)")
        #expect(report.survivedPoints.count == report.points.count - report.neverPassed.count)
        for point in [
            FaultPoint.workerBeforeOpen, .workerInsideClaim, .workerBeforeCommit, .workerAfterCommit,
            .workerBeforeReply, .supervisorBeforeCreation, .supervisorInsideRegistryWrite, .supervisorAfterSpawn,
            .supervisorBeforeAssignment, .supervisorAfterServing,
        ] {
            #expect(report.survivedPoints.contains(point.rawValue), "\(point)")
        }
    }

    @Test func `a promise that is not kept over a death is found, with its point`() async throws {
        let points: Set<String> = ["workerAfterCommit", "workerBeforeCommit"]
        do {
            try await crashMatrix(seed: 1, options: Self.options(points)) { runtime in
                let forgetful = try await runtime.getOrCreate(Forgetful.self, name: "forgetful")
                for _ in 1...2 { _ = try await forgetful.add(1) }
            } verify: { runtime in
                let forgetful = try await runtime.getActor(Forgetful.self, name: "forgetful")
                let value = try await forgetful.add(1)
                guard value == 3 else { throw ActorError(.internalError, "it says \(value), not 3") }
            }
            Issue.record("nothing was found")
        } catch let failure as CrashMatrixFailure {
            #expect(!failure.report.failures.isEmpty)
            #expect(failure.description.contains("not survived: workerAfterCommit #"), "\(failure)")
            #expect(failure.description.contains("not 3"), "\(failure)")
            #expect(!failure.report.isComplete)
        }
    }

    @Test func `a scenario that fails by itself is no matrix`() async throws {
        await #expect {
            try await crashMatrix(seed: 1, options: Self.options(["workerAfterCommit"])) { runtime in
                _ = try await runtime.getActor(Tally.self, name: "nobody")
            } verify: { _ in
            }
        } throws: {
            "\($0)".contains("nothing is killed") && "\($0)".contains("nobody")
        }
    }

    @Test func `a point that does not exist is refused by name`() async throws {
        await #expect {
            try await crashMatrix(seed: 1, options: Self.options(["nowhere"])) { _ in
            } verify: { _ in
            }
        } throws: {
            "\($0)".contains("nowhere") && "\($0)".contains("workerBeforeCommit")
        }
    }

    @Test func `a death that nobody injected is a failure of its own`() async throws {
        do {
            try await crashMatrix(seed: 1, options: Self.options(["workerBeforeReply"], occurrences: 1)) { runtime in
                let forgetful = try await runtime.getOrCreate(Forgetful.self, name: "leaves")
                for _ in 1...2 { try await forgetful.leaveOnce() }
            } verify: { _ in
            }
            Issue.record("nothing was found")
        } catch {
            #expect("\(error)".contains("a death that is not ours"), "\(error)")
            #expect("\(error)".contains("code 3"), "\(error)")
        }
    }

    @Test func `points that a scenario does not pass are listed by name`() async throws {
        let points: Set<String> = ["workerAfterSnapshot", "supervisorAfterCreation"]
        let report = try await crashMatrix(seed: 3, options: Self.options(points)) { runtime in
            _ = try await runtime.spawn(Tally.self).add(1)
        } verify: { _ in
        }
        #expect(report.neverPassed == ["workerAfterSnapshot"])
        #expect(!report.isComplete)
        #expect("\(report)".hasPrefix("1 of 2 points survived, in 1 crashes (seed 3)"), "\(report)")
        #expect("\(report)".contains("never passed: workerAfterSnapshot"), "\(report)")
    }

    @Test func `a tally counts for all who have it open, and names who was struck`() throws {
        let path = "/tmp/durable-tally-test.\(getpid()).\(UInt64.random(in: 0 ... .max))"
        let tally = try FaultTally(creating: path)
        defer { unlink(path) }
        let other = try FaultTally(opening: path)
        #expect(tally.pass(.workerAfterCommit) == 1)
        #expect(other.pass(.workerAfterCommit) == 2)
        #expect(other.passages == [.workerAfterCommit: 2])
        other.markThisProcess()
        #expect(tally.marks.map(\.pid) == [getpid()])
        #expect(throws: ProcessError.self) { try FaultTally(creating: path) }
    }
}

/// Keeps entries one by one, and ends when it is told to.
distributed actor Drawer: DurableActor {
    @Checkpointed var sheets: CheckpointedDictionary<Int, String> = [:]

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
    }

    distributed func put(_ number: Int) -> Int {
        sheets[number] = "sheet \(number)"
        return sheets.count
    }

    distributed func clear() { sheets.removeAll() }

    distributed func numbers() -> [Int] { sheets.map(\.key) }

    distributed func crash() { abort() }

    distributed func leave() async throws { try await ActorContext.exit() }
}

extension CrashMatrixTests {
    /// What comes in a longer life: snapshots, rows that nobody needs, restarts, a new supervisor, ends. Nothing that was
    /// acknowledged is lost, and what has ended stays ended. With `DURABLE_TEST_MATRIX=all` at each passage of each point.
    @Test func `a life with snapshots, restarts and ends survives a death at every point`() async throws {
        var options = CrashMatrixOptions()
        options.configuration.snapshotInterval = .milliseconds(10)
        options.occurrencesMax = 1
        options.points = [
            "workerBeforeRemoval", "workerAfterRemoval", "workerBeforeSweep", "workerInsideSweep", "workerAfterSweep",
            "workerBeforeSnapshot", "workerInsideSnapshot", "workerAfterSnapshot", "supervisorAfterDeath",
            "supervisorKillBeforeReplace", "supervisorBeforeAdoption", "supervisorBeforeExit",
            "supervisorBeforeStateRemoval", "supervisorAfterStateRemoval",
        ]
        let isFull = ProcessInfo.processInfo.environment["DURABLE_TEST_MATRIX"] == "all"
        if isFull { (options.points, options.occurrencesMax) = (nil, nil) }
        let report = try await expectSurvival(seed: 11, options: options) { runtime in
            var kept = ActorOptions.resilient
            kept.durability = .process
            let drawer = try await runtime.getOrCreate(Drawer.self, name: "drawer", options: kept)
            for number in 0..<5 { _ = try await drawer.put(number) }
            try await drawer.clear()
            try await Self.snapshot(in: runtime)
            #expect(try await drawer.put(7) == 1)
            try await runtime.kill(drawer, noRestart: false)
            #expect(try await drawer.put(8) == 2)
            // There is none right now when the case has just killed it.
            if let supervisor = runtime.supervisorProcessID { kill(supervisor, SIGKILL) }
            let members = try await [
                runtime.spawn(Drawer.self, options: .resilient.shared("shelf")),
                runtime.spawn(Drawer.self, options: .resilient.shared("shelf")),
            ]
            for member in members { _ = try await member.put(1) }
            try await runtime.kill(members[0])
            #expect(try await members[1].put(2) == 2)
            let guest = try await runtime.getOrCreate(Drawer.self, name: "guest")
            _ = try await guest.put(1)
            // Whether the caller hears of the end is not promised; that it comes is.
            try? await guest.leave()
            let other = try await runtime.getOrCreate(Drawer.self, name: "other")
            _ = try await other.put(1)
            try await runtime.kill(other)
        } verify: { runtime in
            let drawer = try await runtime.getActor(Drawer.self, name: "drawer")
            try #require(try await drawer.numbers() == [7, 8])
            for name in ["guest", "other"] {
                let actors = try await runtime.actors().compactMap(\.name)
                try #require(!actors.contains(name), "\(name) lives")
            }
        }
        print(report)
        #expect(isFull || report.neverPassed.isEmpty, "\(report)")
    }

    @Test func `an end that a caller was told of is not taken back by the next supervisor`() async throws {
        let points: Set<String> = [
            "supervisorBeforeRegistryWrite", "supervisorInsideRegistryWrite", "supervisorBeforeStateRemoval",
            "supervisorAfterStateRemoval",
        ]
        try await expectSurvival(seed: 3, options: Self.options(points)) { runtime in
            let guest = try await runtime.getOrCreate(Drawer.self, name: "guest")
            #expect(try await guest.put(1) == 1)
            await #expect { try await guest.leave() } throws: { ($0 as? ActorError)?.code == .died }
        } verify: { runtime in
            let actors = try await runtime.actors()
            #expect(actors.isEmpty)
            await #expect { _ = try await runtime.getActor(Drawer.self, name: "guest") } throws: {
                ($0 as? ActorError)?.code == .notFound
            }
        }
    }

    /// A call that crashes its worker is given up, and what nobody needs any more is forgotten, once each.
    @Test func `dead letters and expiry survive a death at every point`() async throws {
        var options = CrashMatrixOptions()
        options.configuration.sessionLease = .seconds(1)
        options.occurrencesMax = 1
        options.permitsOtherDeaths = true
        options.points = [
            "workerBeforeDeadLetters", "workerAfterDeadLetters", "workerBeforeExpiry", "workerInsideExpiry",
            "workerAfterExpiry",
        ]
        let report = try await expectSurvival(seed: 5, options: options) { runtime in
            var once = ActorOptions.resilient
            once.maxCallCrashes = 1
            let drawer = try await runtime.getOrCreate(Drawer.self, name: "drawer", options: once)
            #expect(try await drawer.put(1) == 1)
            await #expect { try await drawer.crash() } throws: { ($0 as? ActorError)?.code == .poisonCall }
            #expect(try await drawer.put(2) == 2)
            // The records of these calls are needed no more when the lease is over.
            while CrashCase.tally?.passages[.workerAfterExpiry] == nil { try await Task.sleep(for: .milliseconds(5)) }
        } verify: { runtime in
            let drawer = try await runtime.getActor(Drawer.self, name: "drawer")
            #expect(try await drawer.put(3) == 3)
            #expect(try await drawer.numbers() == [1, 2, 3])
        }
        print(report)
        #expect(report.isComplete, "\(report)")
    }

    @Test func `an expectation that fails in a case names the case, and the case is not survived`() async throws {
        let test = try #require(Test.current)
        let issues = Mutex<[Issue]>([])
        let collector: IssueHandlingTrait = .compactMapIssues { issue in
            issues.withLock { $0.append(issue) }
            return nil
        }
        let report = Mutex<CrashMatrixReport?>(nil)
        try await collector.provideScope(for: test, testCase: nil) {
            let found = try await expectSurvival(seed: 1, options: Self.options(["workerAfterCommit"])) { runtime in
                let forgetful = try await runtime.getOrCreate(Forgetful.self, name: "forgetful")
                for _ in 1...2 { _ = try await forgetful.add(1) }
            } verify: { runtime in
                let value = try await runtime.getActor(Forgetful.self, name: "forgetful").add(1)
                #expect(value == 3, "in \(CrashCase.current?.point ?? "no case")")
            }
            report.withLock { $0 = found }
        }
        let texts = issues.withLock { $0 }.map { "\($0)" }
        let failures = try #require(report.withLock { $0 }).failures
        #expect(!failures.isEmpty)
        #expect(texts.count == failures.count + 1, "one for each case, and the sum: \(texts)")
        for failure in failures {
            #expect(texts.contains { $0.contains("in the case \(failure.crash), seed 1") }, "\(texts)")
        }
        #expect(texts.contains { $0.contains("in workerAfterCommit") }, "\(texts)")
        #expect(texts.last?.contains("0 of 1 points survived") == true, "\(texts)")
    }

    /// Waits until a shard has its first snapshot.
    private static func snapshot(in runtime: ActorRuntime) async throws {
        let shards = "\(runtime.directory)/shards"
        while true {
            let names = try FileManager.default.subpathsOfDirectory(atPath: shards)
            if names.contains(where: { $0.contains("/snapshots/") }) { return }
            try await Task.sleep(for: .milliseconds(5))
        }
    }
}
