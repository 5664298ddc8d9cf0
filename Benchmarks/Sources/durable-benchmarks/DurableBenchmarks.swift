internal import ArgumentParser

/// The benchmarks of DurableActors. Each measures the framework and the machine's own limits in the same rounds, since
/// a time means little without what the machine could have done in that very minute.
@main
struct DurableBenchmarks: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "durable-benchmarks",
        abstract: "Measures calls, recovery and growing state beside the machine's own limits.",
        subcommands: [
            CallsBenchmark.self, RecoveryBenchmark.self, StateBenchmark.self, ResidentBenchmark.self,
            CreateBenchmark.self, PairsBenchmark.self, ActorsBenchmark.self, PayloadBenchmark.self,
            CodecBenchmark.self, AllocationsBenchmark.self, SteadyCalls.self, EchoChild.self,
        ]
    )
}
