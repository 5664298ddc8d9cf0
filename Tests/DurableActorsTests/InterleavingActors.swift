import DurableActors
import Glibc

/// Calls of it run at once where its options and groups allow it.
distributed actor Crowd: DurableActor {
    /// How many calls were open at once.
    struct Load: Codable, Sendable, Equatable {
        var fetching = 0
        var processing = 0
        var others = 0
    }

    enum Kind: String, Codable, Sendable { case fetching, processing, others }

    static var concurrencyGroups: [ConcurrencyGroup] {
        [
            ConcurrencyGroup("io", limit: 2, methods: ["fetch"]),
            ConcurrencyGroup("compute", limit: 4, methods: ["process(_:hold:)"]),
            ConcurrencyGroup("trio", limit: 3, methods: ["meet"]),
        ]
    }

    @Checkpointed var total = 0
    @Checkpointed var numbers: [Int] = []
    private let log: String
    private var load = Load()
    private var most = Load()
    private var waiting: [(number: Int, CheckedContinuation<[Int], Never>)] = []

    init(_ log: String, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
        self.log = log
        Notes.write("init", to: log)
    }

    distributed func fetch(_ number: Int, hold: String = "") async throws -> Int {
        try await stay(number, .fetching, hold)
    }

    distributed func process(_ number: Int, hold: String = "") async throws -> Int {
        try await stay(number, .processing, hold)
    }

    /// In no group.
    distributed func work(_ number: Int, hold: String = "") async throws -> Int {
        try await stay(number, .others, hold)
    }

    /// Blocks a thread beside the loop while a file of this name exists.
    distributed func workBlocking(_ number: Int, hold: String = "") async throws -> Int {
        try await stayBlocking(number, .others, hold)
    }

    /// The same, to be called in a group of choice.
    distributed func processBlocking(_ number: Int, hold: String = "") async throws -> Int {
        try await stayBlocking(number, .processing, hold)
    }

    /// Blocks the actor's own thread.
    distributed func blockLoop(_ number: Int, hold: String) -> Int {
        Notes.write("block \(number)", to: log)
        while access(hold, F_OK) == 0 { usleep(500) }
        Notes.write("unblock \(number)", to: log)
        return number
    }

    /// Waits for two others.
    distributed func meet(_ number: Int) async -> [Int] {
        Notes.write("meet \(number)", to: log)
        return await withCheckedContinuation { continuation in
            waiting.append((number, continuation))
            guard waiting.count == 3 else { return }
            let all = waiting.map(\.number).sorted()
            for (_, continuation) in waiting { continuation.resume(returning: all) }
            waiting = []
        }
    }

    /// Changes a number without a lock, between two suspensions.
    distributed func count(_ rounds: Int) async -> Int {
        for _ in 0..<rounds {
            let before = total
            for _ in 0..<100 where total != before { fatalError("somebody came between") }
            total = before + 1
            await Task.yield()
        }
        return total
    }

    distributed func health() -> String { "healthy" }

    distributed func processID() -> Int32 { getpid() }

    distributed func sum() -> Int { total }

    distributed func list() -> [Int] { numbers }

    distributed func highest() -> Load { most }

    distributed func refuse(_ reason: String) async throws {
        await Task.yield()
        throw Refusal(reason: reason)
    }

    /// Waits for a call to another actor.
    distributed func visit(_ other: Recorder, _ number: Int, hold: String) async throws -> Int {
        Notes.write("visit \(number)", to: log)
        let ref = other.submit { try await $0.step(number, hold: hold) }
        return try await ref.value
    }

    /// Changes the total, waits, and changes it again: its half can be committed by others.
    distributed func addTwice(_ amount: Int, hold: String) async throws -> Int {
        total += amount
        Notes.write("half \(amount)", to: log)
        try await wait(hold)
        total += amount
        return total
    }

    private func stay(_ number: Int, _ kind: Kind, _ hold: String) async throws -> Int {
        enter(number, kind)
        defer { leave(number, kind) }
        try await wait(hold)
        return number * number
    }

    private func stayBlocking(_ number: Int, _ kind: Kind, _ hold: String) async throws -> Int {
        enter(number, kind)
        defer { leave(number, kind) }
        try await offload { while access(hold, F_OK) == 0 { usleep(500) } }
        return total + 1
    }

    private func enter(_ number: Int, _ kind: Kind) {
        change(kind, by: 1)
        Notes.write("enter \(kind) \(number)", to: log)
    }

    /// Only here, behind the last suspension, the state changes.
    private func leave(_ number: Int, _ kind: Kind) {
        change(kind, by: -1)
        total += 1
        numbers.append(number)
        Notes.write("leave \(kind) \(number)", to: log)
    }

    private func wait(_ hold: String) async throws {
        repeat { try await Task.sleep(for: .milliseconds(1)) } while access(hold, F_OK) == 0
    }

    private func change(_ kind: Kind, by amount: Int) {
        switch kind {
        case .fetching: load.fetching += amount
        case .processing: load.processing += amount
        case .others: load.others += amount
        }
        most.fetching = max(most.fetching, load.fetching)
        most.processing = max(most.processing, load.processing)
        most.others = max(most.others, load.others)
    }
}

/// A node of a tree of actors whose leaves crash now and then.
distributed actor Tree: DurableActor {
    struct Setup: Codable, Sendable {
        var leaves = 0
        /// A leaf's every so many calls crash, by the notes in this file.
        var log: String
    }

    @Checkpointed var leaves: [Tree] = []
    @Checkpointed var sum = 0
    private let setup: Setup

    init(_ setup: Setup, actorSystem: ActorRuntime) async { (self.actorSystem, self.setup) = (actorSystem, setup) }

    distributed func grow() async throws -> Int {
        while leaves.count < setup.leaves {
            var options = ActorOptions.resilient
            options.maxConcurrency = 4
            options.maxCallCrashes = .unlimited
            leaves.append(try await actorSystem.spawn(Tree.self, Setup(log: setup.log), options: options))
        }
        return leaves.count
    }

    distributed func add(_ amount: Int) async throws -> Int {
        guard leaves.isEmpty else {
            let leaf = leaves[amount % leaves.count]
            let added = try await leaf.add(amount)
            sum += added
            return added
        }
        let attempt = try await offload { [log = setup.log] in Attempts.note(in: log) }
        if attempt % 20 == 0 { raise(SIGKILL) }
        sum += amount
        return amount
    }

    distributed func total() -> Int { sum }

    distributed func totalOfLeaves() async throws -> Int {
        var total = 0
        for leaf in leaves { total += try await leaf.total() }
        return total
    }
}

/// Uses the runtime from several calls at once.
distributed actor Busybody: DurableActor {
    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }

    distributed func make(_ number: Int, bytes: Int) async throws -> Int {
        let box = Box(
            text: "\(number)",
            numbers: [],
            bytes: Array(repeating: 7, count: bytes),
            nested: [:],
            maybe: number
        )
        let options = ActorOptions.resilient.shared("made")
        let counter = try await actorSystem.spawn(Counter.self, options: options)
        let refs = (1...10).map { amount in counter.submit { try await $0.add(amount) } }
        let values = try await actorSystem.get(refs)
        let echoed = try await counter.echo(box)
        let isRight = values.last == 55 && echoed == box && ActorContext.current?.actorID == id
        try await actorSystem.kill(counter)
        return isRight ? number : -1
    }
}

/// Changes its state behind different kinds of waits, and notes in which order its calls began.
distributed actor Interleaver: DurableActor {
    /// What a call waits for before it changes anything.
    enum Wait: Int, Codable, Sendable, CaseIterable { case nothing, yield, sleep, hop, section, call, checkpoint }

    @Checkpointed var total = 0
    @Checkpointed var rows = CheckpointedDictionary<Int, Int>()
    @Checkpointed var mood = Moody.Mood()
    private var began: [Int] = []
    private var waiting: [CheckedContinuation<Void, Never>] = []
    private let other: Counter

    init(_ other: Counter, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
        self.other = other
    }

    private nonisolated func hop() async {}

    /// Adds behind its last wait.
    distributed func add(_ number: Int, _ wait: Wait) async throws -> Int {
        began.append(number)
        switch wait {
        case .nothing: break
        case .yield: for _ in 0..<3 { await Task.yield() }
        case .sleep: try await Task.sleep(for: .milliseconds(1))
        case .hop: for _ in 0..<10 { await hop() }
        case .section: try await offload {}
        case .call: _ = try await other.add(number)
        case .checkpoint: try await checkpoint()
        }
        total += number
        rows[number, default: 0] += 1
        return total
    }

    /// Which calls have begun in this life, in order.
    distributed func beginnings() -> [Int] { began }

    /// The total, and how often each call has changed it.
    distributed func everything() -> [Int: Int] {
        var all = Dictionary(uniqueKeysWithValues: rows.map { ($0.key, $0.value) })
        all[-1] = total
        return all
    }

    /// Changes something and waits for ever.
    distributed func hang(_ amount: Int) async -> Int {
        total += amount
        await withCheckedContinuation { waiting.append($0) }
        return total
    }

    /// How many wait for ever.
    distributed func hanging() -> Int { waiting.count }

    distributed func spoil(_ amount: Int, inCheckpoint: Bool) async throws -> Int {
        total += amount
        mood.isBad = true
        if inCheckpoint {
            try? await checkpoint()
            mood.isBad = false
        }
        return total
    }

    /// Dies in a section, while others are in sections, too.
    distributed func crashBeside(_ way: Fragile.Way, log: String) async throws -> Int {
        _ = try await offload {
            _ = Attempts.note(in: log)
            switch way {
            case .trap: fatalError("in a section")
            case .abort: abort()
            case .exit: exit(3)
            case .childTask: return raise(SIGSEGV)
            }
        }
        return 0
    }

    /// Blocks a thread beside the loop until the file is there; says how often it was begun.
    distributed func block(for file: String, log: String) async throws -> Int {
        let attempt = Attempts.note(in: log)
        try await offload { while access(file, F_OK) != 0 { usleep(500) } }
        return attempt
    }

    /// Dies of a trap as often as the file has fewer bytes than `times`.
    distributed func crash(_ times: Int, log: String) async -> Int {
        await Task.yield()
        if Attempts.note(in: log) <= times { fatalError("again") }
        return times
    }

    /// Waits, without running, until the file is there; says how often it was begun.
    distributed func wait(for file: String, log: String) async throws -> Int {
        let attempt = Attempts.note(in: log)
        while access(file, F_OK) != 0 { try await Task.sleep(for: .milliseconds(2)) }
        return attempt
    }

    /// Spins, waiting for code outside of the actor only, until another call says so.
    distributed func spin() async -> Int {
        var rounds = 0
        while total == 0 {
            await hop()
            rounds += 1
        }
        return rounds
    }
}
