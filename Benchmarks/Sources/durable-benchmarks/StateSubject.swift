internal import DurableActors
internal import DurableBench
internal import Glibc

/// An actor with a number of entries, and raw LMDB with as many.
final class StateSubject {
    /// What is measured: how much state at which durability.
    struct Kind: Hashable {
        let durability: Durability
        let size: Int

        var name: String { "\(durability == .disk ? ".disk" : ".process"), \(size)" }
    }

    /// Half-way and slow changes, in microseconds.
    struct Times {
        let p50: Double
        let p99: Double

        fileprivate init(_ samples: Samples) {
            p50 = samples.p50
            p99 = samples.p99
        }
    }

    /// Entries that one change adds.
    private static let fillCount = 10_000
    /// Changes between two kills, so that the process that is killed has worked.
    private static let changesPerLife = 20

    let kind: Kind
    let raw: RawStore
    private let actor: StateActor
    private var worker: WorkerProcess
    private var random: SeededGenerator
    /// What has been added to entries.
    private var changed: [Int: Int] = [:]
    private var changedRaw: [Int: Int] = [:]

    init(_ kind: Kind, _ runtime: ActorRuntime, directory: String, seed: UInt64) async throws {
        var options = ActorOptions.resilient
        options.durability = kind.durability
        let actor = try await runtime.spawn(StateActor.self, options: options)
        self.kind = kind
        self.actor = actor
        random = SeededGenerator(seed: seed)
        let place = "\(directory)/raw-\(kind.durability == .disk ? "disk" : "process")-\(kind.size)"
        raw = try RawStore(directory: place, flushes: kind.durability == .disk)
        var progress = Progress("filling \(kind.name) entries", total: kind.size)
        for first in stride(from: 0, to: kind.size, by: Self.fillCount) {
            let count = min(Self.fillCount, kind.size - first)
            let filled = try await actor.fill(first, count)
            guard filled == first + count else {
                throw BenchmarkError("\(kind.name): there are \(filled) entries where there should be \(first + count)")
            }
            try raw.fill(first..<first + count)
            progress.show(first + count)
        }
        let key = Int.random(in: 0..<kind.size, using: &random)
        let answer = try await actor.addHere(1, key)
        worker = WorkerProcess(processID: answer.processID)
        try Self.check(answer.value, key, 1, &changed)
    }

    /// Changes entries of raw LMDB one after the other.
    func changeRaw(_ count: Int) throws -> Times {
        var samples = Samples()
        for _ in 0..<count {
            let key = Int.random(in: 0..<kind.size, using: &random)
            let amount = Int.random(in: 1...1000, using: &random)
            let value = try samples.measure { try raw.add(amount, to: key) }
            try Self.check(value, key, amount, &changedRaw)
        }
        return Times(samples)
    }

    /// Changes entries of the actor, each when the one before has been answered.
    func change(_ count: Int) async throws -> Times {
        var samples = Samples()
        for _ in 0..<count {
            let key = Int.random(in: 0..<kind.size, using: &random)
            let amount = Int.random(in: 1...1000, using: &random)
            let start = nanoseconds()
            let value = try await actor.add(amount, key)
            samples.record(nanoseconds() - start)
            try Self.check(value, key, amount, &changed)
        }
        return Times(samples)
    }

    /// Kills the actor's process, and changes an entry.
    /// - Returns: Nanoseconds from before the kill until after the reply.
    /// - Throws: Also when the reply shows that the process lived on, or that a change was lost or made twice.
    func killAndChange() async throws -> UInt64 {
        let before = worker.processID
        let key = Int.random(in: 0..<kind.size, using: &random)
        let start = nanoseconds()
        guard kill(before, SIGKILL) == 0 else { throw BenchmarkError("killing a worker", code: errno) }
        let answer = try await actor.submit { try await $0.addHere(1, key) }.value
        let duration = nanoseconds() - start
        guard answer.processID != before else {
            throw BenchmarkError("process \(before) answered after it was killed")
        }
        worker = WorkerProcess(processID: answer.processID)
        try Self.check(answer.value, key, 1, &changed)
        _ = try await change(Self.changesPerLife)
        return duration
    }

    /// What its process holds at the moment.
    func memory() throws -> ProcessMemory { try worker.memory() }

    /// The bytes that its shard takes on disk.
    func dataBytes() throws -> Int { try fileBytes(worker.dataFile()) }

    private static func check(_ value: Int, _ key: Int, _ amount: Int, _ changed: inout [Int: Int]) throws {
        changed[key, default: 0] += amount
        let expected = StateActor.base + key + changed[key, default: 0]
        guard value == expected else {
            throw BenchmarkError("entry \(key) is \(value) where it should be \(expected)")
        }
    }
}
