import DurableActors
import DurableBench
import Glibc
import Synchronization
import Testing

/// A user's actor: it counts.
distributed actor Counter: DurableActor {
    @Checkpointed var count = 0

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }

    distributed func increment() -> Int {
        count += 1
        return count
    }

    distributed func process() -> Int32 { getpid() }

    distributed func fail() throws { throw Refusal() }
}

struct Refusal: Error, Codable {}

/// Real kills of real workers, each in a runtime of its own.
@Suite("The recovery benchmark", .timeLimit(.minutes(2)))
struct RecoveryBenchmarkTests {
    @Test(
        "an actor is killed as often as was asked, each time comes back with its state, and every phase is told",
        arguments: [Durability.disk, .process]
    )
    func measuresAUsersActor(durability: Durability) async throws {
        try await ActorRuntime.withRuntime { runtime in
            let counts = Mutex<[Int]>([])
            let progress = Mutex<[Int]>([])
            var options = ActorOptions.resilient
            options.durability = durability
            let result = try await RecoveryBenchmark(rounds: 4).run(on: runtime) { [options] runtime in
                try await runtime.spawn(Counter.self, options: options)
            } probing: { counter in
                let count = try await counter.increment()
                counts.withLock { $0.append(count) }
            } progress: { done in
                progress.withLock { $0.append(done) }
            }
            #expect(result.total.count == 4 && result.recoveries.count == 4)
            #expect(progress.withLock(\.self) == [1, 2, 3, 4, 5], "one more than is measured")
            let seen = counts.withLock(\.self)
            #expect(seen == Array(1...seen.count) && seen.count >= 6, "no change is lost or made twice")
            for recovery in result.recoveries {
                #expect(Set(recovery.phases.keys) == [.noticed, .assigned, .claimed, .answered], "\(recovery)")
                #expect(recovery.phases.values.reduce(.zero, +) == recovery.total)
                #expect(recovery.phases.values.allSatisfy { $0 >= .zero } && recovery.total > .zero)
            }
            for word in ["4 kills of Counter", "noticed", "kill -9 to answer", "p99.9", "milliseconds"] {
                #expect(result.description.contains(word), "\(result)")
            }
            let left = try await runtime.actors()
            #expect(left.isEmpty, "the benchmark ends what it made")
        }
    }

    @Test("an actor that stores nothing, and whose calls are not retried, is measured as well")
    func measuresAStatelessActor() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let processes = Mutex<[Int32]>([])
            let result = try await RecoveryBenchmark(rounds: 3).run(on: runtime) { runtime in
                let options = ActorOptions(maxRestarts: .unlimited, maxTaskRetries: 0, durability: .none)
                return try await runtime.spawn(Counter.self, options: options)
            } probing: { counter in
                let process = try await counter.process()
                processes.withLock { $0.append(process) }
            }
            for recovery in result.recoveries { #expect(Set(recovery.phases.keys) == [.noticed, .answered]) }
            #expect(Set(processes.withLock(\.self)).count == 5, "one process before the kills, and one after each")
        }
    }

    @Test("what the probe throws ends the benchmark and the actor")
    func passesErrorsOn() async throws {
        try await ActorRuntime.withRuntime { runtime in
            await #expect(throws: Refusal.self) {
                _ = try await RecoveryBenchmark(rounds: 1).run(on: runtime) { runtime in
                    try await runtime.spawn(Counter.self, options: .resilient)
                } probing: { counter in
                    try await counter.fail()
                }
            }
            let left = try await runtime.actors()
            #expect(left.isEmpty)
        }
    }

    @Test("an actor that is not restarted is named as the reason")
    func needsRestarts() async throws {
        try await ActorRuntime.withRuntime { runtime in
            do {
                _ = try await RecoveryBenchmark(rounds: 1).run(on: runtime) { runtime in
                    try await runtime.spawn(Counter.self)
                } probing: { counter in
                    _ = try await counter.increment()
                }
                Issue.record("the benchmark ran")
            } catch let error as ActorError {
                #expect(error.code == .died, "\(error)")
            }
        }
    }

    @Test("numbers that are not allowed are refused before anything is made", arguments: [(0, 1), (-1, 0), (1, -1)])
    func refusesNumbers(rounds: Int, warmUpRounds: Int) async throws {
        try await ActorRuntime.withRuntime { runtime in
            var benchmark = RecoveryBenchmark(rounds: rounds)
            benchmark.warmUpRounds = warmUpRounds
            do {
                _ = try await benchmark.run(on: runtime) { runtime in
                    Issue.record("an actor was made")
                    return try await runtime.spawn(Counter.self)
                } probing: {
                    _ = try await $0.increment()
                }
                Issue.record("the benchmark ran")
            } catch let error as ActorError {
                #expect(error.code == .invalidArgument)
            }
        }
    }
}
