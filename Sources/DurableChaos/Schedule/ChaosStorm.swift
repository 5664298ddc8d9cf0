public import DurableActors
internal import DurableProcess
internal import Glibc
internal import Synchronization

/// Runs `body` while the processes of a runtime are under fire. When it ends, so does the fire, and every process goes
/// on that stood still.
///
/// A test that kills processes by itself as well makes deaths that no fault explains.
/// - Parameters:
///   - runtime: Whose supervisor and workers are hit.
///   - schedule: Which faults come when, counted from now.
///   - budget: How much may be down at once.
///   - log: Where the faults are entered.
///   - body: What has to bear it.
/// - Throws: What `body` throws; else ``UnplannedDeaths`` if workers died that no fault had hit.
public func withChaos<Result: Sendable>(
    _ runtime: ActorRuntime,
    _ schedule: ChaosSchedule,
    budget: ChaosBudget = ChaosBudget(),
    log: ChaosLog = ChaosLog(),
    _ body: () async throws -> Result
) async throws -> Result {
    let storm = ChaosStorm(runtime, schedule, budget, log)
    let outcome = await withTaskGroup(of: Void.self) { group in
        group.addTask { await storm.run() }
        let outcome: Swift.Result<Result, any Error>
        do {
            outcome = .success(try await body())
        } catch {
            outcome = .failure(error)
        }
        group.cancelAll()
        return outcome
    }
    log.enter(unplanned: await UnmarkedDeaths(directory: runtime.directory).all(besides: log.marks))
    let result = try outcome.get()
    guard log.unplannedDeaths.isEmpty else { throw UnplannedDeaths(deaths: log.unplannedDeaths) }
    return result
}

/// Performs the faults of a schedule.
final class ChaosStorm: Sendable {
    /// A process of the runtime.
    private struct Target: Sendable {
        var process: ProcessHandle
        var title: String

        var victim: ChaosLog.Entry.Victim {
            ChaosLog.Entry.Victim(processID: process.pid, startTime: process.startTime, title: title)
        }
    }

    /// What lives, and how much does not.
    private struct Situation {
        var workers: [Target] = []
        var supervisor: Target?
        var down = 0

        var all: [Target] { workers + (supervisor.map { [$0] } ?? []) }
    }

    private let runtime: ActorRuntime
    private let schedule: ChaosSchedule
    private let budget: ChaosBudget
    private let log: ChaosLog
    private let start = ContinuousClock.now
    /// Processes that stand still.
    private let stopped = Mutex<Set<Int32>>([])

    init(_ runtime: ActorRuntime, _ schedule: ChaosSchedule, _ budget: ChaosBudget, _ log: ChaosLog) {
        self.runtime = runtime
        self.schedule = schedule
        self.budget = budget
        self.log = log
    }

    /// Runs until the schedule is over, or the task is cancelled. No process stands still afterwards.
    func run() async {
        await withTaskGroup(of: Void.self) { pauses in
            for fault in schedule.makeIterator() {
                do {
                    try await Task.sleep(until: start + fault.offset)
                } catch {
                    break
                }
                await perform(fault, &pauses)
                if Task.isCancelled { break }
            }
            if Task.isCancelled { pauses.cancelAll() }
        }
    }

    private func perform(_ fault: ChaosFault, _ pauses: inout TaskGroup<Void>) async {
        let situation = await look()
        guard !Task.isCancelled else { return }
        let limit = fault.kind == .freeze || fault.kind == .killAll ? 1 : budget.downMax
        guard situation.down < limit else {
            return enter(fault, [], because: "\(situation.down) processes are down")
        }
        switch fault.kind {
        case .kill: strike(fault, one(of: situation, fault), SIGKILL)
        case .abort: strike(fault, one(of: situation, fault), SIGABRT)
        case .terminate: strike(fault, one(of: situation, fault), SIGTERM)
        case .killSupervisor: strike(fault, situation.supervisor.map { [$0] } ?? [], SIGKILL)
        case .killAll: strike(fault, situation.all, SIGKILL)
        case .stop:
            let targets = one(of: situation, fault)
            strike(fault, targets, SIGSTOP)
            pauses.addTask { [self] in await goOn(targets, after: fault.lasting) }
        case .freeze:
            strike(fault, situation.all, SIGSTOP)
            // Nobody could be asked meanwhile.
            await goOn(situation.all, after: fault.lasting)
        }
    }

    private func one(of situation: Situation, _ fault: ChaosFault) -> [Target] {
        guard !situation.workers.isEmpty else { return [] }
        return [situation.workers[Int(fault.choice % UInt64(situation.workers.count))]]
    }

    private func strike(_ fault: ChaosFault, _ targets: [Target], _ signal: Int32) {
        if signal == SIGSTOP { stopped.withLock { $0.formUnion(targets.map(\.process.pid)) } }
        let struck = targets.filter { $0.process.signal(signal) }
        enter(fault, struck.map(\.victim), because: struck.isEmpty ? "nobody lives whom it could hit" : nil)
    }

    private func goOn(_ targets: [Target], after time: Duration) async {
        // A schedule that is over lets them go on at once.
        try? await Task.sleep(for: time)
        for target in targets { target.process.signal(SIGCONT) }
        stopped.withLock { $0.subtract(targets.map(\.process.pid)) }
    }

    private func enter(_ fault: ChaosFault, _ victims: [ChaosLog.Entry.Victim], because omission: String?) {
        let entry = ChaosLog.Entry(fault: fault, offset: start.duration(to: .now), victims: victims, omission: omission)
        log.enter(entry)
    }

    /// Asks the supervisor, and waits for the next one when there is none.
    private func look() async -> Situation {
        var situation = Situation()
        // A runtime that cannot tell is one that is being shut down: then there is nobody to hit.
        let actors = ((try? await runtime.actors()) ?? []) + ((try? await runtime.taskWorkers()) ?? [])
        let still = stopped.withLock { $0 }
        if let pid = runtime.supervisorProcessID, let process = living(pid) {
            situation.supervisor = Target(process: process, title: "supervisor")
        } else {
            situation.down += 1
        }
        var seen: Set<Int32> = []
        for actor in actors.sorted(by: { ($0.processID ?? 0) < ($1.processID ?? 0) }) {
            guard [.alive, .starting, .restarting].contains(actor.state) else { continue }
            // Many actors may share a worker.
            guard let pid = actor.processID else {
                situation.down += 1
                continue
            }
            guard seen.insert(pid).inserted else { continue }
            guard actor.state == .alive, !still.contains(pid), let process = living(pid) else {
                situation.down += 1
                continue
            }
            situation.workers.append(Target(process: process, title: actor.name ?? actor.type))
        }
        return situation
    }

    private func living(_ pid: Int32) -> ProcessHandle? {
        // Gone, or not to be watched for lack of descriptors: then it is spared.
        guard let process = try? ProcessHandle.adopt(peer: pid), process.isAlive else { return nil }
        return process
    }
}
