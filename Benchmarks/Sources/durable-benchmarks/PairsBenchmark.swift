internal import ArgumentParser
internal import DurableActors
internal import DurableBench

/// Answers: do n callers of n actors get more done than one caller of one actor?
///
/// Each caller has an actor of its own, with a process of its own, and keeps some calls under way. The callers are tasks
/// of one process, or processes of their own. Nothing is durable (`.none`).
struct PairsBenchmark: AsyncParsableCommand {
    private struct Kind: Hashable {
        let pairs: Int
        let areProcesses: Bool

        var name: String { "\(pairs) to \(pairs), callers are \(areProcesses ? "processes" : "tasks")" }
    }

    static let configuration = CommandConfiguration(
        commandName: "pairs",
        abstract: "n callers of n actors beside one caller of one actor."
    )

    @Option(help: "How many pairs, separated by commas.")
    var pairs = "1,2,4,8"

    @Option(help: "Rounds that are measured, after one that is not.")
    var rounds = 5

    @Option(help: "Calls of all callers together.")
    var calls = 40_000

    @Option(help: "Calls in flight of all callers together.")
    var inFlight = 1000

    @Option(help: "The directory on whose disk the state is kept.")
    var directory = "/var/tmp"

    @Option(help: "A file for the figures.")
    var json: String?

    func validate() throws {
        let largest = try NumberList.parse(pairs, of: "pairs").last ?? 1
        guard rounds > 0, calls >= largest, inFlight >= largest else {
            throw ValidationError("rounds must be positive; calls and in-flight at least as many as there are pairs")
        }
    }

    func run() async throws {
        let sizes = try NumberList.parse(pairs, of: "pairs")
        let load = BenchmarkMachine.load
        let machine = BenchmarkMachine.current()
        let place = try WorkingDirectory(in: directory)
        let kinds = sizes.flatMap { pairs in
            [false, true].map { Kind(pairs: pairs, areProcesses: $0) }
        }
        let rows = try await ActorRuntime.withRuntime(directory: place.path + "/runtime") { runtime in
            try await measure(kinds, runtime)
        }
        let report = Report(
            benchmark: "pairs",
            parameters: [
                ("pairs", pairs), ("rounds", "\(rounds)"), ("calls", "\(calls)"), ("in flight", "\(inFlight)"),
            ],
            machine: machine,
            loadBefore: load,
            figures: kinds.map { kind in
                let single = Kind(pairs: sizes[0], areProcesses: kind.areProcesses)
                return Report.Figure(
                    name: kind.name,
                    unit: "calls",
                    values: [
                        ("per second", median(rows.compactMap { $0[kind] })),
                        ("x first", median(rows.compactMap { ($0[kind] ?? .nan) / ($0[single] ?? .nan) })),
                    ]
                )
            },
            notes: ["Medians over the rounds; ratios are of one round. Calls and window are divided among the callers."]
        )
        try report.publish(json: json)
    }

    private func measure(_ kinds: [Kind], _ runtime: ActorRuntime) async throws -> [[Kind: Double]] {
        var targets: [BenchmarkActor] = []
        var callers: [CallingActor] = []
        let options = ActorOptions(durability: .none)
        for _ in 0..<(kinds.map(\.pairs).max() ?? 0) {
            targets.append(try await runtime.spawn(BenchmarkActor.self, options: options))
            callers.append(try await runtime.spawn(CallingActor.self, options: options))
        }
        var rows: [[Kind: Double]] = []
        for round in 0...rounds {
            var row: [Kind: Double] = [:]
            for kind in kinds {
                row[kind] = try await throughput(Array(zip(callers, targets).prefix(kind.pairs)), kind.areProcesses)
            }
            // The first round warms caches, connections and files.
            if round > 0 { rows.append(row) }
        }
        return rows
    }

    /// Calls in a second, of all pairs together.
    private func throughput(_ pairs: [(CallingActor, BenchmarkActor)], _ areProcesses: Bool) async throws -> Double {
        let (calls, inFlight) = (calls / pairs.count, inFlight / pairs.count)
        let start = nanoseconds()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (caller, target) in pairs {
                group.addTask {
                    if areProcesses { return try await caller.call(target, calls, inFlight) }
                    try await Pipeline.run(calls, inFlight: inFlight) { _ in
                        target.submit { try await $0.increment() }
                    }
                }
            }
            try await group.waitForAll()
        }
        return Double(calls * pairs.count) / Double(nanoseconds() - start) * 1_000_000_000
    }
}
