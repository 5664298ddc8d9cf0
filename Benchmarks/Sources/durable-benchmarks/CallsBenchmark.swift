internal import ArgumentParser
internal import DurableActors
internal import DurableBench

/// Answers: how many times the price of a bare exchange between two processes does a call cost, how many times the
/// price of a bare flush does a durable change cost, and what is left of both when many calls are under way at once?
///
/// One caller, one actor. Each round measures everything once, one after the other, so that what else the machine does
/// meets all of them alike; ratios are taken inside a round, and the table gives medians over the rounds.
struct CallsBenchmark: AsyncParsableCommand {
    /// Which cores the caller, the supervisor and the workers may use.
    enum Pinning: String, CaseIterable, ExpressibleByArgument {
        case none
        case same
    }

    static let configuration = CommandConfiguration(
        commandName: "calls",
        abstract: "Calls and changes, one at a time and pipelined, beside a bare exchange and a bare flush."
    )

    @Option(help: "Rounds that are measured, after one that is not.")
    var rounds = 15

    @Option(help: "Calls of each kind in a round; a tenth as many where each waits for the disk.")
    var calls = 2000

    @Option(help: "Pipelined calls in flight.")
    var inFlight = 1000

    @Option(help: "none, or same: everything on core 0.")
    var pin = Pinning.none

    @Option(help: "The directory on whose disk the state is kept.")
    var directory = "/var/tmp"

    @Option(help: "A file for the figures.")
    var json: String?

    func validate() throws {
        guard rounds > 0, calls >= 10, inFlight > 0 else {
            throw ValidationError("rounds and in-flight must be positive, calls at least 10")
        }
    }

    func run() async throws {
        if pin == .same { try Machine.pin(toCore: 0) }
        let load = BenchmarkMachine.load
        let machine = BenchmarkMachine.current()
        let place = try WorkingDirectory(in: directory)
        let rows = try await ActorRuntime.withRuntime(directory: place.path + "/runtime") { runtime in
            try await measure(CallsSetup(runtime, directory: place.path))
        }
        let report = Report(
            benchmark: "calls",
            parameters: [
                ("rounds", "\(rounds)"), ("calls", "\(calls)"), ("in flight", "\(inFlight)"), ("pin", pin.rawValue),
            ],
            machine: machine,
            loadBefore: load,
            figures: rows.figures,
            notes: [
                "Medians over the rounds; ratios are of p50 within a round. Pipelined rows have no p99: p50 is the "
                    + "time for all calls divided by their number."
            ]
        )
        try report.publish(json: json)
    }

    private func measure(_ setup: borrowing CallsSetup) async throws -> CallsTable {
        var table = CallsTable()
        for round in 0...rounds {
            var results: [CallsTable.Kind: CallsTable.Result] = [:]
            for kind in CallsTable.Kind.allCases {
                results[kind] = try await setup.measure(kind, calls: calls, inFlight: inFlight)
            }
            // The first round warms caches, connections and files.
            if round > 0 { table.add(results) }
        }
        return table
    }
}
