import DurableActors
import DurableChaos
import Foundation
import Glibc
import Testing

/// Work that runs in other processes.
@Suite(.serialized, .timeLimit(.minutes(3))) struct RemoteTaskTests {
    private let cores = ProcessInfo.processInfo.processorCount

    @Test func `CTX-01, EXT-03: a task runs in a process of its own, is no actor, and cannot exit as one`() async throws
    {
        try await ActorRuntime.withRuntime { runtime in
            #expect(try await runtime.run(SquareTask(x: 7)) == 49)
            let refs = (0..<10).map { runtime.submit(SquareTask(x: $0)) }
            #expect(try await runtime.get(refs) == (0..<10).map { $0 * $0 })
            let place = try await runtime.run(WhereaboutsTask())
            #expect(place.process != getpid() && place.actor == nil && place.exit == .invalidArgument)

            // What runs tasks is no actor of the user's.
            let user = try await runtime.spawn(TaskWorker.self)
            #expect(try await runtime.actors().map(\.id) == [user.id])
            let workers = try await runtime.taskWorkers()
            #expect(
                workers.contains { $0.processID == place.process } && workers.allSatisfy { $0.type == "task worker" }
            )
            #expect(!workers.contains { $0.id == user.id })
        }
    }

    @Test func `as many tasks run as there are cores, the others wait in order, and workers are used again`()
        async throws
    {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let (hold, log) = (scratch.file("hold"), scratch.file("log"))
            _ = Attempts.note(in: hold)
            let held = (0..<cores).map { runtime.submit(StepTask(number: $0, hold: hold, log: log)) }
            let later = (0..<2 * cores).map { runtime.submit(StepTask(number: 100 + $0, log: log)) }
            try await eventually("\(cores) tasks have begun") {
                Notes.lines(of: log).sorted()
            } is: {
                $0 == (0..<cores).map { "begin \($0)" }.sorted()
            }
            unlink(hold)
            let processes = Set(try await runtime.get(held))
            #expect(processes.count == cores)
            #expect(processes.isSuperset(of: try await runtime.get(later)))
            #expect(try await runtime.taskWorkers().count == cores)
        }
    }

    @Test func `what a task throws arrives as itself, is not tried again, and leaves its worker alive`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let log = scratch.file("log")
            await #expect(throws: Refusal(reason: "größer")) {
                try await runtime.run(FailingTask(way: .refusal, times: 1, log: log))
            }
            #expect(Attempts.count(in: log) == 1)
            let worker = try #require(try await runtime.taskWorkers().first?.processID)
            let plain = await failure { _ = try await runtime.run(FailingTask(way: .plain, times: 9, log: log)) }
            #expect(plain?.code == .userError && plain?.message.contains("PlainError") == true)
            #expect(try await runtime.run(WhereaboutsTask()).process == worker)
        }
    }

    @Test func `tasks that cannot be sent, read, answered or found fail, and their worker goes on`() async throws {
        struct LocalTask: RemoteTask {
            func run(on runtime: ActorRuntime) async throws -> Int { 1 }
        }
        try await ActorRuntime.withRuntime { runtime in
            let place = try await runtime.run(WhereaboutsTask())
            for (point, text) in [(StubbornTask.Point.sending, "sending"), (.reading, "input"), (.answering, "output")]
            {
                let error = await failure { _ = try await runtime.run(StubbornTask(point)) }
                #expect(error?.code == .serialization && error?.cause?.contains("no \(text)") == true)
            }
            let local = await failure { _ = try await runtime.run(LocalTask()) }
            #expect(local?.code == .invalidArgument && local?.message.contains("LocalTask") == true)
            #expect(try await runtime.run(WhereaboutsTask()) == place)
        }
    }

    @Test func `errors that are chosen are tried again, as often as allowed`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let options = TaskOptions(maxRetries: 2) { $0 is Refusal }
            _ = try await runtime.run(FailingTask(way: .refusal, times: 2, log: scratch.file("two")), options: options)
            #expect(Attempts.count(in: scratch.file("two")) == 3)
            await #expect(throws: Refusal.self) {
                try await runtime.run(FailingTask(way: .refusal, times: 9, log: scratch.file("nine")), options: options)
            }
            #expect(Attempts.count(in: scratch.file("nine")) == 3)
            let other = await failure {
                _ = try await runtime.run(
                    FailingTask(way: .plain, times: 9, log: scratch.file("other")),
                    options: options
                )
            }
            #expect(other?.code == .userError && Attempts.count(in: scratch.file("other")) == 1)
            let refused = await failure {
                _ = try await runtime.run(SquareTask(x: 1), options: TaskOptions(maxRetries: -2))
            }
            #expect(refused?.code == .invalidArgument)
        }
    }

    @Test(arguments: [FailingTask.Way.killed, .trap])
    func `a task whose worker died runs again, three times unless told otherwise`(way: FailingTask.Way) async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            _ = try await runtime.run(FailingTask(way: way, times: 3, log: scratch.file("three")))
            #expect(Attempts.count(in: scratch.file("three")) == 4)
            for (retries, attempts) in [(nil, 4), (0, 1), (1, 2)] as [(RepeatLimit?, Int)] {
                let log = scratch.file("\(attempts)")
                let options = retries.map { TaskOptions(maxRetries: $0) } ?? TaskOptions()
                let error = await failure {
                    _ = try await runtime.run(FailingTask(way: way, times: 99, log: log), options: options)
                }
                #expect(error?.code == .died && error?.actor == nil && error?.message.contains("Failing") == true)
                #expect(Attempts.count(in: log) == attempts)
            }
            #expect(try await runtime.run(SquareTask(x: 3)) == 9)
            #expect(try await runtime.taskWorkers().count <= cores)
        }
    }

    @Test func `under kills of workers and of the supervisor every task has its result`() async throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        try await ActorRuntime.withRuntime { runtime in
            var killer = ProcessKiller(runtime, seed: seed)
            let options = TaskOptions(maxRetries: .unlimited)
            var (kills, round) = (0, 0)
            while kills < 20, round < 1000 {
                let inputs = round * 20..<round * 20 + 20
                let refs = inputs.map { runtime.submit(SquareTask(x: $0), options: options) }
                if try await killer.strikeWorker() != nil {
                    kills += 1
                    if kills % 7 == 0 { _ = try killer.strikeSupervisor() }
                }
                #expect(try await runtime.get(refs) == inputs.map { $0 * $0 }, "seed \(seed)")
                round += 1
            }
            #expect(kills == 20, "seed \(seed)")
        }
    }

    @Test func `BUF-02, BUF-07: a task may hold handles inside of any value, also of actors that are just being made`()
        async throws
    {
        try await ActorRuntime.withRuntime { runtime in
            let first = try await runtime.spawn(Counter.self)
            let second = try await runtime.spawn(Counter.self)
            #expect(try await runtime.run(AdditionTask(counters: ["a": [first, second], "b": []], amount: 5)) == 5)
            #expect(try await runtime.run(AdditionTask(counters: ["a": [second], "b": [first]], amount: 5)) == 10)
            #expect(try await first.read() == 10)
            #expect(try await second.add(1) == 11)
        }
    }

    @Test func `RST-27: a task whose worker died calls a healthy actor again, in another worker, with effect once`()
        async throws
    {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self)
            let log = scratch.file("log")
            #expect(try await runtime.run(AdditionTask(counters: ["": [counter]], amount: 1, times: 2, log: log)) == 1)
            #expect(Attempts.count(in: log) == 3)
            #expect(try await runtime.run(AdditionTask(counters: ["": [counter]], amount: 1)) == 2)
        }
    }

    @Test func `ORD-15: streams of handles that nested tasks were given are complete and in order`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let scribe = try await runtime.spawn(TaskScribe.self, options: ActorOptions(durability: .process))
            let forks = (0..<10).map { runtime.submit(ForkTask(scribe: scribe, name: "\($0)", items: 100, depth: 1)) }
            #expect(try await runtime.get(forks).reduce(0, +) == 20)
            let lines = try await scribe.all()
            #expect(lines.count == 2000)
            for (name, stream) in Dictionary(grouping: lines, by: { $0.split(separator: " ")[0] }) {
                #expect(stream == (0..<100).map { "\(name) \($0)" })
            }
        }
    }

    @Test func `tasks of tasks do not multiply: there is one worker for each level below the first`() async throws {
        try await ActorRuntime.withRuntime { (runtime) async throws -> Void in
            #expect(try await runtime.run(TreeTask(width: 3, depth: 3)) == 27)
            #expect(try await runtime.taskWorkers().count == 4)
        }
    }

    @Test func `a task whose worker dies together with the supervisor runs again`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let (hold, log) = (scratch.file("hold"), scratch.file("log"))
            _ = Attempts.note(in: hold)
            let ref = runtime.submit(StepTask(number: 1, hold: hold, log: log))
            try await eventually("the task has begun") {
                Notes.lines(of: log).count
            } is: {
                $0 == 1
            }
            let worker = try #require(try await runtime.taskWorkers().first?.processID)
            kill(try #require(runtime.supervisorProcessID), SIGKILL)
            kill(worker, SIGKILL)
            unlink(hold)
            #expect(try await ref.value(timeout: .seconds(60)) != worker)
            #expect(Notes.lines(of: log) == ["begin 1", "begin 1", "end 1"])
        }
    }

    @Test func `a task that is made of references begins when they have their values, and fails when one does`()
        async throws
    {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let (hold, log) = (scratch.file("hold"), scratch.file("log"))
            _ = Attempts.note(in: hold)
            let counter = try await runtime.spawn(Counter.self)
            let held = runtime.submit(StepTask(number: 1, hold: hold, log: log))
            let squares = (2...3).map { runtime.submit(SquareTask(x: $0)) }
            let fourth = runtime.submit(with: squares) { SquareTask(x: $0[0] * 100 + $0[1]) }
            let ofCall = runtime.submit(with: counter.submit { try await $0.add(5) }) { SquareTask(x: $0) }
            let later = runtime.submit(with: held) { _ in SquareTask(x: 7) }
            #expect(try await fourth.value == 409 * 409)
            #expect(try await ofCall.value == 25)
            #expect(!later.isReady)
            unlink(hold)
            #expect(try await later.value == 49)

            let failing = runtime.submit(FailingTask(way: .refusal, times: 1, log: scratch.file("failing")))
            let never = runtime.submit(with: failing) { _ in StepTask(number: 2, log: log) }
            await #expect(throws: Refusal(reason: "größer")) { try await never.value }
            let unmade = runtime.submit(with: held) { _ -> StepTask in throw Refusal(reason: "unmade") }
            await #expect(throws: Refusal(reason: "unmade")) { try await unmade.value }
            #expect(Notes.lines(of: log) == ["begin 1", "end 1"])
        }
    }

    @Test func `a running task goes on when the wait for it is cancelled, and when the supervisor dies`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let (hold, log) = (scratch.file("hold"), scratch.file("log"))
            _ = Attempts.note(in: hold)
            let ref = runtime.submit(StepTask(number: 1, hold: hold, log: log))
            try await eventually("the task has begun") {
                Notes.lines(of: log).count
            } is: {
                $0 == 1
            }
            let waiting = Task { try await ref.value }
            waiting.cancel()
            await #expect(throws: CancellationError.self) { try await waiting.value }
            let supervisor = try #require(runtime.supervisorProcessID)
            kill(supervisor, SIGKILL)
            try await eventually("there is another supervisor") {
                runtime.supervisorProcessID
            } is: {
                $0 != nil && $0 != supervisor
            }
            unlink(hold)
            _ = try await ref.value(timeout: .seconds(60))
            #expect(Notes.lines(of: log) == ["begin 1", "end 1"])
        }
    }
}
