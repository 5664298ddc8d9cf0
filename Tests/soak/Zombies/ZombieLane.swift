import ArgumentParser
import DurableChaos
import DurableCore
import Glibc
import Synchronization

/// Workers that come back after they were replaced, and directories that many processes start at once.
struct ZombieLane: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "zombies",
        abstract: "Stops workers, has them replaced and lets them go on; starts one directory many times at once."
    )

    @OptionGroup var options: LaneOptions

    @Option(help: "How many rounds.")
    var rounds = 50

    @Option(help: "How many rounds at the same time.")
    var width = 3

    @Option(help: "Only rounds of this kind.")
    var only: ZombieRound.Kind?

    func run() async throws {
        signal(SIGPIPE, SIG_IGN)
        var result = LaneResult(lane: "zombies", unit: "rounds", wanted: rounds, seed: options.seed)
        // A short run by hand of one kind owes nothing to the others.
        for kind in ZombieRound.Kind.allCases where only == nil && rounds >= ZombieRound.order.count {
            for fault in kind.faults { result.faults[fault] = 0 }
        }
        var progress = Progress("rounds", of: rounds)
        var next = 0
        await withTaskGroup(of: ZombieRound.self) { group in
            func start() {
                guard next < rounds else { return }
                let kind = only ?? ZombieRound.order[next % ZombieRound.order.count]
                let round = ZombieRound(number: next, kind: kind, seed: options.seed)
                next += 1
                group.addTask {
                    await round.run()
                    return round
                }
            }
            for _ in 0..<width { start() }
            while let round = await group.next() {
                start()
                let report = round.report
                result.trials += report.isOver ? 1 : 0
                result.calls += report.calls
                result.acknowledged += report.acknowledged
                for (fault, count) in report.faults { result.faults[fault, default: 0] += count }
                result.violations += report.violations.map { "round \(round.number) (\(round.kind)): \($0)" }
                result.unknown += report.unknown.map { "round \(round.number) (\(round.kind)): \($0)" }
                progress.show(result.trials)
            }
        }
        result.seconds = progress.seconds
        try result.conclude(options)
    }
}

/// One trial.
final class ZombieRound: Sendable {
    enum Kind: String, CaseIterable, ExpressibleByArgument {
        /// Stopped under load, and replaced without having been killed.
        case stopped
        /// The same, stopped by itself at a named step.
        case aimed
        /// Frozen by a control group; the supervisor's kill has no effect before it thaws.
        case frozen
        /// Stopped, and its supervisor dies.
        case orphaned
        /// Stopped for longer than its actor allows.
        case silent
        /// Many processes start one directory at the same moment.
        case doubleStart
        /// The supervisor is killed again and again while many drivers need it.
        case race

        /// What has to be seen of it.
        var faults: [String] {
            switch self {
            case .stopped: ["stopped under load", "went on after the takeover"]
            case .aimed: ["stopped at a named step"]
            case .frozen: ["frozen under load"]
            case .orphaned: ["stopped without a supervisor"]
            case .silent: ["stopped beyond its limit"]
            case .doubleStart: ["starts at once"]
            case .race: ["supervisors killed under drivers"]
            }
        }
    }

    struct Report {
        var isOver = false
        var calls = 0
        var acknowledged = 0
        var faults: [String: Int] = [:]
        var violations: [String] = []
        var unknown: [String] = []
    }

    /// Which round is of which kind.
    static let order: [Kind] = [
        .silent, .stopped, .aimed, .doubleStart, .stopped, .aimed, .orphaned, .stopped, .aimed, .frozen, .stopped,
        .aimed,
        .race, .stopped, .aimed, .stopped, .aimed, .frozen, .stopped, .aimed, .orphaned, .stopped, .aimed, .stopped,
        .aimed,
    ]

    let number: Int
    let kind: Kind
    let durability: Durability
    private let random: Mutex<SeededGenerator>
    private let state = Mutex(Report())

    init(number: Int, kind: Kind, seed: UInt64) {
        self.number = number
        self.kind = kind
        var random = SeededGenerator(seed: seed &+ UInt64(number) &* 0x9e37_79b9)
        durability = Bool.random(using: &random) ? .disk : .process
        self.random = Mutex(random)
    }

    var report: Report { state.withLock { $0 } }

    func choose(_ range: ClosedRange<Int>) -> Int { random.withLock { Int.random(in: range, using: &$0) } }

    func violate(_ what: String) { state.withLock { $0.violations.append(what) } }

    func bit(_ fault: String, _ count: Int = 1) { state.withLock { $0.faults[fault, default: 0] += count } }

    /// Compares what callers were told with what is there.
    func settle(_ witness: PassbookWitness, _ contents: Passbook.Contents) {
        let found = witness.violations(in: contents)
        state.withLock { state in
            state.violations += found
            state.calls += witness.calls
            state.acknowledged += witness.acknowledged
        }
    }

    func run() async {
        do {
            let directory = try TrialDirectory()
            switch kind {
            case .stopped, .aimed: try await replaceAlive(in: directory)
            case .frozen: try await freeze(in: directory)
            case .orphaned: try await orphan(in: directory)
            case .silent: try await silence(in: directory)
            case .doubleStart: try await startTogether(in: directory, processes: 20)
            case .race: try await killSupervisors(in: directory, processes: 6, times: 3)
            }
            state.withLock { $0.isOver = true }
        } catch {
            state.withLock { $0.unknown.append("\(error)") }
        }
    }
}
