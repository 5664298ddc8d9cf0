internal import ArgumentParser
internal import CBOR
internal import DurableActors
internal import DurableBench
internal import DurableChaos
internal import Synchronization

/// From `kill -9` of an actor's worker to the next answer.
struct BenchRecovery: AsyncParsableCommand {
    /// Whether a spare waits when a worker is killed.
    enum Spares: String, CaseIterable, ExpressibleByArgument {
        case both
        case warm
        case cold

        /// How many spares the runtimes have.
        fileprivate var counts: [Int] { self == .both ? [2, 0] : self == .warm ? [2] : [0] }
    }

    static let configuration = CommandConfiguration(
        commandName: "recovery",
        abstract: "From kill -9 of an actor's worker to its next answer, phase by phase, beside a flush of the disk.",
        discussion: """
            For each size of state, durability, and with and without a warm spare, an actor's worker is killed once in \
            each round, and the actor is called at once. The count in its answer is checked: no acknowledged change \
            may be missing or made twice. State is entries of 1 KiB of a collection, which are read when they are used.
            """
    )

    @Option(help: "Kills of each actor that are measured, 1 to 100000, after one that is not.")
    var rounds = 50

    @Option(help: "Sizes of the state, separated by commas, in B, KiB, MiB or GiB.")
    var sizes = "1KiB,16MiB"

    @Option(help: "What an acknowledged change survives: disk, process or both.")
    var durability = BenchDurability.both

    @Option(help: "Whether a spare waits: warm, cold or both.")
    var spares = Spares.both

    @OptionGroup var claims: ClaimOptions
    @OptionGroup var options: BenchOptions

    func validate() throws {
        guard (1...100_000).contains(rounds) else {
            throw ValidationError("--rounds is \(rounds); allowed are 1 to 100000")
        }
        try validateSizes(sizes, "sizes")
    }

    func run() async throws {
        let sizes = try ByteCount.list(sizes, of: "sizes")
        let question = "After kill -9 of an actor's process, how long until its next answer, and what takes that time?"
        try await options.run("recovery", question, claims: try claims.claims) { session in
            var table = RecoveryTable()
            for spares in spares.counts {
                try await session.withRuntime(spares: spares) { runtime, _ in
                    try await measure(sizes, isWarm: spares > 0, runtime, session, &table)
                }
            }
            let parameters = [
                ("rounds", "\(rounds)"), ("sizes", self.sizes), ("durability", durability.rawValue),
                ("spares", spares.rawValue),
            ]
            return table.findings(rounds: rounds, parameters.map { (name: $0.0, value: $0.1) })
        }
    }

    private func measure(
        _ sizes: [ByteCount],
        isWarm: Bool,
        _ runtime: ActorRuntime,
        _ session: BenchSession,
        _ table: inout RecoveryTable
    ) async throws {
        var generator = session.generator
        let disk = try DiskFlush(directory: runtime.directory)
        let cells = sizes.flatMap { size in
            durability.levels.map { RecoveryTable.Cell(size: size, durability: $0, isWarm: isWarm) }
        }
        var subjects: [RecoverySubject] = []
        for cell in cells { subjects.append(try await RecoverySubject(cell, on: runtime)) }
        for index in subjects.indices { try await subjects[index].prepare(on: runtime) }
        var progress = BenchProgress(
            "killing workers, spare \(isWarm ? "warm" : "cold")",
            of: (rounds + 1) * cells.count
        )
        var done = 0
        for round in 0...rounds {
            for index in subjects.indices.shuffled(using: &generator) {
                let recovery = try await subjects[index].kill()
                done += 1
                progress.show(done)
                // The first round warms caches, connections and files.
                guard round > 0 else { continue }
                table.record(recovery, of: cells[index])
                try table.flushes.measure { try disk.flush() }
            }
        }
    }
}

/// An actor of the recovery benchmark, and what its answers must say.
private struct RecoverySubject {
    private let actor: BenchSubject
    private let count = CountedChanges()
    private var target: RecoveryTarget<BenchSubject>?

    init(_ cell: RecoveryTable.Cell, on runtime: ActorRuntime) async throws {
        var options = ActorOptions.resilient
        options.durability = cell.durability
        actor = try await runtime.spawn(BenchSubject.self, options: options)
        try await actor.grow(to: cell.size)
        _ = try await count.touch(actor)
    }

    /// To be done when all actors are there: from then on the number of the runtime's processes is to stay.
    mutating func prepare(on runtime: ActorRuntime) async throws {
        target = try await RecoveryTarget(actor, on: runtime, restMax: .seconds(2))
    }

    mutating func kill() async throws -> Recovery {
        let count = count
        guard let recovery = try await target?.killAndProbe({ try await count.touch($0) }) else {
            throw BenchmarkError("an actor was to be killed before it was prepared")
        }
        return recovery
    }
}

/// Checks that each change is made once, whatever is killed.
private final class CountedChanges: Sendable {
    private let count = Mutex(0)

    /// Makes a change. Returns when its turn began.
    func touch(_ actor: BenchSubject) async throws -> ContinuousClock.Instant {
        let answer = try await actor.touch()
        let expected = count.withLock { count in
            count += 1
            return count
        }
        guard answer.count == expected else {
            throw BenchmarkError("after \(expected) changes the actor says that there were \(answer.count)")
        }
        return answer.began
    }
}

extension BenchDurability: ExpressibleByArgument {}

extension ParsableCommand {
    /// Refuses a list of sizes that cannot be read.
    func validateSizes(_ text: String, _ option: String) throws {
        do throws(Failure) {
            _ = try ByteCount.list(text, of: option)
        } catch {
            throw ValidationError(error.description)
        }
    }
}
