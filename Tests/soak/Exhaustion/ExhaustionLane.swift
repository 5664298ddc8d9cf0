import ArgumentParser
import DurableActors
import DurableChaos
import DurableCore
import Glibc
import Synchronization

/// Too few descriptors, processes and memory, and peers that mean harm.
struct ExhaustionLane: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "exhaustion",
        abstract: "Takes descriptors, processes and memory away from a runtime, and has hostile peers call it."
    )

    @OptionGroup var options: LaneOptions

    @Option(help: "How many rounds; each has a trial of every kind.")
    var rounds = 10

    @Option(help: "Only trials of this kind.")
    var only: ExhaustionTrial.Kind?

    @Flag(help: "Say of each trial how it went.")
    var verbose = false

    func run() async throws {
        signal(SIGPIPE, SIG_IGN)
        guard geteuid() == 0 else {
            throw LaneError("this lane needs root: it makes control groups and a foreign process")
        }
        let kinds = only.map { [$0] } ?? ExhaustionTrial.Kind.allCases
        var result = LaneResult(lane: "exhaustion", unit: "rounds", wanted: rounds, seed: options.seed)
        for kind in kinds { for fault in kind.faults { result.faults[fault] = 0 } }
        var progress = Progress("rounds", of: rounds)
        for round in 0..<rounds {
            var isWhole = true
            for kind in kinds {
                let trial = ExhaustionTrial(kind, seed: options.seed &+ UInt64(round) &* 0x9e37_79b9)
                await trial.run()
                let report = trial.report
                isWhole = isWhole && report.isOver
                result.calls += report.calls
                result.acknowledged += report.acknowledged
                for (fault, count) in report.faults { result.faults[fault, default: 0] += count }
                result.violations += report.violations.map { "round \(round), \(kind): \($0)" }
                result.unknown += report.unknown.map { "round \(round), \(kind): \($0)" }
                if verbose { StandardError.write("round \(round), \(kind): \(report)\n") }
                progress.show(result.trials, "\(kind)")
            }
            if isWhole { result.trials += 1 }
            progress.show(result.trials)
        }
        result.seconds = progress.seconds
        try result.conclude(options)
    }
}

/// One shortage, or one kind of hostile peer.
final class ExhaustionTrial: Sendable {
    enum Kind: String, CaseIterable, ExpressibleByArgument {
        case driverDescriptors
        case supervisorDescriptors
        case processes
        case memory
        case hostilePeers
        case foreignUser

        /// What has to be seen of it.
        var faults: [String] {
            switch self {
            case .driverDescriptors: ["driver: no descriptor left"]
            case .supervisorDescriptors: ["supervisor: no descriptor left"]
            case .processes: ["supervisor: no process left"]
            case .memory: ["worker: no memory left"]
            case .hostilePeers:
                ["random frames", "changed frames", "slow writers", "half-open connections", "replayed calls"]
            case .foreignUser: ["foreign users refused"]
            }
        }
    }

    struct Report {
        var isOver = false
        var calls = 0
        var acknowledged = 0
        var faults: [String: Int] = [:]
        var messages: [String] = []
        var violations: [String] = []
        var unknown: [String] = []
    }

    let kind: Kind
    private let random: Mutex<SeededGenerator>
    private let state = Mutex(Report())

    init(_ kind: Kind, seed: UInt64) {
        self.kind = kind
        random = Mutex(SeededGenerator(seed: seed))
    }

    var report: Report { state.withLock { $0 } }

    func choose(_ range: ClosedRange<Int>) -> Int { random.withLock { Int.random(in: range, using: &$0) } }

    func bytes(_ count: Int) -> [UInt8] {
        random.withLock { random in (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) } }
    }

    func violate(_ what: String) { state.withLock { $0.violations.append(what) } }

    func bit(_ fault: String, _ count: Int = 1) { state.withLock { $0.faults[fault, default: 0] += count } }

    func run() async {
        do {
            let directory = try TrialDirectory()
            switch kind {
            case .driverDescriptors: try await starveDriver(in: directory)
            case .supervisorDescriptors: try await starveSupervisor(in: directory)
            case .processes: try await takeProcesses(in: directory)
            case .memory: try await takeMemory(in: directory)
            case .hostilePeers: try await beHostile(in: directory)
            case .foreignUser: try await beForeign(in: directory)
            }
            state.withLock { $0.isOver = true }
        } catch {
            state.withLock { $0.unknown.append("\(error)") }
        }
    }

    /// An error that somebody got in a shortage: one of those that say what to do, with words of the shortage.
    func judge(_ error: any Error, words: [String]) {
        let text = "\(error)"
        state.withLock { $0.messages.append(text) }
        let codes: [ActorError.Code] = [.limitExceeded, .unavailable, .died, .supervisorUnreachable, .storageFailed]
        guard let error = error as? ActorError, codes.contains(error.code) else {
            return violate("in a shortage somebody was told: \(text)")
        }
        if !words.contains(where: { text.contains($0) }) { violate("an error does not say what is short: \(text)") }
    }

    /// Puts a passbook under load, takes something away, and gives it back: nothing is lost, and all goes on.
    func underLoad(
        in directory: TrialDirectory,
        _ shortage: @escaping @Sendable (ActorRuntime, Passbook, PassbookWitness) async throws -> Void,
        end: @escaping @Sendable () throws -> Void = {}
    ) async throws {
        let runtime = try await ActorRuntime.start(directory: directory.file("data"))
        try await withPatience(.seconds(90), of: [runtime], "a trial of \(kind)") { [self] in
            // One that sleeps meanwhile, and one that works.
            let book = try await runtime.getOrCreate(Passbook.self, name: "book")
            let witness = PassbookWitness()
            await witness.enter(book)
            let stop = StopFlag()
            async let load: Void = witness.load(book, callers: 2, until: stop)
            do {
                try await shortage(runtime, book, witness)
                try end()
            } catch {
                stop.raise()
                try? end()
                throw error
            }
            let atEnd = ContinuousClock.now
            let goesOn = await isReached(within: .seconds(20)) { witness.last.map { $0 > atEnd } ?? false }
            if !goesOn { violate("nobody is served afterwards") }
            // What needs descriptors, processes and memory of its own works again, too.
            let fresh = try await runtime.spawn(Passbook.self, options: .resilient)
            if try await fresh.enter(1) != 1 { violate("a new actor is not new") }
            stop.raise()
            await load
            kill(try await book.processID(), SIGKILL)
            let contents = try await book.all()
            let found = witness.violations(in: contents)
            state.withLock { state in
                state.violations += found
                state.calls += witness.calls
                state.acknowledged += witness.acknowledged
            }
            try await runtime.kill(fresh)
            try await runtime.kill(book)
        }
        await runtime.shutdown()
    }
}
