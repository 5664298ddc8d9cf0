internal import ArgumentParser
internal import DurableActors
internal import DurableBench
internal import DurableLMDB

/// Durable changes a second, by how many are under way.
struct BenchCheckpoints: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "checkpoints",
        abstract: "Durable changes a second by how many are in flight, beside bare LMDB commits and flushes."
    )

    @Option(help: "Rounds that are measured, 1 to 1000, after one that is not.")
    var rounds = 5

    @Option(help: "Changes of each kind in a round, 1 to 1000000; at most 50 for each in flight.")
    var changes = 2000

    @Option(help: "How many changes are in flight, separated by commas.")
    var depths = "1,10,100,1000"

    @Option(help: "What changes survive: disk, process or both.")
    var durability = BenchDurability.both

    @OptionGroup var options: BenchOptions

    func validate() throws {
        guard (1...1000).contains(rounds), (1...1_000_000).contains(changes) else {
            throw ValidationError(
                "--rounds is \(rounds) and --changes \(changes); allowed are 1 to 1000 and 1 to 1000000"
            )
        }
        _ = try parsedDepths()
    }

    private func parsedDepths() throws -> [Int] {
        try depths.split(separator: ",", omittingEmptySubsequences: false).map { text in
            guard let depth = Int(text), (1...10_000).contains(depth) else {
                throw ValidationError(
                    "--depths: \"\(text)\" is no depth; depths are numbers from 1 to 10000, as in 1,100"
                )
            }
            return depth
        }
    }

    /// What is measured.
    private enum Kind: Hashable {
        case flush
        case raw(flushes: Bool)
        case changes(Durability, depth: Int)

        var name: String {
            switch self {
            case .flush: "bare fdatasync of 4 KiB"
            case .raw(let flushes): "bare LMDB commit, \(flushes ? "flushed" : "not flushed")"
            case .changes(let level, let depth): "change, .\(level), \(depth) in flight"
            }
        }

        var isFloor: Bool { if case .changes = self { false } else { true } }
    }

    func run() async throws {
        let depths = try parsedDepths()
        let question = "How many durable changes a second, by how many are in flight, and how many could the disk do?"
        try await options.run("checkpoints", question) { session in
            try await session.withRuntime { runtime, _ in
                let kinds: [Kind] =
                    [.flush, .raw(flushes: true), .raw(flushes: false)]
                    + durability.levels.flatMap { level in depths.map { .changes(level, depth: $0) } }
                return try await measure(kinds, runtime, session)
            }
        }
    }

    private func measure(
        _ kinds: [Kind],
        _ runtime: ActorRuntime,
        _ session: BenchSession
    ) async throws -> BenchFindings {
        var generator = session.generator
        let disk = try DiskFlush(directory: runtime.directory)
        let raw = [
            true: try RawStore(directory: runtime.directory + "/raw-flushed", flushes: true),
            false: try RawStore(directory: runtime.directory + "/raw", flushes: false),
        ]
        var subjects: [Durability: BenchSubject] = [:]
        for level in durability.levels {
            var options = ActorOptions.resilient
            options.durability = level
            subjects[level] = try await runtime.spawn(BenchSubject.self, options: options)
        }
        var times: [Kind: LatencySamples] = [:]
        var progress = BenchProgress("changing", of: (rounds + 1) * kinds.count)
        var done = 0
        for round in 0...rounds {
            for kind in kinds.shuffled(using: &generator) {
                let each: Duration
                switch kind {
                case .flush: each = try Self.each(min(changes, 100)) { try disk.flush() }
                case .raw(let flushes):
                    each = try Self.each(min(changes, flushes ? 100 : 1000)) { try raw[flushes]?.commit() }
                case .changes(let level, let depth):
                    guard let subject = subjects[level] else { continue }
                    let count = min(changes, depth * 50)
                    each =
                        try await Pipeline.run(subject, calls: count, inFlight: depth) { try await $0.touch().count }
                        / count
                }
                done += 1
                progress.show(done)
                // The first round warms caches, connections and files.
                if round > 0 { times[kind, default: .init()].record(each) }
            }
        }
        return findings(kinds, times)
    }

    private static func each(_ count: Int, _ body: () throws -> Void) rethrows -> Duration {
        let start = ContinuousClock.now
        for _ in 0..<count { try body() }
        return (ContinuousClock.now - start) / count
    }

    private func findings(_ kinds: [Kind], _ times: [Kind: LatencySamples]) -> BenchFindings {
        let rates = kinds.compactMap { kind in
            times[kind]?.summary.map { (kind: kind, name: kind.name, value: 1 / ($0.p50 / .seconds(1))) }
        }
        return BenchFindings(
            parameters: [
                ("rounds", "\(rounds)"), ("changes", "\(changes)"), ("depths", depths),
                ("durability", durability.rawValue),
            ],
            figures: rates.map {
                BenchmarkReport.Figure(name: $0.name, unit: "durable changes", values: [("per second", $0.value)])
            },
            notes: [
                "The middle round. One caller, one actor of each durability, an integer each. A bare commit puts two",
                "small rows; changes in flight share commits and flushes, so that many can be more than the disk's own.",
            ],
            plots: [
                .bars(
                    BarPlot(
                        title: "Durable changes",
                        unit: "changes per second",
                        // What touches no disk would leave no room for the others.
                        rows: rates.filter { $0.kind != .raw(flushes: false) }.map {
                            .init(label: $0.name, values: [$0.value], isBeside: $0.kind.isFloor)
                        }
                    )
                )
            ]
        )
    }
}

/// LMDB by itself, in this process.
private struct RawStore {
    private let environment: Environment

    init(directory: String, flushes: Bool) throws {
        var options = EnvironmentOptions(format: StoreFormat(name: "durable-bench", version: 1), databases: ["rows"])
        options.durability = flushes ? .full : .noSync
        environment = try Environment.open(directory: directory, options: options)
    }

    /// Puts what a small change puts: a row of state and the record of the call.
    func commit() throws {
        let rows = environment.database("rows")
        try environment.write { transaction throws(LMDBError) in
            try transaction.put([1], Array(repeating: 1, count: 22), in: rows)
            try transaction.put(Array(repeating: 2, count: 40), Array(repeating: 2, count: 31), in: rows)
        }
    }
}
