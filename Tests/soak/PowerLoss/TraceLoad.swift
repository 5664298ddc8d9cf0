import ArgumentParser
import DurableActors
import DurableChaos
import Glibc

/// Drives a runtime whose processes are recorded: actors of both levels come, are called, die in the middle of what they
/// do, and are ended.
struct TraceLoad: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "crash-trace", shouldDisplay: false)

    @Option(help: "Where the runtime's directory is made.") var directory: String
    @Option(help: "Where acknowledgements are entered, among the records of what was written.") var log: String
    @Option(help: "Where deaths are ordered.") var orders: String
    @Option var seed: UInt64
    @Option(help: "How many sets of actors come, one after the other.") var waves: Int
    @Option(help: "How many calls each actor gets.") var calls: Int

    /// Whether the commits of an actor with this number are flushed.
    static func isFlushed(_ number: Int) -> Bool { number % 5 < 3 }

    private enum Order {
        static let countdown = 0
        static let exempt = 1
    }

    func run() async throws {
        let orders = try SharedNumbers(path: orders)
        orders[Order.exempt] = Int(getpid())
        var status = stat()
        guard stat(directory, &status) == 0 else { throw LaneError("\(directory) is not there") }
        WriteTrace.append(.root, UInt64(status.st_ino), 0, to: log)
        var configuration = RuntimeConfiguration()
        configuration.snapshotInterval = .milliseconds(30)
        configuration.gracePeriod = .seconds(1)
        let runtime = try await ActorRuntime.start(directory: "\(directory)/data", configuration: configuration)
        var generator = SeededGenerator(seed: seed)
        for wave in 0..<waves {
            try await play(wave, runtime, orders, deaths: UInt64.random(in: 0...UInt64.max, using: &generator))
        }
        try await sayFarewell(runtime)
        _exit(0)
    }

    /// One set of actors, from their creation to their end.
    private func play(_ wave: Int, _ runtime: ActorRuntime, _ orders: SharedNumbers, deaths: UInt64) async throws {
        var scribes: [(number: Int, actor: Scribe)] = []
        for number in wave * 5..<wave * 5 + 5 {
            let options = Self.options(number)
            scribes.append((number, try await runtime.spawn(Scribe.self, .init(number: number), options: options)))
            WriteTrace.append(.acknowledged, UInt64(number), 0, to: log)
        }
        let (log, calls) = (log, calls)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (number, actor) in scribes {
                group.addTask {
                    for _ in 0..<calls {
                        let count = try await actor.write()
                        WriteTrace.append(.acknowledged, UInt64(number), UInt64(count), to: log)
                    }
                }
            }
            group.addTask {
                var generator = SeededGenerator(seed: deaths)
                while !Task.isCancelled {
                    if orders[Order.countdown] <= 0 {
                        orders[Order.countdown] = Int.random(in: 1...400, using: &generator)
                    }
                    try? await Task.sleep(for: .milliseconds(5))
                }
            }
            for _ in scribes { try await group.next() }
            group.cancelAll()
        }
        orders[Order.countdown] = 0
        for (number, actor) in scribes {
            let audit = try await actor.audit()
            guard audit.count == calls, audit.fault == nil else {
                throw LaneError("actor \(number) has \(audit.count) changes: \(audit.fault ?? "no fault")")
            }
            WriteTrace.append(.ending, UInt64(number), 0, to: log)
            try await runtime.kill(actor)
        }
    }

    /// An actor whose commits are not flushed until its worker ends by itself, for want of a supervisor.
    private func sayFarewell(_ runtime: ActorRuntime) async throws {
        let number = waves * 5 + 3
        let actor = try await runtime.getOrCreate(
            Scribe.self,
            name: "farewell",
            .init(number: number),
            options: Self.options(number)
        )
        for _ in 0..<calls {
            WriteTrace.append(.acknowledged, UInt64(number), UInt64(try await actor.write()), to: log)
        }
        if let supervisor = runtime.supervisorProcessID { kill(supervisor, SIGKILL) }
    }

    private static func options(_ number: Int) -> ActorOptions {
        ActorOptions(
            maxRestarts: .unlimited,
            maxTaskRetries: .unlimited,
            durability: isFlushed(number) ? .disk : .process
        )
    }
}
