internal import ArgumentParser
internal import DurableActors
internal import DurableBench

/// Answers: do durable calls get slower when they go to many named actors of one group instead of to one?
///
/// All actors share a process, and have names. Each round measures every number of actors once: one caller keeps calls
/// under way, each to an actor that is picked evenly among so many. Every answer is checked.
struct ActorsBenchmark: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "actors",
        abstract: "Pipelined durable calls to one and to many named actors of one group."
    )

    @Option(help: "How many actors, separated by commas.")
    var counts = "1,10,100,1000,10000"

    @Option(help: "Rounds that are measured, after one that is not.")
    var rounds = 5

    @Option(help: "Calls of each number of actors in a round.")
    var calls = 10_000

    @Option(help: "Calls in flight.")
    var inFlight = 1000

    @Flag(help: "Changes need not survive a power loss.")
    var process = false

    @Option(help: "Which actors are called.")
    var seed: UInt64 = 1

    @Option(help: "The directory on whose disk the state is kept.")
    var directory = "/var/tmp"

    @Option(help: "A file for the figures.")
    var json: String?

    func validate() throws {
        _ = try NumberList.parse(counts, of: "counts")
        guard rounds > 0, calls > 0, inFlight > 0 else {
            throw ValidationError("rounds, calls and in-flight must be positive")
        }
    }

    func run() async throws {
        let counts = try NumberList.parse(counts, of: "counts")
        let load = BenchmarkMachine.load
        let machine = BenchmarkMachine.current()
        let place = try WorkingDirectory(in: directory)
        let (created, rows) = try await ActorRuntime.withRuntime(directory: place.path + "/runtime") { runtime in
            var actors = NamedActors(options: options)
            let created = try await actors.create(counts.last ?? 1, on: runtime)
            return (created, try await measure(counts, &actors))
        }
        let figures = counts.map { count in
            Report.Figure(
                name: "\(count) actors",
                unit: "durable calls",
                values: [
                    ("per second", median(rows.compactMap { $0[count] })),
                    ("x slower than first", median(rows.compactMap { ($0[counts[0]] ?? .nan) / ($0[count] ?? .nan) })),
                ]
            )
        }
        let making = Report.Figure(name: "creating one", values: [("mean", created)])
        let report = Report(
            benchmark: "actors",
            parameters: [
                ("counts", self.counts), ("rounds", "\(rounds)"), ("calls", "\(calls)"), ("in flight", "\(inFlight)"),
                ("durability", process ? ".process" : ".disk"), ("seed", "\(seed)"),
            ],
            machine: machine,
            loadBefore: load,
            figures: figures + [making],
            notes: ["Medians over the rounds; ratios are of one round. Created with up to 256 requests under way."]
        )
        try report.publish(json: json)
    }

    private var options: ActorOptions {
        var options = ActorOptions.resilient.shared("actors")
        options.durability = process ? .process : .disk
        return options
    }

    private func measure(_ counts: [Int], _ actors: inout NamedActors) async throws -> [[Int: Double]] {
        var random = SeededGenerator(seed: seed)
        var rows: [[Int: Double]] = []
        var progress = Progress("calling", total: rounds)
        for round in 0...rounds {
            var row: [Int: Double] = [:]
            for count in counts {
                let picked = (0..<calls).map { _ in Int.random(in: 0..<count, using: &random) }
                let start = nanoseconds()
                try await actors.increment(picked, inFlight: inFlight)
                row[count] = Double(calls) / Double(nanoseconds() - start) * 1_000_000_000
            }
            // The first round warms caches, connections and files.
            if round > 0 { rows.append(row) }
            progress.show(round)
        }
        return rows
    }
}

/// Actors with names, and how often each has been called.
private struct NamedActors {
    private let options: ActorOptions
    private var actors: [BenchmarkActor] = []
    private var changes: [Int] = []

    init(options: ActorOptions) { self.options = options }

    /// Makes actors, and has each answer once. Returns the microseconds that one took on average.
    mutating func create(_ count: Int, on runtime: ActorRuntime) async throws -> Double {
        let start = nanoseconds()
        var progress = Progress("creating actors", total: count)
        for first in stride(from: 0, to: count, by: 256) {
            let options = options
            actors += try await withThrowingTaskGroup(of: (Int, BenchmarkActor).self) { group in
                for number in first..<min(first + 256, count) {
                    group.addTask {
                        // Named, but not detached: they end with the benchmark.
                        var named = options
                        named.name = "actor-\(number)"
                        let actor = try await runtime.spawn(BenchmarkActor.self, options: named)
                        _ = try await actor.current()
                        return (number, actor)
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }.sorted { $0.0 < $1.0 }.map(\.1)
            }
            progress.show(first)
        }
        changes = [Int](repeating: 0, count: count)
        return Double(nanoseconds() - start) / Double(count) / 1000
    }

    /// Changes these actors, in this order.
    mutating func increment(_ numbers: [Int], inFlight: Int) async throws {
        let actors = actors
        var changes = changes
        try await Pipeline.run(numbers.count, inFlight: inFlight) { index in
            actors[numbers[index]].submit { try await $0.increment() }
        } check: { index, value in
            let number = numbers[index]
            changes[number] += 1
            guard value == changes[number] else {
                throw BenchmarkError("actor \(number) is at \(value) after \(changes[number]) changes")
            }
        }
        self.changes = changes
    }
}
