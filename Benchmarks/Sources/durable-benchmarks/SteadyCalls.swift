internal import ArgumentParser
internal import DurableActors
internal import DurableBench

/// Makes one kind of call again and again, for as long as a profiler needs.
struct SteadyCalls: AsyncParsableCommand {
    /// The actor's durability.
    enum Level: String, CaseIterable, ExpressibleByArgument {
        case none
        case process
        case disk

        var durability: Durability {
            switch self {
            case .none: .none
            case .process: .process
            case .disk: .disk
            }
        }
    }

    static let configuration = CommandConfiguration(
        commandName: "steady",
        abstract: "One kind of call again and again, to look at with perf, strace or callgrind."
    )

    @Option(help: "none, process or disk.")
    var durability = Level.none

    @Option(help: "Calls in flight; 1 for one at a time.")
    var inFlight = 1000

    @Option(help: "How many calls.")
    var calls = 200_000

    @Option(help: "How often that many calls are made.")
    var rounds = 5

    @Flag(help: "As many tasks as calls in flight, each of which awaits its calls; otherwise calls are submitted.")
    var tasks = false

    @Flag(help: "Only read.")
    var reads = false

    @Option(help: "The directory on whose disk the state is kept.")
    var directory = "/var/tmp"

    func validate() throws {
        guard inFlight > 0, calls > 0, rounds > 0 else {
            throw ValidationError("in-flight, calls and rounds must be positive")
        }
    }

    func run() async throws {
        let place = try WorkingDirectory(in: directory)
        try await ActorRuntime.withRuntime(directory: place.path + "/runtime") { runtime in
            let actor = try await runtime.spawn(
                BenchmarkActor.self,
                options: ActorOptions(durability: durability.durability)
            )
            for round in 1...rounds {
                let start = nanoseconds()
                try await make(calls, on: actor)
                let each = Double(nanoseconds() - start) / Double(calls) / 1000
                print("round \(round): \(rounded(each)) µs a call, \(Int(1_000_000 / each)) a second")
            }
        }
    }

    private func make(_ count: Int, on actor: BenchmarkActor) async throws {
        guard inFlight > 1 else {
            for _ in 0..<count { _ = try await (reads ? actor.current() : actor.increment()) }
            return
        }
        if tasks {
            try await Callers.run(inFlight) { [inFlight] _ in
                for _ in 0..<count / inFlight { _ = try await actor.increment() }
            }
        } else if reads {
            try await Pipeline.run(count, inFlight: inFlight) { _ in actor.submit { try await $0.current() } }
        } else {
            try await Pipeline.run(count, inFlight: inFlight) { _ in actor.submit { try await $0.increment() } }
        }
    }

    private func rounded(_ value: Double) -> Double { (value * 100).rounded() / 100 }
}
