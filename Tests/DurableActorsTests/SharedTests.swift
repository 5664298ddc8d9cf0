import DurableActors
import DurableCore
import DurableSupervisor
import Glibc
import Testing

/// Many actors in one worker and one shard.
@Suite(.serialized) struct SharedTests {
    private var shared: ActorOptions { ActorOptions.resilient.shared("counters") }

    @Test func `actors of a group share a process and keep states of their own over its kills`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            var counters: [Counter] = []
            for _ in 0..<20 { counters.append(try await runtime.spawn(Counter.self, options: shared)) }
            for round in 1...5 {
                let refs = counters.enumerated().map { index, counter in counter.submit { try await $0.add(index) } }
                for (index, ref) in refs.enumerated() { #expect(try await ref.value == index * round) }
                kill(try await runtime.process(of: counters[0]), SIGKILL)
            }
            for (index, counter) in counters.enumerated() { #expect(try await counter.read() == index * 5) }
            var processes: Set<Int32> = []
            for counter in counters { processes.insert(try await counter.processID()) }
            #expect(processes.count == 1)
            #expect(try await runtime.process(of: counters[3]) == processes.first)
        }
    }

    @Test func `a call that dies with the worker is applied once`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let dying = try await runtime.spawn(Counter.self, options: shared)
            let other = try await runtime.spawn(Counter.self, options: shared)
            #expect(try await other.add(7) == 7)
            #expect(try await dying.addDying(10, times: 3, log: scratch.file("log")) == 10)
            #expect(try await other.add(1) == 8)
            #expect(try await dying.read() == 10)
        }
    }

    @Test func `an actor that is killed leaves the others alone, and its rows go`() async throws {
        let scratch = ScratchDirectory()
        let runtime = try await ActorRuntime.start(directory: scratch.file("data"))
        let first = try await runtime.spawn(Counter.self, options: shared)
        let second = try await runtime.spawn(Counter.self, options: shared)
        #expect(try await first.add(1) == 1)
        #expect(try await second.add(2) == 2)
        let process = try await second.processID()
        try await runtime.kill(first)
        #expect(await failure { _ = try await first.read() }?.code == .died)
        #expect(try await second.add(1) == 3)
        #expect(try await second.processID() == process)
        #expect(try await runtime.actors().map(\.id) == [second.id])
        try await runtime.kill(second)
        #expect(RuntimeDirectory.entries(of: scratch.file("data/shards")) == [])
        await runtime.shutdown()
    }

    @Test func `an actor that joins a group while its last member ends lives in a new worker`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            var last = try await runtime.spawn(Counter.self, options: shared)
            for round in 1...20 {
                #expect(try await last.add(round) == round)
                // The supervisor hears of the end first, and of the next actor while the worker is dying.
                let ending = last
                let end = Task.immediate { try await runtime.kill(ending) }
                last = try await runtime.spawn(Counter.self, options: shared)
                #expect(try await last.read() == 0)
                try await end.value
                #expect(await failure { _ = try await ending.read() }?.code == .died)
                #expect(try await runtime.actors().map(\.id) == [last.id])
            }
        }
    }

    @Test func `an actor whose constructor throws ends alone`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self, options: shared)
            #expect(try await counter.add(1) == 1)
            let setup = Picky.Setup(crashes: 0, log: scratch.file("log"), throwing: true)
            let picky = try await runtime.spawn(Picky.self, setup, options: shared)
            let error = await failure { _ = try await picky.add(1) }
            #expect(error?.code == .died && error?.message.contains("not today") == true)
            #expect(try await counter.add(1) == 2)
        }
    }

    @Test func `detached actors of a group are found again, each with its state`() async throws {
        let scratch = ScratchDirectory()
        let count = 50
        try await ActorRuntime.withRuntime(directory: scratch.file("data")) { runtime in
            for number in 0..<count {
                let counter = try await runtime.getOrCreate(Counter.self, name: "c\(number)", options: shared)
                #expect(try await counter.add(number) == number)
            }
            for pid in try await runtime.actors().compactMap(\.processID) + [runtime.supervisorProcessID ?? 0] {
                kill(pid, SIGKILL)
            }
        }
        try await ActorRuntime.withRuntime(directory: scratch.file("data")) { runtime in
            #expect(try await runtime.actors().count == count)
            for number in 0..<count {
                let counter = try await runtime.getActor(Counter.self, name: "c\(number)")
                #expect(try await counter.add(1) == number + 1)
            }
            for actor in try await runtime.actors() {
                try await runtime.kill(runtime.getActor(Counter.self, name: try #require(actor.name)))
            }
        }
        #expect(RuntimeDirectory.entries(of: scratch.file("data/shards")) == [])
    }

    @Test func `a supervisor that takes over finds a group's worker and its actors`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self, options: shared)
            let process = try await counter.processID()
            for number in 1...5 {
                #expect(try await counter.add(1) == number)
                kill(try #require(runtime.supervisorProcessID), SIGKILL)
                let another = try await runtime.spawn(Counter.self, options: shared)
                #expect(try await another.add(number) == number)
            }
            #expect(try await counter.processID() == process)
        }
    }

    @Test func `an actor of a group that is killed while their next worker starts does not come back`() async throws {
        var configuration = RuntimeConfiguration()
        configuration.faults = [FaultSpecification(.workerBeforeClaim, incarnation: 2, action: .stop)]
        try await ActorRuntime.withRuntime(configuration: configuration) { runtime in
            let gone = try await runtime.spawn(Counter.self, options: shared)
            let other = try await runtime.spawn(Counter.self, options: shared)
            #expect(try await gone.add(1) == 1)
            let first = try await other.processID()
            kill(first, SIGKILL)
            try await eventually("the next worker starts, and stands still") {
                try await runtime.summary(of: other).processID.map { $0 != first && Processes.isStopped($0) }
            } is: {
                $0 == true
            }
            let killing = Task { try await runtime.kill(gone) }
            try await eventually("it has ended") {
                try await runtime.actors().map(\.id)
            } is: {
                $0 == [other.id]
            }
            kill(try await runtime.process(of: other), SIGCONT)
            try await killing.value
            #expect(await failure { _ = try await gone.read() }?.code == .died)
            #expect(try await other.add(1) == 1)
        }
    }

    @Test func `a group stores at one level`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            _ = try await runtime.spawn(Counter.self, options: shared)
            var options = shared
            options.durability = .process
            let error = await failure { _ = try await runtime.spawn(Counter.self, options: options) }
            #expect(error?.code == .invalidArgument && error?.message.contains("disk") == true)
            let bad = await failure { _ = try await runtime.spawn(Counter.self, options: .resilient.shared("")) }
            #expect(bad?.code == .invalidArgument && bad?.message.contains("group") == true)
        }
    }
}

extension SharedTests {
    /// How many actors the large group has; `DURABLE_TEST_GROUP` sets it.
    private static var groupSize: Int {
        getenv("DURABLE_TEST_GROUP").flatMap { Int(String(cString: $0)) } ?? 2_000
    }

    @Test func `a large group is created, answers and recovers`() async throws {
        let count = Self.groupSize
        try await ActorRuntime.withRuntime { runtime in
            let options = ActorOptions.resilient.shared("large")
            let counters = try await inParallel(count) { _ in
                try await runtime.spawn(Counter.self, options: options)
            }
            #expect(Set(counters.map(\.id)).count == count)
            for round in 1...2 {
                let values = try await inParallel(count) { try await counters[$0].add($0) }
                #expect(values == (0..<count).map { $0 * round })
                kill(try await runtime.process(of: counters[0]), SIGKILL)
            }
            let values = try await inParallel(count) { try await counters[$0].read() }
            #expect(values == (0..<count).map { $0 * 2 })
        }
    }

    /// Does something for each number, some hundreds at a time.
    private func inParallel<Result: Sendable>(
        _ count: Int,
        _ body: @escaping @Sendable (Int) async throws -> Result
    ) async throws -> [Result] {
        try await withThrowingTaskGroup(of: [(Int, Result)].self) { group in
            let lanes = min(count, 256)
            for lane in 0..<lanes {
                group.addTask {
                    var results: [(Int, Result)] = []
                    for number in stride(from: lane, to: count, by: lanes) {
                        results.append((number, try await body(number)))
                    }
                    return results
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }.sorted { $0.0 < $1.0 }.map(\.1)
        }
    }
}
