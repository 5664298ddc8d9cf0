import DurableActors
import Glibc

/// Counts durably; can be told to die in the middle of a call.
distributed actor Counter: DurableActor {
    @Checkpointed var value = 0
    @Checkpointed var history: [Int] = []
    var callsThisLife = 0

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
    }

    distributed func add(_ amount: Int) -> Int {
        callsThisLife += 1
        value += amount
        return value
    }

    distributed func read() -> Int { value }

    distributed func calls() -> Int {
        callsThisLife += 1
        return callsThisLife
    }

    distributed func processID() -> Int32 { getpid() }

    /// Dies after the change and before its end, as often as the file has fewer lines than `times`.
    distributed func addDying(_ amount: Int, times: Int, log: String) -> Int {
        value += amount
        if Attempts.note(in: log) <= times { raise(SIGKILL) }
        return value
    }

    distributed func crash() { raise(SIGKILL) }

    distributed func exit(code: Int32) { Glibc.exit(code) }

    distributed func append(_ element: Int) async -> Int {
        // Gives others the chance to come between, which a serial actor does not allow.
        let before = history.count
        await Task.yield()
        history.append(element)
        return history.count - before
    }

    distributed func list() -> [Int] { history }

    distributed func addThenThrow(_ amount: Int) throws {
        value += amount
        throw Refusal(reason: "no, größer als \(amount)")
    }

    distributed func throwPlain() throws { throw PlainError() }

    distributed func echo(_ box: Box) -> Box { box }

    distributed func forward(to other: Counter, _ amount: Int) async throws -> Int { try await other.add(amount) }
}

/// An error that travels as itself.
struct Refusal: Error, Codable, Equatable {
    var reason: String
}

/// An error that does not.
struct PlainError: Error {}

/// A value with everything that a value can have.
struct Box: Codable, Sendable, Equatable {
    var text: String
    var numbers: [Double]
    var bytes: [UInt8]
    var nested: [String: [Int?]]
    var maybe: Int?
}

/// Keeps entries one by one.
distributed actor Archive: DurableActor {
    @Checkpointed var entries = CheckpointedDictionary<String, [Int]>()
    @Checkpointed var log = CheckpointedArray<String>()
    @Checkpointed var members: CheckpointedSet<Int> = [1]
    @Checkpointed var note = ""

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
        log.append("made")
    }

    distributed func put(_ key: String, _ value: Int) -> Int {
        entries[key, default: []].append(value)
        log.append(key)
        members.insert(value)
        return entries.count
    }

    distributed func remove(_ key: String) -> [Int]? { entries.removeValue(forKey: key) }

    distributed func clear() { entries.removeAll() }

    distributed func replace() {
        entries = ["only": [0]]
        log = []
    }

    distributed func value(_ key: String) -> [Int]? { entries[key] }

    distributed func all() -> [String: [Int]] {
        Dictionary(uniqueKeysWithValues: entries.map { ($0.key, $0.value) })
    }

    distributed func texts() -> [String] { Array(log) }

    distributed func numbers() -> [Int] { Array(members) }

    distributed func fill(_ count: Int) -> Int {
        for number in 0..<count { entries["\(number)"] = [number] }
        return entries.count
    }

    /// Commits in its middle, then dies as often as the file has fewer lines than `times`.
    distributed func noteTwice(_ text: String, times: Int, log path: String) async throws -> String {
        note += text
        try await checkpoint()
        if Attempts.note(in: path) <= times { raise(SIGKILL) }
        note += "!"
        return note
    }
}

/// Has a property that cannot always be encoded.
distributed actor Moody: DurableActor {
    struct Mood: Codable {
        var isBad = false
        var number = 0

        func encode(to encoder: any Encoder) throws {
            if isBad { throw Refusal(reason: "bad mood") }
            var container = encoder.singleValueContainer()
            try container.encode(number)
        }

        init() {}

        init(from decoder: any Decoder) throws { number = try decoder.singleValueContainer().decode(Int.self) }
    }

    @Checkpointed var mood = Mood()

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }

    distributed func set(_ number: Int, isBad: Bool) -> Int {
        mood.number = number
        mood.isBad = isBad
        return number
    }

    distributed func number() -> Int { mood.number }

    distributed func processID() -> Int32 { getpid() }
}

/// Starts only when its arguments allow it.
distributed actor Picky: DurableActor {
    struct Setup: Codable, Sendable {
        var crashes: Int
        var log: String
        var throwing: Bool
    }

    @Checkpointed var value = 0

    init(_ setup: Setup, actorSystem: ActorRuntime) async throws {
        self.actorSystem = actorSystem
        if setup.throwing { throw Refusal(reason: "not today, schön") }
        if Attempts.note(in: setup.log) <= setup.crashes { raise(SIGKILL) }
    }

    distributed func add(_ amount: Int) -> Int {
        value += amount
        return value
    }
}

/// Attempts that outlive a process: a line in a file each.
enum Attempts {
    /// Notes one more and says how many there have been.
    static func note(in path: String) -> Int {
        let file = open(path, O_RDWR | O_CREAT | O_APPEND, 0o600)
        defer { close(file) }
        _ = write(file, "x", 1)
        return Int(lseek(file, 0, SEEK_END))
    }

    /// How many there have been.
    static func count(in path: String) -> Int {
        var status = stat()
        return stat(path, &status) == 0 ? Int(status.st_size) : 0
    }
}
