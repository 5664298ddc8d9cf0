import DurableActors
import DurableChaos
import DurableStore
import DurableSupervisor
import Glibc
import Testing

/// What a task that runs again has done to actors.
@Suite(.serialized, .timeLimit(.minutes(3))) struct TaskRetryTests {
    private func records(_ runtime: ActorRuntime) -> Int {
        RuntimeDirectory.entries(of: "\(runtime.directory)/shards").reduce(0) { sum, name in
            // A shard that is being opened is counted the next time.
            let actors = (try? ShardReader.read("\(runtime.directory)/shards/\(name)").actors) ?? []
            return sum + actors.reduce(0) { $0 + $1.completions }
        }
    }

    @Test func `the calls of a task that runs again have effect once, also when several are alike`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let (first, second) = (try await runtime.spawn(Counter.self), try await runtime.spawn(Counter.self))
            // Three times the same call of one actor, and the same of another one.
            let counters = ["": [first, first, second, first]]
            let task = AdditionTask(counters: counters, amount: 5, times: 3, log: scratch.file("log"))
            #expect(try await runtime.run(task) == 15)
            #expect(Attempts.count(in: scratch.file("log")) == 4)
            #expect(try await first.read() == 15)
            #expect(try await second.read() == 5)
            // The same value, submitted again, is another task.
            #expect(try await runtime.run(AdditionTask(counters: counters, amount: 5)) == 30)
        }
    }

    @Test func `an attempt after an error that was chosen has its effects again`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self)
            let task = RefusingAddition(counter: counter, times: 2, log: scratch.file("log"))
            #expect(try await runtime.run(task, options: TaskOptions { $0 is Refusal }) == 3)
        }
    }

    @Test func `records of a task's calls go when it has ended`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self)
            for number in 1...30 {
                #expect(try await runtime.run(AdditionTask(counters: ["": [counter]], amount: 1)) == number)
            }
            // A record goes with the next commit after its release; those of sessions stay, one for each worker.
            try await eventually("few records are left") {
                _ = try await counter.add(1)
                return records(runtime)
            } is: {
                $0 < 10
            }
        }
    }

    @Test func `under kills of workers of tasks and of the actor each task has its effect once`() async throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        try await ActorRuntime.withRuntime { runtime in
            var killer = ProcessKiller(runtime, seed: seed)
            let counter = try await runtime.spawn(Counter.self, options: .resilient)
            let options = TaskOptions(maxRetries: .unlimited)
            var (kills, tasks) = (0, 0)
            while kills < 15, tasks < 5000 {
                let refs = (0..<10).map { _ in
                    runtime.submit(AdditionTask(counters: ["": [counter, counter]], amount: 1), options: options)
                }
                tasks += refs.count
                if try await killer.strikeWorker() != nil { kills += 1 }
                _ = try await runtime.get(refs)
                #expect(try await counter.read() == 2 * tasks, "seed \(seed)")
            }
            #expect(kills == 15, "seed \(seed)")
        }
    }
}

/// Adds one, then throws as often as the file has fewer bytes than `times`.
struct RefusingAddition: RemoteTask {
    var counter: Counter
    var times: Int
    var log: String

    func run(on runtime: ActorRuntime) async throws -> Int {
        let sum = try await counter.add(1)
        guard Attempts.note(in: log) > times else { throw Refusal(reason: "again") }
        return sum
    }
}
