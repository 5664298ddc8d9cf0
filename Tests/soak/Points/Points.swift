import ArgumentParser
import DurableActors
import DurableCore

/// Directed kill points: something happens to the process that comes to each named point of the framework.
struct Points: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Every fault point, every action, with retries and without: nothing is lost or doubled."
    )

    @OptionGroup var options: LaneOptions

    @Option(help: "How often everything is done, each time with other passages.")
    var seeds = 1

    @Option(help: "How many trials run at a time, each with a runtime of its own.")
    var concurrency = 8

    @Option(help: "Only trials whose line contains this, as in workerAfterCommit:2:kill, or: zombie retried.")
    var only: String?

    @Flag(help: "Print a line for each trial.")
    var verbose = false

    func validate() throws {
        guard (1...1000).contains(seeds) else { throw ValidationError("--seeds is \(seeds); allowed are 1 to 1000") }
        guard (1...64).contains(concurrency) else {
            throw ValidationError("--concurrency is \(concurrency); allowed are 1 to 64")
        }
    }

    func run() async throws {
        var sum = PointsSummary(seed: options.seed)
        for round in 0..<UInt64(seeds) {
            let plan = try await PointPlan(seed: options.seed &+ round)
            sum.note(plan)
            try await perform(plan.cases.filter { only == nil || "\($0)".contains(only ?? "") }, &sum, round)
        }
        try sum.conclude(options, isPart: only != nil)
    }

    private func perform(_ cases: [PointCase], _ sum: inout PointsSummary, _ round: UInt64) async throws {
        var progress = Progress("trials", of: cases.count)
        sum.result.wanted += cases.count
        await withTaskGroup(of: (PointCase, PointOutcome).self) { group in
            var next = 0
            func add() {
                guard next < cases.count else { return }
                let (trial, number) = (cases[next], next)
                next += 1
                group.addTask { (trial, await Self.attempt(trial, readsInProcess: number.isMultiple(of: 8))) }
            }
            for _ in 0..<concurrency { add() }
            var done = 0
            for await (trial, outcome) in group {
                done += 1
                sum.note(trial, outcome)
                if verbose {
                    StandardError.write("\(trial): \(outcome.hasStruck ? "struck" : "missed") \(outcome.problems)\n")
                }
                progress.show(done, "round \(round + 1) of \(seeds)")
                add()
            }
        }
        sum.result.seconds += progress.seconds
    }

    /// Timers and the way calls meet in a commit differ from run to run: a passage that does not come again is tried a
    /// few times, at last the first of its point.
    private static func attempt(_ trial: PointCase, readsInProcess: Bool) async -> PointOutcome {
        var trial = trial
        var outcome = PointOutcome()
        for attempt in 1...3 {
            if attempt == 3 { trial.occurrence = 1 }
            outcome = await PointRun(
                scenario: trial.scenario,
                delivery: trial.delivery,
                trial: trial,
                readsInProcess: readsInProcess
            ).apart()
            if outcome.hasStruck || !outcome.problems.isEmpty || outcome.unknown != nil { break }
        }
        return outcome
    }
}

/// What a fresh process sees of a trial's actors; not for people.
struct ReadTellers: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "read-tellers", shouldDisplay: false)

    @Argument var directory: String

    func run() async throws {
        let text = try await ActorRuntime.withRuntime(directory: directory) { runtime in
            PointRun.line(try await PointRun.accounts(runtime))
        }
        print(text)
    }
}
