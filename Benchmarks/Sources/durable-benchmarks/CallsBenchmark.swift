internal import ArgumentParser
internal import DurableActors
internal import DurableBench

/// Answers: how many times the price of a bare exchange between two processes does a call cost, how many times the
/// price of a bare flush and of a commit of bare LMDB does a durable change cost, and what is left of both when many calls are under way at once?
///
/// One caller, one actor. Each round measures everything once, one after the other, so that what else the machine does
/// meets all of them alike; ratios are taken inside a round, and the table gives medians over the rounds.
struct CallsBenchmark: AsyncParsableCommand {
    /// Which cores the caller, the supervisor and the workers may use.
    enum Pinning: String, CaseIterable, ExpressibleByArgument {
        case none
        case same
        case two
    }

    /// Which of the kinds are measured; the bare exchange always is.
    enum Part: String, CaseIterable, ExpressibleByArgument {
        case all
        case memory
        case disk

        fileprivate func includes(_ kind: CallsTable.Kind) -> Bool {
            self == .all || kind == .exchange || kind.waitsForDisk == (self == .disk)
        }
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

    @Option(help: "none; same: everything on core 0; two: the caller on core 0, whatever answers it on core 1.")
    var pin = Pinning.none

    @Option(help: "all; memory: what waits for no disk; disk: what does.")
    var part = Part.all

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
        let load = BenchmarkMachine.load
        let machine = BenchmarkMachine.current()
        switch pin {
        case .none: break
        case .same: try Machine.pin(toCore: 0)
        case .two:
            guard machine.coreCount > 1 else { throw BenchmarkError("--pin two needs two cores") }
            // What is started from now on stays there; the caller leaves once all of it runs.
            try Machine.pin(toCore: 1)
        }
        let place = try WorkingDirectory(in: directory)
        let rows = try await ActorRuntime.withRuntime(directory: place.path + "/runtime") { runtime in
            let setup = try await CallsSetup(runtime, directory: place.path)
            // Whichever thread measures: also one that somebody else has started meanwhile.
            if pin != .none { try Machine.pin(toCore: 0) }
            return try await measure(setup)
        }
        let report = Report(
            benchmark: "calls",
            parameters: [
                ("rounds", "\(rounds)"), ("calls", "\(calls)"), ("in flight", "\(inFlight)"), ("pin", pin.rawValue),
                ("part", part.rawValue),
            ],
            machine: machine,
            loadBefore: load,
            figures: rows.figures,
            notes: [
                "Medians over the rounds; ratios are of p50 within a round. Rows of many calls have no p99: p50 is the "
                    + "time for all calls divided by their number."
            ]
        )
        try report.publish(json: json)
    }

    private func measure(_ setup: borrowing CallsSetup) async throws -> CallsTable {
        var table = CallsTable()
        for round in 0...rounds {
            var results: [CallsTable.Kind: CallsTable.Result] = [:]
            for kind in CallsTable.Kind.allCases where part.includes(kind) {
                results[kind] = try await setup.measure(kind, calls: calls, inFlight: inFlight)
            }
            // The first round warms caches, connections and files.
            if round > 0 { table.add(results) }
        }
        return table
    }
}
