public import DurableActors
internal import DurableCore
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
        await group.waitForAll()
        return outcome
    }
    await storm.calm()
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
        var isWorker = false

        func order(_ fault: LiveFault?) -> FaultOrder {
            FaultOrder(pid: process.pid, startTime: process.startTime, fault: fault)
        }

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
    /// Processes that were told to show faults.
    private let told = Mutex<[Target]>([])
    private static let nobody = "nobody lives whom it could hit"

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
        let limit = fault.kind.isForAll ? 1 : budget.downMax
        guard situation.down < limit else {
            return enter(fault, [], because: "\(situation.down) processes are down")
        }
        switch fault.kind {
        case .kill: await strike(fault, one(of: situation, fault), SIGKILL)
        case .abort: await strike(fault, one(of: situation, fault), SIGABRT)
        case .terminate: await strike(fault, one(of: situation, fault), SIGTERM)
        case .killSupervisor: await strike(fault, situation.supervisor.map { [$0] } ?? [], SIGKILL)
        case .killAll: await strike(fault, situation.all, SIGKILL)
        case .killDriver: await strike(fault, choose(fault, of: await drivers()), SIGKILL)
        case .stop:
            let targets = one(of: situation, fault)
            await strike(fault, targets, SIGSTOP)
            pauses.addTask { [self] in await goOn(targets, after: fault.lasting) }
        case .freeze:
            await strike(fault, situation.all, SIGSTOP)
            // Nobody could be asked meanwhile.
            await goOn(situation.all, after: fault.lasting)
        case .jumpClock: await inject(fault, situation.all)
        case .exit, .slowDisk, .failDisk, .fullDisk, .dropReply, .delayReply, .duplicateReply:
            await inject(fault, one(of: situation, fault))
        }
    }

    private func one(of situation: Situation, _ fault: ChaosFault) -> [Target] { choose(fault, of: situation.workers) }

    private func choose(_ fault: ChaosFault, of targets: [Target]) -> [Target] {
        targets.isEmpty ? [] : [targets[Int(fault.choice % UInt64(targets.count))]]
    }

    private func strike(_ fault: ChaosFault, _ targets: [Target], _ signal: Int32) async {
        if signal == SIGSTOP {
            stopped.withLock { $0.formUnion(targets.map(\.process.pid)) }
        } else {
            for target in targets where target.isWorker {
                // The ledger is to say that it was meant. Where it cannot, the log does.
                try? await runtime.inject(target.order(nil))
            }
        }
        let struck = targets.filter { $0.process.signal(signal) }
        enter(fault, struck.map(\.victim), because: struck.isEmpty ? Self.nobody : nil)
    }

    /// Tells processes what they are to show.
    private func inject(_ fault: ChaosFault, _ targets: [Target]) async {
        guard let live = fault.live else { preconditionFailure("\(fault.kind) is not shown, but done") }
        var struck: [Target] = []
        for target in targets {
            do {
                try await runtime.inject(target.order(live))
                struck.append(target)
            } catch let error as ActorError where error.code == .notFound {
                // Gone meanwhile.
            } catch {
                // It may have been told.
                struck.append(target)
            }
        }
        if fault.kind != .exit { told.withLock { $0 += struck } }
        enter(fault, struck.map(\.victim), because: struck.isEmpty ? Self.nobody : nil)
    }

    /// Has everybody stop to show faults.
    func calm() async {
        let targets = told.withLock { targets in
            defer { targets = [] }
            return targets
        }
        for target in targets where target.process.isAlive {
            // One that ends meanwhile shows nothing any more.
            try? await runtime.inject(target.order(LiveFault(.calm)))
        }
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
            situation.workers.append(Target(process: process, title: actor.name ?? actor.type, isWorker: true))
        }
        return situation
    }

    /// The other programs of the runtime.
    private func drivers() async -> [Target] {
        // As above.
        let numbers = (try? await runtime.driverProcessIDs()) ?? []
        return numbers.filter { $0 != getpid() }.compactMap { pid in
            living(pid).map { Target(process: $0, title: "driver") }
        }
    }

    private func living(_ pid: Int32) -> ProcessHandle? {
        // Gone, or not to be watched for lack of descriptors: then it is spared.
        guard let process = try? ProcessHandle.adopt(peer: pid), process.isAlive else { return nil }
        return process
    }
}

extension ChaosFault {
    /// What a process is told that is to show it; `nil` for what is done to it from outside.
    fileprivate var live: LiveFault? {
        let time = lasting.chaosMilliseconds
        return switch kind {
        case .exit: LiveFault(.exit)
        case .slowDisk: LiveFault(.slowDisk, milliseconds: time)
        case .failDisk: LiveFault(.failDisk, milliseconds: time)
        case .fullDisk: LiveFault(.fullDisk, milliseconds: time)
        case .dropReply: LiveFault(.dropReply)
        case .delayReply: LiveFault(.delayReply, milliseconds: time)
        case .duplicateReply: LiveFault(.duplicateReply)
        case .jumpClock: LiveFault(.jumpClock, milliseconds: choice.isMultiple(of: 2) ? time : -time)
        case .kill, .abort, .terminate, .stop, .freeze, .killSupervisor, .killAll, .killDriver: nil
        }
    }
}
