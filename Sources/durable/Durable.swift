internal import ArgumentParser

/// The command-line tool of the package.
@main
struct Durable: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "durable",
        abstract: "Durable distributed actors: a demonstration under fire, benchmarks, and care for data directories.",
        subcommands: [
            Demo.self, ChaosCommand.self, Bench.self, Inspect.self, Verify.self, Backup.self, Restore.self,
            History.self, Clone.self, Schema.self,
        ]
    )
}
