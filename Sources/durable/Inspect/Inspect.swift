internal import ArgumentParser
internal import CBOR

/// Shows what a data directory holds.
struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the actors of a data directory, their restarts, and their state, also while they run.",
        discussion: "Reads the files only: neither a running supervisor nor the actors' types are needed."
    )

    @Argument(help: ArgumentHelp("The data directory.", valueName: "dir"))
    var directory: String

    @Option(help: ArgumentHelp("Show this actor's state in full.", valueName: "id-or-name"))
    var actor: String?

    @Option(help: "How many of the newest deaths are shown, 0 to 100000.")
    var deaths = 20

    @Flag(help: "Print one JSON object instead of tables.")
    var json = false

    func validate() throws {
        guard (0...100_000).contains(deaths) else {
            throw ValidationError("--deaths is \(deaths); allowed are 0 to 100000")
        }
    }

    func run() throws {
        do {
            var inspection = try DamageGuard.reading(directory) { try Inspection(directory, deaths: deaths) }
            if let actor { try inspection.select(actor) }
            let text = json ? try JSON.text(inspection.value) + "\n" : try inspection.text(full: actor != nil)
            try StandardOutput.write(text)
            // What could be read was shown; whoever relies on the exit code must not take it for everything.
            if let problem = inspection.problem { throw Failure(problem) }
        } catch {
            throw Failure(error).report()
        }
    }
}
