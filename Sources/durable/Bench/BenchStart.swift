internal import ArgumentParser
internal import DurableActors
internal import DurableBench

/// From nothing to the first durable answer.
struct BenchStart: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "start",
        abstract: "From nothing to the first durable answer, and from spawn to the first answer, warm and cold."
    )

    @Option(help: "Runtimes of each kind that are measured, 1 to 10000, after one that is not.")
    var rounds = 10

    @OptionGroup var claims: ClaimOptions
    @OptionGroup var options: BenchOptions

    func validate() throws {
        guard (1...10_000).contains(rounds) else {
            throw ValidationError("--rounds is \(rounds); allowed are 1 to 10000")
        }
    }

    /// What is measured, in the order of tables.
    private enum Kind: String, CaseIterable {
        case runtime = "runtime starts, empty directory"
        case first = "runtime start to first durable answer"
        case warm = "spawn to first durable answer, warm"
        case cold = "spawn to first durable answer, cold"
    }

    func run() async throws {
        let question = "How long from nothing, or from spawn, to the first answer that survives power loss?"
        try await options.run("start", question, claims: try claims.claims) { session in
            var samples: [Kind: LatencySamples] = [:]
            var progress = BenchProgress("starting", of: rounds + 1)
            var generator = session.generator
            for round in 0...rounds {
                // Which of the two comes first is the seed's to say.
                for isWarm in [true, false].shuffled(using: &generator) {
                    for (kind, duration) in try await measure(isWarm: isWarm, session) where round > 0 {
                        samples[kind, default: .init()].record(duration)
                    }
                }
                progress.show(round + 1)
            }
            return findings(samples)
        }
    }

    private func measure(isWarm: Bool, _ session: BenchSession) async throws -> [(Kind, Duration)] {
        try await session.withRuntime(spares: isWarm ? 2 : 0) { runtime, start in
            guard isWarm else { return [(.cold, try await Self.spawn(on: runtime))] }
            let first = start + (try await Self.spawn(on: runtime))
            try await RuntimeAtRest(directory: runtime.directory).wait(for: 4, atMost: .seconds(10))
            return [(.runtime, start), (.first, first), (.warm, try await Self.spawn(on: runtime))]
        }
    }

    private static func spawn(on runtime: ActorRuntime) async throws -> Duration {
        let start = ContinuousClock.now
        let subject = try await runtime.spawn(BenchSubject.self)
        _ = try await subject.touch()
        return ContinuousClock.now - start
    }

    private func findings(_ samples: [Kind: LatencySamples]) -> BenchFindings {
        let latencies = Kind.allCases.compactMap { kind in
            samples[kind]?.summary.map { (name: kind.rawValue, summary: $0) }
        }
        return BenchFindings(
            parameters: [("rounds", "\(rounds)")],
            figures: latencies.map { BenchmarkReport.Figure($0.name, $0.summary) },
            notes: [
                "Each round starts two runtimes in empty directories, one with two spares and one without. Warm: both",
                "spares wait; cold: the actor's worker is started for it. The first answer does not wait for a spare.",
            ],
            plots: [
                .bars(
                    BarPlot(
                        title: "Starts, p50",
                        unit: "ms",
                        rows: latencies.map { .init(label: $0.name, values: [$0.summary.p50.inMilliseconds]) }
                    )
                ),
                .percentiles(
                    PercentilePlot(title: "Percentiles", unit: "ms", rows: latencies.map { .init($0.name, $0.summary) })
                ),
            ],
            latencies: latencies
        )
    }
}
