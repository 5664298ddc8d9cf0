import DurableActors
import DurableChaos
import DurableCore
import DurableProcess
import Glibc

/// One trial, in a runtime of its own.
struct PointRun: Sendable, Codable {
    var scenario: PointScenario
    var delivery: Delivery
    /// What happens where; `nil` in the run that counts passages.
    var trial: PointCase?
    /// Whether a fresh process reads what is there, beside this one.
    var readsInProcess = false

    func perform(in folder: KillFolder) async -> PointOutcome {
        var outcome = PointOutcome()
        do {
            let tally = try FaultTally(creating: "\(folder.path)/tally")
            do {
                try await perform(in: folder, tally, &outcome)
            } catch {
                outcome.problems.append("\(error)")
                if let fault = trial?.point { outcome.hasStruck = (tally.passages[fault] ?? 0) > 0 }
            }
        } catch {
            outcome.unknown = "the trial could not be made: \(error)"
        }
        return outcome
    }

    /// What is being done, for whoever looks why a trial takes too long.
    private func say(_ step: String) { StandardError.write("\(step)\n") }

    private func perform(in folder: KillFolder, _ tally: FaultTally, _ outcome: inout PointOutcome) async throws {
        var configuration = scenario.configuration
        configuration.faultTally = "\(folder.path)/tally"
        configuration.faults = faults
        let log = CallLog(delivery)
        if scenario == .absence { try await leave(folder, configuration, log, tally) }
        // A supervisor may stand still before anybody has a runtime.
        let early = trial.flatMap { $0.isWorkerPoint ? nil : PointWatcher(nil, tally, $0) }
        let earlyWatching = early.map { watcher in Task { try await watcher.run() } }
        say("start")
        let runtime = try await ActorRuntime.start(directory: folder.data, configuration: configuration)
        let late = trial.flatMap { $0.isWorkerPoint ? PointWatcher(runtime, tally, $0) : nil }
        let watching = earlyWatching ?? Task { try await late?.run() }
        say("calls")
        if scenario != .absence { try await scenario.run(runtime, delivery, log, tally) }
        say("last calls")
        try await scenario.finish(runtime, log)
        for (point, count) in tally.passages { outcome.passages[point.rawValue] = count }
        say("reads")
        let accounts = try await Self.accounts(runtime)
        if let trial { outcome.hasStruck = (tally.passages[trial.point] ?? 0) >= trial.occurrence }
        say("waits for who stands still")
        watching.cancel()
        outcome.pause = try await watching.value
        let entries = log.entries
        outcome.calls = entries.count
        outcome.acknowledged = entries.count { $0.outcome == .acknowledged }
        outcome.problems += log.violations(accounts)
        if scenario != .records {
            // The dead letter of that scenario is a crash that is wanted.
            outcome.problems += await UnmarkedDeaths(directory: folder.data).all(besides: Set(tally.marks))
        }
        say("leaves")
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
        say("works before it leaves")
        let runtime = try await ActorRuntime.start(directory: folder.data, configuration: configuration)
        try await scenario.run(runtime, delivery, log, tally)
        say("is absent")
        let supervisor = try runtime.supervisorProcessID.flatMap { try ProcessHandle.adopt(peer: $0) }
        await runtime.shutdown()
        supervisor?.kill()
        let isOver = await isReached(within: .seconds(10)) {
            folder.processes().allSatisfy { ProcessTable.isStopped($0.pid) }
        }
        if !isOver { throw ActorError(.internalError, "workers go on without a supervisor") }
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
        _ outcome: inout PointOutcome
    ) async throws {
        if readsInProcess {
            say("reads in a fresh process")
            let text = try FreshProcess.output(["read-tellers", folder.data])
            if text != Self.line(accounts) {
                outcome.problems.append("a fresh process reads \(text) instead of \(Self.line(accounts))")
            }
        }
        say("starts again")
        let fresh = try await ActorRuntime.start(directory: folder.data, configuration: scenario.configuration)
        let again = try await Self.accounts(fresh)
        say("ends the actors")
        for actor in try await fresh.actors() { try await fresh.kill(actor.id) }
        await fresh.shutdown()
        if again != accounts {
            outcome.problems.append("a fresh runtime reads \(Self.line(again)) instead of \(Self.line(accounts))")
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

    static func line(_ accounts: [String: Teller.Account]) -> String {
        accounts.sorted { $0.key < $1.key }.map { name, account in
            let seen = account.seen.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            return "\(name):\(account.total):\(seen.joined(separator: ","))"
        }.joined(separator: " ")
    }
}
