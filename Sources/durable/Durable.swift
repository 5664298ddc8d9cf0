internal import ArgumentParser

/// The command-line tool of the package.
@main
struct Durable: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "durable",
        abstract: "Durable distributed actors: a demonstration under fire, and a look into a data directory.",
        subcommands: [Demo.self, Inspect.self, Schema.self]
    )
}
