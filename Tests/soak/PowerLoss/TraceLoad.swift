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
        let runtime = try await ActorRuntime.start(directory: "\(directory)/data", configuration: configuration)
        var generator = SeededGenerator(seed: seed)
        for wave in 0..<waves {
            var scribes: [(number: Int, actor: Scribe)] = []
            for number in wave * 5..<wave * 5 + 5 {
                let options = ActorOptions(
                    maxRestarts: .unlimited,
                    maxTaskRetries: .unlimited,
                    durability: Self.isFlushed(number) ? .disk : .process
                )
                scribes.append((number, try await runtime.spawn(Scribe.self, .init(number: number), options: options)))
                WriteTrace.append(.acknowledged, UInt64(number), 0, to: log)
            }
            let (log, calls, deaths) = (log, calls, UInt64.random(in: 0...UInt64.max, using: &generator))
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
                    for _ in 0..<6 {
                        orders[Order.countdown] = Int.random(in: 1...400, using: &generator)
                        while orders[Order.countdown] > 0, !Task.isCancelled { try? await Task.sleep(for: .milliseconds(2)) }
                        if Task.isCancelled { return }
                    }
                }
                for _ in 0..<5 { try await group.next() }
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
        print("done")
        fflush(nil)
        _exit(0)
    }
}
