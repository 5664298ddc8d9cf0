internal import ArgumentParser
internal import DurableActors
internal import DurableBench

/// Answers: after `kill -9` of an actor's process, how much longer than the kernel needs to say that a process is gone
/// does a caller wait for the next life's first reply?
///
/// In each round an idle actor's worker is killed and a change is submitted at once, once for each durability; beside
/// it two processes are killed whose socket then ends: a small C program, and this program, which is what a worker is.
/// Each reply is checked: it must come from another process, and no acknowledged change may be missing.
struct RecoveryBenchmark: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "recovery",
        abstract:
            "From kill -9 of a worker to the first reply of its next life, beside the kernel's own news of a death."
    )

    @Option(help: "Rounds; each kills a worker of each durability once.")
    var rounds = 200

    @Option(help: "Milliseconds between kills, in which spares are started again.")
    var pause = 100

    @Option(help: "Warm spares that the supervisor keeps.")
    var spares = 2

    @Option(help: "The directory on whose disk the state is kept.")
    var directory = "/var/tmp"

    @Option(help: "A file for the figures.")
    var json: String?

    @Option(help: "A file for every single duration: its line's name, a tab, and microseconds.")
    var samples: String?

    func validate() throws {
        guard rounds > 0, pause >= 0 else { throw ValidationError("rounds must be positive, and pause not negative") }
    }

    func run() async throws {
        let load = BenchmarkMachine.load
        let machine = BenchmarkMachine.current()
        let place = try WorkingDirectory(in: directory)
        var configuration = RuntimeConfiguration()
        configuration.warmSpares = spares
        let table = try await ActorRuntime.withRuntime(
            directory: place.path + "/runtime",
            configuration: configuration
        ) { runtime in
            try await measure(runtime)
        }
        if let samples { try table.log.write(to: samples) }
        let report = Report(
            benchmark: "recovery",
            parameters: [("rounds", "\(rounds)"), ("pause", "\(pause) ms"), ("spares", "\(spares)")],
            machine: machine,
            loadBefore: load,
            figures: table.figures,
            notes: [
                "Over all rounds. The floor of the ratios is the p50 of killing this program; every reply came from a "
                    + "new process, and no acknowledged change was missing or made twice."
            ]
        )
        try report.publish(json: json)
    }

    private func measure(_ runtime: ActorRuntime) async throws -> RecoveryTable {
        var table = RecoveryTable()
        var actors: [RecoveryTable.Kind: KilledActor] = [:]
        for (kind, durability) in [(RecoveryTable.Kind.process, Durability.process), (.disk, .disk)] {
            actors[kind] = try await KilledActor(runtime, durability)
        }
        for round in 0...rounds {
            for kind in RecoveryTable.Kind.allCases {
                try await Task.sleep(for: .milliseconds(pause))
                let duration: UInt64
                switch kind {
                case .smallChild: duration = try ChildProcess.small().killAndAwaitEnd()
                case .sameProgram: duration = try ChildProcess.echo().killAndAwaitEnd()
                case .process, .disk: duration = try await actors[kind]?.killAndCall() ?? 0
                }
                // The first round warms caches, connections and files.
                if round > 0 { table.record(duration, of: kind) }
            }
        }
        return table
    }
}
