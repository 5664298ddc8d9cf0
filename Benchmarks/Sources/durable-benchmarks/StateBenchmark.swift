internal import ArgumentParser
internal import CBenchmarks
internal import DurableActors
internal import DurableBench

/// Answers: does a change of one entry, or a recovery, cost more when there is more state, beyond what LMDB itself
/// costs more?
///
/// For each durability and each size there is an actor with a dictionary of so many entries, and raw LMDB with as many
/// of the same sizes. One caller changes one entry at a time. Each round measures every size once, raw LMDB and the
/// actor next to each other and first by turns; ratios and differences are taken inside a round.
struct StateBenchmark: AsyncParsableCommand {
    /// Which durabilities are measured.
    enum Levels: String, CaseIterable, ExpressibleByArgument {
        case both
        case process
        case disk

        fileprivate var durabilities: [Durability] {
            switch self {
            case .both: [.process, .disk]
            case .process: [.process]
            case .disk: [.disk]
            }
        }
    }

    static let configuration = CommandConfiguration(
        commandName: "state",
        abstract: "Changes of one entry and recoveries with little and much state, beside raw LMDB."
    )

    @Option(help: "How many entries there are, smallest first and separated by commas.")
    var sizes = "1,1000,100000,10000000"

    @Option(help: "process, disk, or both.")
    var durability = Levels.both

    @Option(help: "Rounds that are measured, after one that is not.")
    var rounds = 11

    @Option(help: "Changes of each kind in a round.")
    var mutations = 300

    @Option(help: "Kills of each actor's process that are measured, after one that is not.")
    var recoveries = 31

    @Option(help: "Milliseconds between kills, in which spares are started again.")
    var pause = 100

    @Option(help: "Which entries are changed.")
    var seed: UInt64 = 1

    @Option(help: "The directory on whose disk the state is kept.")
    var directory = "/var/tmp"

    @Option(help: "A file for the figures.")
    var json: String?

    func validate() throws {
        let sizes = try parsedSizes()
        guard zip(sizes, sizes.dropFirst()).allSatisfy({ $0 < $1 }) else {
            throw ValidationError("sizes must grow from one to the next, and no two may be equal: \(self.sizes)")
        }
        guard rounds > 0, mutations > 0, recoveries > 0, pause >= 0 else {
            throw ValidationError("rounds, mutations and recoveries must be positive, and pause not negative")
        }
    }

    private func parsedSizes() throws -> [Int] {
        try sizes.split(separator: ",", omittingEmptySubsequences: false).map { text in
            guard let size = Int(text), (1...1_000_000_000).contains(size) else {
                throw ValidationError("\"\(text)\" is no size; sizes are numbers from 1 to 1000000000, as in 1,1000")
            }
            return size
        }
    }

    func run() async throws {
        let sizes = try parsedSizes()
        let load = BenchmarkMachine.load
        let machine = BenchmarkMachine.current()
        let place = try WorkingDirectory(in: directory)
        let table = try await ActorRuntime.withRuntime(directory: place.path + "/runtime") { runtime in
            try await measure(sizes, runtime, directory: place.path)
        }
        let report = Report(
            benchmark: "state",
            parameters: [
                ("sizes", self.sizes), ("durability", durability.rawValue), ("rounds", "\(rounds)"),
                ("mutations", "\(mutations)"),
                ("recoveries", "\(recoveries)"), ("pause", "\(pause) ms"), ("seed", "\(seed)"),
            ],
            machine: machine,
            loadBefore: load,
            figures: table.figures,
            notes: Self.notes
        )
        try report.publish(json: json)
    }

    private static let notes = [
        "Changes: medians over the rounds. Beyond raw is ours less raw LMDB; net is ours less what raw LMDB takes more",
        "than at the smallest size. Every value was checked, and no acknowledged change was missing or made twice.",
        "Recovery: from kill -9 to the first answered change, p50 over all rounds; after filling: the first kill, of",
        "the process that had touched all of the data file. Recovered: a later life, which had made 21 changes.",
    ]

    private func measure(_ sizes: [Int], _ runtime: ActorRuntime, directory: String) async throws -> StateTable {
        let kinds = durability.durabilities.flatMap { durability in
            sizes.map { StateSubject.Kind(durability: durability, size: $0) }
        }
        var subjects: [StateSubject] = []
        for (index, kind) in kinds.enumerated() {
            let seed = seed &+ UInt64(index) << 32
            subjects.append(try await StateSubject(kind, runtime, directory: directory, seed: seed))
        }
        // What filling left to be written must not be written while something else is measured.
        let code = benchmarks_flush_file_system(directory)
        guard code == 0 else { throw BenchmarkError("flushing \(directory)", code: code) }
        var table = StateTable(kinds)
        try await measureChanges(subjects, &table)
        for subject in subjects {
            table.footprints[subject.kind, default: .init()].memory = try subject.memory()
            table.footprints[subject.kind]?.dataBytes = try subject.dataBytes()
            table.footprints[subject.kind]?.rawDataBytes = try subject.raw.dataBytes()
        }
        try await measureRecoveries(subjects, &table)
        return table
    }

    private func measureChanges(_ subjects: [StateSubject], _ table: inout StateTable) async throws {
        var progress = Progress("changing entries", total: rounds)
        for round in 0...rounds {
            var results: [StateSubject.Kind: StateTable.Round] = [:]
            for subject in subjects {
                let isRawFirst = round.isMultiple(of: 2)
                let first = isRawFirst ? try subject.changeRaw(mutations) : nil
                let ours = try await subject.change(mutations)
                let raw = try first ?? subject.changeRaw(mutations)
                results[subject.kind] = StateTable.Round(raw: raw, ours: ours)
            }
            // The first round warms caches, connections and files.
            if round > 0 { table.add(results) }
            progress.show(round)
        }
    }

    private func measureRecoveries(_ subjects: [StateSubject], _ table: inout StateTable) async throws {
        var progress = Progress("killing workers", total: recoveries)
        for round in 0...recoveries {
            for subject in subjects {
                try await Task.sleep(for: .milliseconds(pause))
                let duration = try await subject.killAndChange()
                if round == 0 {
                    table.footprints[subject.kind]?.firstRecovery = duration
                } else {
                    table.footprints[subject.kind]?.recoveries.record(duration)
                }
            }
            progress.show(round)
        }
        for subject in subjects { table.footprints[subject.kind]?.memoryRecovered = try subject.memory() }
    }
}
