import DurableActors
import DurableCore
import DurableStore
import Glibc
import Testing

/// Has others change something, then dies as often as it is told to, before its own turn is stored.
distributed actor Relay: DurableActor {
    struct Deaths: Codable, Sendable {
        var times: Int
        var log: String

        func strike(_ level: Int) {
            if Attempts.note(in: "\(log)-\(level)") <= times { raise(SIGKILL) }
        }
    }

    @Checkpointed var value = 0

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }

    distributed func read() -> Int { value }

    distributed func look(at other: Counter) async throws -> Int { try await other.read() }

    /// Passes it on along the line first, then adds it here.
    distributed func pass(_ amount: Int, along line: [Relay], _ deaths: Deaths) async throws -> Int {
        var sum = 0
        if let next = line.first { sum = try await next.pass(amount, along: Array(line.dropFirst()), deaths) }
        deaths.strike(line.count)
        value += amount
        return sum + value
    }

    /// The compiler refuses a distributed call as the whole of an `async let`.
    private static func one(_ counter: Counter) async throws -> Int { try await counter.add(1) }

    /// Changes nothing here; equal and different calls at once, in whatever order they come about.
    distributed func spread(_ counters: [Counter], _ deaths: Deaths) async throws -> Int {
        async let first = Self.one(counters[0])
        async let second = Self.one(counters[0])
        let sum = try await withThrowingTaskGroup(of: Int.self) { group in
            for number in 1...8 { group.addTask { try await counters[number % 2].add(number) } }
            return try await group.reduce(0) { $0 &+ $1 }
        }
        _ = try await (first, second)
        deaths.strike(0)
        return sum
    }
}

/// An actor that makes calls dies and is made to run again. Checked: what it calls changes once.
@Suite(.serialized) struct ChildCallTests {

    @Test func `a call that dies after the calls it made is retried without doubling them, over three levels`()
        async throws
    {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            var line: [Relay] = []
            for _ in 0..<3 { line.append(try await runtime.spawn(Relay.self, options: .resilient)) }
            let deaths = Relay.Deaths(times: 2, log: scratch.file("log"))
            let rest = Array(line.dropFirst())
            #expect(try await line[0].pass(5, along: rest, deaths) == 15)
            for level in 0..<3 { #expect(Attempts.count(in: scratch.file("log-\(level)")) == 3) }
            for relay in line { #expect(try await relay.read() == 5) }
            // Another call with the same arguments is another call.
            #expect(try await line[0].pass(5, along: rest, deaths) == 30)
            for relay in line { #expect(try await relay.read() == 10) }
        }
    }

    @Test func `calls that are made at once are each applied once, the equal ones too`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let relay = try await runtime.spawn(Relay.self, options: .resilient)
            var counters: [Counter] = []
            for _ in 0..<2 { counters.append(try await runtime.spawn(Counter.self, options: .resilient)) }
            _ = try await relay.spread(counters, Relay.Deaths(times: 3, log: scratch.file("log")))
            #expect(Attempts.count(in: scratch.file("log-0")) == 4)
            #expect(try await counters[0].read() == 1 + 1 + 2 + 4 + 6 + 8)
            #expect(try await counters[1].read() == 1 + 3 + 5 + 7)
        }
    }

    @Test(arguments: [
        FaultPoint.workerBeforeCommit, .workerInsideCommit, .workerAfterCommit, .workerAfterRestore,
    ])
    func `a kill of caller and callee at each fault point doubles nothing`(point: FaultPoint) async throws {
        var configuration = RuntimeConfiguration()
        configuration.faults = (1...6).map {
            let occurrence = point == .workerAfterRestore ? 1 : 1 + $0 % 3
            return FaultSpecification(point, occurrence: occurrence, incarnation: Incarnation($0), action: .kill)
        }
        if point == .workerAfterRestore { configuration.faults = Array(configuration.faults[1...2]) }
        try await ActorRuntime.withRuntime(configuration: configuration) { runtime in
            let first = try await runtime.spawn(Counter.self, options: .resilient)
            let second = try await runtime.spawn(Counter.self, options: .resilient)
            for expected in 1...20 {
                #expect(try await first.forward(to: second, 1) == expected)
                if point == .workerAfterRestore, expected == 5 {
                    kill(try await runtime.process(of: first), SIGKILL)
                    kill(try await runtime.process(of: second), SIGKILL)
                }
            }
            #expect(try await second.read() == 20)
            #expect(try await first.read() == 0)
            for counter in [first, second] { #expect(try await runtime.summary(of: counter).restarts >= 2) }
        }
    }

    @Test func `a call without retries makes its calls without keys, and leaves no record of them`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let first = try await runtime.spawn(Counter.self)
            let second = try await runtime.spawn(Counter.self)
            for expected in 1...5 { #expect(try await first.forward(to: second, 1) == expected) }
            let directory = ShardLayout.directory(of: 2, in: runtime.directory)
            #expect(try ShardReader.read(directory).actors.map(\.completions) == [1], "of the session's last call")
            let callerDirectory = ShardLayout.directory(of: 1, in: runtime.directory)
            #expect(try ShardReader.read(callerDirectory).actors.map(\.completions) == [0], "it changed nothing")
        }
    }

    @Test func `a call that only has others read leaves no record, with them or of its own`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let relay = try await runtime.spawn(Relay.self, options: .resilient)
            let counter = try await runtime.spawn(Counter.self, options: .resilient)
            for _ in 1...5 { #expect(try await relay.look(at: counter) == 0) }
            for shard in 1...2 as ClosedRange<ShardNumber> {
                let directory = ShardLayout.directory(of: shard, in: runtime.directory)
                #expect(try ShardReader.read(directory).actors.map(\.completions) == [0])
            }
        }
    }

    @Test func `actors that share a worker call each other once, however often it dies`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            var line: [Relay] = []
            for _ in 0..<3 { line.append(try await runtime.spawn(Relay.self, options: .resilient.shared("line"))) }
            let deaths = Relay.Deaths(times: 2, log: scratch.file("log"))
            #expect(try await line[0].pass(5, along: Array(line.dropFirst()), deaths) == 15)
            for relay in line { #expect(try await relay.read() == 5) }
        }
    }

    @Test func `the records of calls are released when the call that made them is stored`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let first = try await runtime.spawn(Counter.self, options: .resilient)
            let second = try await runtime.spawn(Counter.self, options: .resilient)
            for expected in 1...50 { #expect(try await first.forward(to: second, 1) == expected) }
            let directory = ShardLayout.directory(of: 2, in: runtime.directory)
            try await eventually("the records of the calls before are gone") {
                _ = try await first.forward(to: second, 1)
                return try ShardReader.read(directory).actors[0].completions
            } is: {
                $0 <= 2
            }
        }
    }
}
