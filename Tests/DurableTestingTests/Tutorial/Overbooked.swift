import DurableActors
import DurableChaos
import DurableTesting
import Testing

/// `docs/chaos.md` up to the found and shrunk bug: its blocks are parts of this file, and the bug is found each time.
enum Overbooked {
    /// Sells the seats of a small hall.
    distributed actor Seats: DurableActor {
        @Checkpointed var taken: [String] = []
        var free = 2

        init(_ arguments: NoArguments, actorSystem: ActorRuntime) async {
            self.actorSystem = actorSystem
        }

        distributed func book(_ guest: String) -> Bool {
            guard free > 0 else { return false }
            free -= 1
            taken.append(guest)
            return true
        }

        distributed func guests() -> [String] { taken }
    }

    @Suite(.runtime) struct PlainTests {
        @Test func `a full hall takes nobody`() async throws {
            let seats = try await TestRuntime.current.getOrCreate(Seats.self, name: "hall")
            #expect(try await seats.book("Ada"))
            #expect(try await seats.book("Grace"))
            #expect(try await seats.book("Edsger") == false)
        }
    }

    /// The error of the promise.
    struct Overfull: Error {
        let guests: [String]
    }

    /// Runs the matrix of the tutorial.
    static func everyPoint(_ options: CrashMatrixOptions) async throws {
        let report = try await crashMatrix(seed: 1, options: options) { runtime in
            let seats = try await runtime.getOrCreate(Seats.self, name: "hall")
            for guest in ["Ada", "Grace", "Edsger"] { _ = try await seats.book(guest) }
        } verify: { runtime in
            let guests = try await runtime.getActor(Seats.self, name: "hall").guests()
            guard guests.count <= 2 else { throw Overfull(guests: guests) }
        }
        print(report)
    }

    /// Books while a schedule runs, and says how that went.
    static func history(under faults: [ChaosFault]) async throws -> CallHistory<Hall> {
        try await ActorRuntime.withRuntime { runtime in
            let seats = try await runtime.getOrCreate(Seats.self, name: "hall")
            let recorder = HistoryRecorder<Hall>()
            try await withChaos(runtime, ChaosSchedule(faults)) {
                for number in 1...20 {
                    try await recorder.record(.book) { try await seats.book("guest \(number)") }
                    try await Task.sleep(for: .milliseconds(25))
                }
            }
            try await runtime.kill(seats)
            return recorder.history
        }
    }

    @Suite(.serialized) struct BugTests {
        @Test func `the crash matrix finds the bug and names the point`() async throws {
            var options = CrashMatrixOptions()
            options.points = ["workerAfterCommit"]
            let failure = try #require(await #expect(throws: CrashMatrixFailure.self) { try await everyPoint(options) })
            #expect("\(failure)".contains("not survived: workerAfterCommit #"), "\(failure)")
            #expect("\(failure)".contains("Overfull(guests: [\"Ada\", \"Grace\", \"Edsger\"])"), "\(failure)")
        }

        @Test func `the history is not linearizable, and one kill is enough for that`() async throws {
            let faults = ChaosSchedule([.kill(every: .milliseconds(60))], seed: 42).faults(before: .milliseconds(480))
            let verdict = try await history(under: faults).linearizability(from: Hall())
            #expect(!verdict.isLinearizable)
            #expect("\(verdict)".contains("book -> true"), "\(verdict)")

            let smallest = try await shrink(faults, runsMax: 40) { faults in
                try await !history(under: faults).linearizability(from: Hall()).isLinearizable
            }
            print(smallest)
            #expect(smallest.count == 1, "\(smallest)")
        }
    }
}

/// What the hall promises.
struct Hall: SequentialModel {
    enum Operation { case book }

    var free = 2

    mutating func apply(_ operation: Operation) -> Bool {
        guard free > 0 else { return false }
        free -= 1
        return true
    }
}
