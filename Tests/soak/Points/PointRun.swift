import DurableActors
import DurableChaos
import DurableCore
import DurableProcess
import Glibc

/// One trial, in a runtime of its own.
struct PointRun {
    /// What became of it.
    struct Outcome: Sendable {
        /// How often each point was passed until the scenario was over.
        var passages: [FaultPoint: Int] = [:]
        /// Whether the fault was met.
        var hasStruck = false
        /// Whether another worker took the place of the one that stood still.
        var wasTakenOver = false
        var calls = 0
        var acknowledged = 0
        /// What did not hold.
        var problems: [String] = []
    }

    let scenario: PointScenario
    let delivery: Delivery
    /// What happens where; `nil` in the run that counts passages.
    let trial: PointCase?
    /// Whether a fresh process reads what is there, beside this one.
    var readsInProcess = false
    /// How long the trial may take.
    static let patience: Duration = .seconds(40)

    func perform() async -> Outcome {
        var outcome = Outcome()
        do {
            let folder = try KillFolder("points")
            defer { folder.remove() }
            let tally = try FaultTally(creating: "\(folder.path)/tally")
            do {
                try await perform(in: folder, tally, &outcome)
            } catch {
                outcome.problems.append("\(error)")
                if let fault = trial?.point { outcome.hasStruck = (tally.passages[fault] ?? 0) > 0 }
            }
            // Nothing outlives a trial that went wrong.
            try await folder.killEverything()
        } catch {
            outcome.problems.append("the trial could not be made: \(error)")
        }
        return outcome
    }

    private func perform(in folder: KillFolder, _ tally: FaultTally, _ outcome: inout Outcome) async throws {
        var configuration = scenario.configuration
        configuration.faultTally = "\(folder.path)/tally"
        configuration.faults = faults
        let log = CallLog(delivery)
        if scenario == .absence { try await leave(folder, configuration, log, tally) }
        // A supervisor may stand still before anybody has a runtime.
        let early = trial.flatMap { $0.isWorkerPoint ? nil : PointWatcher(nil, tally, $0.action) }
        let earlyWatching = early.map { watcher in Task { try await watcher.run() } }
        let runtime = try await ActorRuntime.start(directory: folder.data, configuration: configuration)
        let late = trial.flatMap { $0.isWorkerPoint ? PointWatcher(runtime, tally, $0.action) : nil }
        let watching = earlyWatching ?? Task { try await late?.run() ?? false }
        let accounts: [String: Teller.Account]
        do {
            accounts = try await within(Self.patience, runtime, folder) {
                if scenario != .absence { try await scenario.run(runtime, delivery, log, tally) }
                try await scenario.finish(runtime, log)
                outcome.passages = tally.passages
                let accounts = try await Self.accounts(runtime)
                if let trial { outcome.hasStruck = (tally.passages[trial.point] ?? 0) >= trial.occurrence }
                watching.cancel()
                outcome.wasTakenOver = try await watching.value
                return accounts
            }
        } catch {
            watching.cancel()
            try await folder.leave(runtime)
            throw error
        }
        let entries = log.entries
        outcome.calls = entries.count
        outcome.acknowledged = entries.count { $0.outcome == .acknowledged }
        outcome.problems += log.violations(accounts)
        if scenario != .records {
            // The dead letter of that scenario is a crash that is wanted.
            outcome.problems += await UnmarkedDeaths(directory: folder.data).all(besides: Set(tally.marks))
        }
        try await folder.leave(runtime)
        try await readAgain(folder, accounts, &outcome)
    }

    /// Works, leaves, ends the supervisor, and waits until the workers have noticed.
    private func leave(
        _ folder: KillFolder,
        _ configuration: RuntimeConfiguration,
        _ log: CallLog,
        _ tally: FaultTally
    ) async throws {
        let runtime = try await ActorRuntime.start(directory: folder.data, configuration: configuration)
        do {
            try await within(Self.patience, runtime, folder) { try await scenario.run(runtime, delivery, log, tally) }
        } catch {
            try await folder.leave(runtime)
            throw error
        }
        let supervisor = try runtime.supervisorProcessID.flatMap { try ProcessHandle.adopt(peer: $0) }
        await runtime.shutdown()
        supervisor?.kill()
        let deadline = ContinuousClock.now + Self.patience
        while !folder.processes().allSatisfy({ ProcessTable.isStopped($0.pid) }) {
            guard .now < deadline else { throw ActorError(.internalError, "workers go on without a supervisor") }
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    private var faults: [FaultSpecification] {
        guard let trial else { return [] }
        var faults = [FaultSpecification(trial.point, occurrence: trial.occurrence, action: trial.action.fault)]
        if trial.action == .zombie, trial.isWorkerPoint {
            // The one that stands still must live on beside its successor.
            faults += (1...20).map { FaultSpecification(.supervisorKillBeforeReplace, occurrence: $0, action: .skip) }
        }
        return faults
    }

    /// After the end of all processes at once, a fresh runtime has the same; and in the end nobody is left.
    private func readAgain(
        _ folder: KillFolder,
        _ accounts: [String: Teller.Account],
        _ outcome: inout Outcome
    ) async throws {
        if readsInProcess {
            let text = try FreshProcess.output(["read-tellers", folder.data])
            if text != Self.text(accounts) {
                outcome.problems.append("a fresh process reads \(text) instead of \(Self.text(accounts))")
            }
        }
        let fresh = try await ActorRuntime.start(directory: folder.data, configuration: scenario.configuration)
        let again: [String: Teller.Account]
        do {
            again = try await within(Self.patience, fresh, folder) {
                let again = try await Self.accounts(fresh)
                for actor in try await fresh.actors() { try await fresh.kill(actor.id) }
                return again
            }
        } catch {
            try await folder.leave(fresh)
            throw error
        }
        await fresh.shutdown()
        if again != accounts {
            outcome.problems.append("a fresh runtime reads \(Self.text(again)) instead of \(Self.text(accounts))")
        }
        for process in try await folder.remaining() { outcome.problems.append("process \(process.pid) is left") }
    }

    static func accounts(_ runtime: ActorRuntime) async throws -> [String: Teller.Account] {
        var accounts: [String: Teller.Account] = [:]
        for name in PointScenario.names {
            // Reads may be made as often as need be, whatever the trial's calls may.
            accounts[name] = try await runtime.getActor(Teller.self, name: name).with(.maxTaskRetries(.unlimited)) {
                try await $0.account()
            }
        }
        return accounts
    }

    static func text(_ accounts: [String: Teller.Account]) -> String {
        accounts.sorted { $0.key < $1.key }.map { name, account in
            let seen = account.seen.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            return "\(name):\(account.total):\(seen.joined(separator: ","))"
        }.joined(separator: " ")
    }
}

/// Gives up when something takes too long: the runtime is shut down then, so that its calls end.
func within<Value: Sendable>(
    _ patience: Duration,
    _ runtime: ActorRuntime,
    _ folder: KillFolder,
    _ body: () async throws -> Value
) async throws -> Value {
    // Owned by this function, which cancels it.
    let alarm = Task {
        try await Task.sleep(for: patience)
        StandardError.write("a trial in \(folder.path) takes longer than \(patience) and is given up\n")
        try await folder.leave(runtime)
    }
    defer { alarm.cancel() }
    return try await body()
}
