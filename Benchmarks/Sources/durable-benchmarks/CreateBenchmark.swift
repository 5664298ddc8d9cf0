internal import ArgumentParser
internal import DurableActors
internal import DurableBench

/// Answers: how long does it take from asking for an actor until it answers for the first time, alone in a process and
/// as one of many that share one?
///
/// Each round starts a runtime in an empty directory, waits until its spares are there, and makes everything once. The
/// first answer is that of a method that only reads; the actors' durability is the default, `.disk`.
struct CreateBenchmark: AsyncParsableCommand {
    private enum Kind: String, CaseIterable {
        case dedicated = "dedicated, spare warm"
        case together = "shared, all at once"
        case each = "shared, one after the other"
    }

    static let configuration = CommandConfiguration(
        commandName: "create",
        abstract: "From asking for an actor to its first answer: dedicated, and many shared ones."
    )

    @Option(help: "Rounds that are measured, after one that is not.")
    var rounds = 10

    @Option(help: "Actors that share a process.")
    var shared = 1000

    @Option(help: "Dedicated actors that are made in each round, one after the other with a pause between them.")
    var dedicated = 5

    @Option(help: "Milliseconds before each measurement, in which spares are started again.")
    var pause = 200

    @Option(help: "The directory on whose disk the state is kept.")
    var directory = "/var/tmp"

    @Option(help: "A file for the figures.")
    var json: String?

    @Option(help: "A file for every single duration: its line's name, a tab, and microseconds.")
    var samples: String?

    func validate() throws {
        guard rounds > 0, shared > 0, dedicated > 0, pause >= 0 else {
            throw ValidationError("rounds, shared and dedicated must be positive, and pause not negative")
        }
    }

    func run() async throws {
        let load = BenchmarkMachine.load
        let machine = BenchmarkMachine.current()
        var table: [Kind: Samples] = [:]
        var log = SampleLog()
        var progress = Progress("creating actors", total: rounds)
        for round in 0...rounds {
            for (kind, duration) in try await measure() where round > 0 {
                table[kind, default: Samples()].record(duration)
                log.record(duration, of: kind.rawValue)
            }
            progress.show(round)
        }
        if let samples { try log.write(to: samples) }
        let report = Report(
            benchmark: "create",
            parameters: [
                ("rounds", "\(rounds)"), ("shared", "\(shared)"), ("dedicated", "\(dedicated)"),
                ("pause", "\(pause) ms"),
            ],
            machine: machine,
            loadBefore: load,
            figures: Kind.allCases.compactMap { kind in
                table[kind].map { samples in
                    Report.Figure(
                        name: kind.rawValue,
                        values: [("p50", samples.p50), ("p99", samples.p99), ("max", samples.max)]
                    )
                }
            },
            notes: ["Dedicated: one actor. Shared: all \(shared) together, each of which has answered once."]
        )
        try report.publish(json: json)
    }

    private func measure() async throws -> [(Kind, UInt64)] {
        let place = try WorkingDirectory(in: directory)
        let (shared, dedicated, pause) = (shared, dedicated, Duration.milliseconds(pause))
        return try await ActorRuntime.withRuntime(directory: place.path + "/runtime") { runtime in
            var results: [(Kind, UInt64)] = []
            for _ in 0..<dedicated {
                try await Task.sleep(for: pause)
                let start = nanoseconds()
                _ = try await runtime.spawn(BenchmarkActor.self).current()
                results.append((.dedicated, nanoseconds() - start))
            }
            try await Task.sleep(for: pause)
            var start = nanoseconds()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<shared { group.addTask { try await Self.create(on: runtime, group: "together") } }
                try await group.waitForAll()
            }
            results.append((.together, nanoseconds() - start))
            try await Task.sleep(for: pause)
            start = nanoseconds()
            for _ in 0..<shared { try await Self.create(on: runtime, group: "each") }
            results.append((.each, nanoseconds() - start))
            return results
        }
    }

    private static func create(on runtime: ActorRuntime, group: String) async throws {
        _ = try await runtime.spawn(BenchmarkActor.self, options: .default.shared(group)).current()
    }
}
