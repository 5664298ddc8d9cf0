import DurableActors
import Glibc

/// Ray's accumulator: its changes return nothing.
distributed actor Account: DurableActor {
    @Checkpointed var balance = 0

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }

    distributed func deposit(_ amount: Int) { balance += amount }

    distributed func withdraw(_ amount: Int) { balance -= amount }

    distributed func total() -> Int { balance }
}

/// A linear model: what it answers depends on its constructor's arguments only.
distributed actor LinearModel: DurableActor {
    struct Weights: Codable, Sendable {
        var w0: Double
        var w1: Double
    }

    let weights: Weights

    init(_ weights: Weights, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
        self.weights = weights
    }

    distributed func convert(_ x: Double) -> Double { weights.w0 + weights.w1 * x }
}

/// Notes each start and each turn in a file, and changes several properties in a turn.
distributed actor Recorder: DurableActor {
    struct Setup: Codable, Sendable {
        /// The file with the notes.
        var log: String
        /// What the value is before anything was stored.
        var start = 0
        var isThrowing = false
    }

    /// Cannot be stored; made again by each constructor.
    final class Cache {
        var hits = 0
    }

    @Checkpointed var value: Int
    @Checkpointed var steps: [Int] = []
    @Checkpointed var names = CheckpointedDictionary<Int, String>()
    private let cache = Cache()
    private let log: String

    init(_ setup: Setup, actorSystem: ActorRuntime) async throws {
        self.actorSystem = actorSystem
        log = setup.log
        value = setup.start
        Notes.write("init", to: setup.log)
        if setup.isThrowing { throw Refusal(reason: "nicht heute – 不行") }
    }

    /// Notes itself, waits while a file of this name exists, and only then changes something.
    distributed func step(_ number: Int, hold: String = "") async throws -> Int {
        Notes.write("step \(number)", to: log)
        while access(hold, F_OK) == 0 { try await Task.sleep(for: .milliseconds(2)) }
        cache.hits += 1
        value += 1
        steps.append(number)
        names[number] = "step \(number)"
        return value
    }

    /// Has another one change in the middle of its turn.
    distributed func visit(_ number: Int, _ other: Counter) async throws {
        Notes.write("enter \(number)", to: log)
        _ = try await other.add(1)
        Notes.write("leave \(number)", to: log)
    }

    /// Dies once it has noted itself and changed something, as often as told.
    distributed func stepDying(_ number: Int, times: Int) -> Int {
        value += 1
        steps.append(number)
        if Attempts.note(in: "\(log)-deaths") <= times {
            Notes.write("step \(number)", to: log)
            raise(SIGKILL)
        }
        Notes.write("step \(number)", to: log)
        return value
    }

    distributed func read() -> Int { value }

    distributed func hits() -> Int { cache.hits }

    /// Value, steps and names.
    distributed func everything() -> Everything {
        Everything(value: value, steps: steps, names: names.map(\.key).sorted())
    }

    struct Everything: Codable, Sendable, Equatable {
        var value: Int
        var steps: [Int]
        var names: [Int]
    }
}

/// Ray's demonstration of restarts: its counter is not durable, and the call behind the tenth crashes.
distributed actor FragileCounter: DurableActor {
    var count = 0
    private let log: String

    init(_ log: String, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
        self.log = log
    }

    distributed func increment() -> Int {
        _ = Attempts.note(in: log)
        if count == 10 { exit(0) }
        count += 1
        return count
    }
}

/// Ray's key-value actor that crashes before updates, by the bits of a random number.
distributed actor ImmortalTable: DurableActor {
    struct Setup: Codable, Sendable {
        var bits: UInt64
        var log: String
    }

    @Checkpointed var table: [String: Int] = [:]
    private let setup: Setup

    init(_ setup: Setup, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
        self.setup = setup
    }

    distributed func update(_ key: String, _ value: Int) {
        let attempt = Attempts.note(in: setup.log)
        if attempt <= 64, setup.bits >> UInt64(attempt - 1) & 1 == 1 { raise(SIGKILL) }
        table[key] = value
    }

    distributed func get(_ key: String) -> Int? { table[key] }
}

/// Ray's manual way: the controller takes the state out and puts it in.
distributed actor ManualWorker: DurableActor {
    var state: [String: Int]

    init(_ state: [String: Int], actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
        self.state = state
    }

    distributed func execute(crashing: Bool) -> Int {
        if crashing { exit(1) }
        state["count", default: 0] += 1
        return state["count", default: 0]
    }

    distributed func checkpointState() -> [String: Int] { state }
}

/// Holds one number many times, so that a change goes to many places.
distributed actor Mirror: DurableActor {
    @Checkpointed var number = 0
    @Checkpointed var copies: [Int] = []
    @Checkpointed var rows: CheckpointedDictionary<Int, Int> = [:]

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }

    distributed func step() -> Int {
        number += 1
        copies = Array(repeating: number, count: 2000)
        for row in 0..<8 { rows[row] = number }
        return number
    }

    /// The number; -1 when not all places agree.
    distributed func read() -> Int {
        let isWhole = copies.allSatisfy { $0 == number } && rows.allSatisfy { $0.value == number }
        return isWhole ? number : -1
    }
}

/// Keeps what was put in.
distributed actor Bag: DurableActor {
    @Checkpointed var members = CheckpointedSet<Int>()

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }

    distributed func insert(_ member: Int) -> Int {
        members.insert(member)
        return members.count
    }

    distributed func all() -> [Int] { Array(members) }
}

/// Has a child from its constructor on, and makes more.
distributed actor Parent: DurableActor {
    private let child: Counter

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async throws {
        self.actorSystem = actorSystem
        child = try await actorSystem.spawn(Counter.self, options: .resilient)
    }

    distributed func addToChild(_ amount: Int) async throws -> Int { try await child.add(amount) }

    distributed func firstChild() -> Counter { child }

    distributed func makeChild() async throws -> Counter {
        try await actorSystem.spawn(Counter.self, options: .resilient)
    }

    distributed func makeDetached(_ name: String) async throws -> Counter {
        try await actorSystem.spawn(Counter.self, options: .resilient.detached(name: name))
    }

    distributed func processID() -> Int32 { getpid() }
}

/// A second process that makes calls: handles travel to it and back.
distributed actor Courier: DurableActor {
    /// Handles inside of other values.
    struct Parcel: Codable, Sendable {
        var one: Counter
        var list: [Counter]
        var table: [String: Counter]
        var maybe: Counter?
    }

    @Checkpointed var kept: [String: Counter] = [:]

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }

    distributed func echo(_ counter: Counter) -> Counter { counter }

    distributed func wrap(_ counter: Counter) -> Parcel {
        Parcel(one: counter, list: [counter], table: ["one": counter], maybe: counter)
    }

    distributed func addOnEach(_ parcel: Parcel) async throws -> [Int] {
        var values = [try await parcel.one.add(1)]
        for counter in parcel.list { values.append(try await counter.add(1)) }
        for counter in parcel.table.values { values.append(try await counter.add(1)) }
        if let counter = parcel.maybe { values.append(try await counter.add(1)) }
        return values
    }

    distributed func keep(_ counter: Counter) { kept["one"] = counter }

    distributed func addOnKept() async throws -> Int? { try await kept["one"]?.add(1) }

    /// Submits all without waiting in between.
    distributed func append(_ numbers: [Int], to counter: Counter) async throws {
        let refs = numbers.map { number in counter.submit { try await $0.append(number) } }
        for ref in refs { _ = try await ref.value }
    }

    /// Gives the handle to another one, which does it.
    distributed func append(_ numbers: [Int], to counter: Counter, by other: Courier) async throws {
        try await other.append(numbers, to: counter)
    }

    /// Submits to one that may not have started yet.
    distributed func fill(_ witness: Witness, _ numbers: [Int], log: String) async throws -> [Int] {
        let refs = numbers.map { number in witness.submit { try await $0.append(number) } }
        Notes.write("submitted", to: log)
        var values: [Int] = []
        for ref in refs { values.append(try await ref.value) }
        return values
    }

    distributed func visit(_ recorder: Recorder, _ numbers: [Int], _ counter: Counter) async throws {
        let refs = numbers.map { number in recorder.submit { try await $0.visit(number, counter) } }
        for ref in refs { try await ref.value }
    }

    distributed func end(_ counter: Counter) async throws { try await actorSystem.kill(counter) }
}

extension ScratchDirectory {
    /// A file that holds up whoever waits for its end.
    func hold() -> String {
        _ = Attempts.note(in: file("hold"))
        return file("hold")
    }
}
