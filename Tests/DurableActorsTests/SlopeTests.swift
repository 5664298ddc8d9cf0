import DurableActors
import DurableChaos
import DurableSupervisor
import Foundation
import Glibc
import Testing

/// Much of everything, over and over. Checked: actors have the state that a model has, and nothing becomes more.
///
/// `DURABLE_TEST_ROUNDS` says how many rounds there are, `DURABLE_TEST_SEED` which.
@Suite(.serialized, .timeLimit(.minutes(10))) struct SlopeTests {
    private static func number(_ name: String) -> UInt64? {
        ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) }
    }

    @Test func `rounds of creating, calling, killing, dropping, draining and losing nodes leave nothing behind`()
        async throws
    {
        let seed: UInt64 = Self.number("DURABLE_TEST_SEED") ?? .random(in: 0...UInt64.max)
        let rounds: UInt64 = Self.number("DURABLE_TEST_ROUNDS") ?? 40
        print("slope: seed \(seed), \(rounds) rounds")
        // In a process of its own: what other tests have meanwhile is not counted.
        let result = await #expect(processExitsWith: .success, observing: [\.standardOutputContent]) {
            [seed = seed as UInt64, rounds = rounds as UInt64] in
            try await SlopeTests.run(Int(rounds), seed)
        }
        print(String(decoding: result?.standardOutputContent ?? [], as: UTF8.self))
    }

    private static func run(_ rounds: Int, _ seed: UInt64) async throws {
        let scratch = ScratchDirectory()
        var configuration = RuntimeConfiguration()
        configuration.resources = SlopeRun.nodeResources
        try await ActorRuntime.withRuntime(directory: scratch.file("data"), configuration: configuration) { runtime in
            var run = try await SlopeRun(runtime, seed: seed)
            let warmUp = max(4, rounds / 10)
            for _ in 0..<warmUp { try await run.round() }
            let early = try await run.countAlone()
            for round in warmUp..<rounds {
                try await run.round()
                guard (round + 1) % max(10, rounds / 5) == 0 else { continue }
                try await run.expectNoMore(than: early)
            }
            try await run.expectNoMore(than: early)
            print(
                "slope: \(run.done.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", "))"
            )
            print("slope: early \(early)")
            print("slope: late  \(try await run.count())")
        }
    }
}

/// What there is of everything that must not become more.
struct SlopeCounts: Equatable {
    var numbers: [String: Int] = [:]

    /// What is more than it was. The driver's threads come and go as it has work for them.
    func surplus(over early: SlopeCounts) -> [String: Int] {
        numbers.filter { name, number in
            number > (early.numbers[name] ?? 0) + (name == "driver threads" ? 3 : 0)
        }
    }
}

extension SlopeCounts: CustomStringConvertible {
    var description: String {
        numbers.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
    }
}

/// A runtime with four nodes and a model beside it.
struct SlopeRun {
    /// An actor and what it is expected to have.
    struct Modelled {
        var actor: Counter
        var value = 0
        var name: String?
    }

    static let nodeResources = Resources(cpu: 8, memory: 0)
    private static let names = ["one", "two", "three"]
    private static let nodes = ["a", "b", "c"]
    private static let actorsMax = 12

    let runtime: ActorRuntime
    let seed: UInt64
    private var generator: SeededGenerator
    /// Lives as long as the run, calls everyone, and is never killed.
    private var anchor: Modelled
    private var model: [Modelled] = []
    private var drained: Set<String> = []
    /// How often each thing was done.
    private(set) var done: [String: Int] = [:]

    init(_ runtime: ActorRuntime, seed: UInt64) async throws {
        self.runtime = runtime
        self.seed = seed
        generator = SeededGenerator(seed: seed)
        for name in Self.nodes { try await runtime.addNode(name: name, resources: Self.nodeResources) }
        let options = ActorOptions.resilient.scheduled(.node("head", soft: false))
        anchor = Modelled(actor: try await runtime.spawn(Counter.self, options: options))
    }

    /// Some of everything; then all actors have what the model has.
    mutating func round() async throws {
        for _ in 0..<8 {
            switch Int.random(in: 0..<12, using: &generator) {
            case 0...2: try await create()
            case 3...4: try await call()
            case 5...6: try await passHandle()
            case 7: try await killProcess()
            case 8: try await killActor()
            case 9: try await drop()
            case 10: try await changeNodes()
            default: try await visit()
            }
        }
        for modelled in model + [anchor] {
            #expect(try await modelled.actor.read() == modelled.value, "seed \(seed), \(modelled.actor.id)")
        }
        let living = try await runtime.actors()
        #expect(Set(living.map(\.id)) == Set((model + [anchor]).map(\.actor.id)), "seed \(seed)")
        #expect(Set(living.compactMap(\.name)) == Set(model.compactMap(\.name)), "seed \(seed)")
    }

    private mutating func note(_ what: String) { done[what, default: 0] += 1 }

    private mutating func any() -> Int? { model.indices.randomElement(using: &generator) }

    private mutating func create() async throws {
        guard model.count < Self.actorsMax else { return try await killActor() }
        var options = ActorOptions.resilient
        var name: String?
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: options = options.resources(cpu: 0.5).scheduled(.spread)
        case 1: options = options.shared("group-\(Int.random(in: 0..<2, using: &generator))")
        case 2:
            let free = Self.names.filter { name in !model.contains { $0.name == name } }
            name = free.randomElement(using: &generator)
            if let name { options = options.detached(name: name) }
        default: break
        }
        note("create")
        model.append(Modelled(actor: try await runtime.spawn(Counter.self, options: options), name: name))
    }

    private mutating func call() async throws {
        guard let index = any() else { return }
        let amount = Int.random(in: 1...9, using: &generator)
        note("call")
        model[index].value += amount
        #expect(try await model[index].actor.add(amount) == model[index].value, "seed \(seed)")
    }

    /// One actor gets another one's handle and calls it.
    private mutating func passHandle() async throws {
        guard let index = any(), let other = any(), index != other else { return }
        let caller = Bool.random(using: &generator) ? model[other].actor : anchor.actor
        note("pass a handle")
        model[index].value += 1
        #expect(try await caller.forward(to: model[index].actor, 1) == model[index].value, "seed \(seed)")
    }

    private mutating func killProcess() async throws {
        guard let index = any() else { return }
        note("kill a process")
        // It may be between two processes: then there is none to kill.
        if let pid = try await runtime.summary(of: model[index].actor).processID { kill(pid, SIGKILL) }
    }

    private mutating func killActor() async throws {
        guard let index = any() else { return }
        note("kill an actor")
        let gone = model.remove(at: index)
        try await runtime.kill(gone.actor)
        let end = await failure { _ = try await gone.actor.read() }
        #expect(end?.code == .died, "seed \(seed): \(end.map { "\($0)" } ?? "a killed actor answers")")
        guard let name = gone.name else { return }
        let error = await failure { _ = try await runtime.getActor(Counter.self, name: name) }
        #expect(error?.code == .notFound, "seed \(seed)")
    }

    /// A handle is dropped; by its name the actor is found again.
    private mutating func drop() async throws {
        guard let index = model.indices.filter({ model[$0].name != nil }).randomElement(using: &generator),
            let name = model[index].name
        else { return }
        note("drop a handle")
        let id = model[index].actor.id
        model[index].actor = anchor.actor
        model[index].actor = try await runtime.getActor(Counter.self, name: name)
        #expect(model[index].actor.id == id, "seed \(seed)")
    }

    /// A node is drained, or lost and replaced.
    private mutating func changeNodes() async throws {
        guard let name = Self.nodes.randomElement(using: &generator) else { return }
        if !drained.contains(name), Bool.random(using: &generator) {
            note("drain a node")
            try await runtime.drainNode(name)
            drained.insert(name)
        } else {
            note("lose a node")
            try await runtime.killNode(name)
            try await runtime.addNode(name: name, resources: Self.nodeResources)
            drained.remove(name)
        }
    }

    /// Another driver comes, has an actor, and leaves it behind.
    private mutating func visit() async throws {
        note("visit")
        let visitor = try await ActorRuntime.start(directory: runtime.directory)
        let owned = try await visitor.spawn(Counter.self)
        #expect(try await owned.add(1) == 1)
        if let index = any() {
            model[index].value += 1
            #expect(try await owned.forward(to: model[index].actor, 1) == model[index].value, "seed \(seed)")
        }
        await visitor.shutdown()
    }

    /// Ends all actors but one, has all nodes new, and counts when what is ending has ended.
    mutating func countAlone() async throws -> SlopeCounts {
        try await reset()
        var last: SlopeCounts?
        try await eventually("nothing changes any more") {
            let before = last
            try await ContinuousClock().sleep(for: .milliseconds(100))
            let now = try await count()
            last = now
            return (before, now)
        } is: {
            $0.0 == $0.1
        }
        return try await count()
    }

    /// Ends all actors but one; then nothing is more than it was.
    mutating func expectNoMore(than early: SlopeCounts) async throws {
        try await reset()
        try await eventually("nothing is more than it was, seed \(seed), early \(early)") {
            try await count().surplus(over: early)
        } is: {
            $0.isEmpty
        }
    }

    private mutating func reset() async throws {
        for modelled in model { try await runtime.kill(modelled.actor) }
        model = []
        for name in Self.nodes {
            try await runtime.killNode(name)
            try await runtime.addNode(name: name, resources: Self.nodeResources)
        }
        drained = []
        #expect(try await anchor.actor.read() == anchor.value, "seed \(seed)")
        try await eventually("everything of the nodes is free") {
            try await runtime.nodes().map { $0.available["cpu"] }
        } is: {
            $0 == Array(repeating: 8, count: 4)
        }
    }

    /// Counts what there is.
    func count() async throws -> SlopeCounts {
        let supervisor = try #require(runtime.supervisorProcessID)
        var counts = SlopeCounts()
        let processes = ["driver": getpid(), "supervisor": supervisor, "anchor": try await anchor.actor.processID()]
        for (name, pid) in processes {
            counts.numbers["\(name) descriptors"] = Processes.descriptors(of: pid)
            counts.numbers["\(name) threads"] = Processes.threads(of: pid)
            if name != "driver" {
                counts.numbers["\(name) shared memory"] = Processes.mappings(of: pid) { $0.contains("memfd:") }
            }
        }
        counts.numbers["processes"] = Processes.children(of: supervisor).count
        counts.numbers["files"] = try FileManager.default.subpathsOfDirectory(atPath: runtime.directory).count
        // Spares of other runtimes of this machine rehearse there, too, and clean up after one another.
        let names = RuntimeDirectory.entries(of: "/dev/shm").filter { !$0.hasPrefix("durable-rehearsal-") }
        counts.numbers["segments"] = names.count
        counts.numbers["actors"] = try await runtime.actors().count
        counts.numbers["nodes"] = try await runtime.nodes().count
        return counts
    }
}

extension Processes {
    /// How many mappings of a process are of a kind.
    static func mappings(of pid: Int32, _ isMeant: (Substring) -> Bool) -> Int {
        let bytes = FileHandle(forReadingAtPath: "/proc/\(pid)/maps")?.readDataToEndOfFile() ?? Data()
        let text = String(decoding: bytes, as: UTF8.self)
        return text.split(separator: "\n").count(where: isMeant)
    }
}
