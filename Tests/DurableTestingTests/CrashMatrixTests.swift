import DurableActors
import DurableChaos
import DurableCore
import DurableProcess
import Glibc
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
        let report = try await crashMatrix(seed: 7, options: Self.options(nil, occurrences: 2)) { runtime in
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
