internal import DurableActors
internal import DurableChaos
internal import DurableCore
internal import DurableProcess
internal import DurableSupervisor
internal import DurableTransport
internal import Glibc
internal import Synchronization

/// The processes of a runtime that others run, looked at from outside: nothing is started, and the runtime ends as if
/// nobody looked.
final class AttackTargets: Sendable {
    /// A worker that may be hit.
    struct Worker: Sendable, Hashable {
        var process: RuntimeProcesses.Found
        /// The actors that it hosts, with the lives that they live.
        var actors: [ActorSummary]

        var title: String {
            let first = actors.first.map(AttackTargets.title) ?? "worker"
            return actors.count > 1 ? "\(first) and \(actors.count - 1) more" : first
        }
    }

    /// What there is before the first fault.
    struct FirstLook: Sendable {
        var text: String
        /// Who is spared and why.
        var notes: [String]
    }

    let directory: String
    private let layout: RuntimeLayout
    private let processes: RuntimeProcesses
    private let only: [String]
    private let loop: EventLoop
    private let observer = Mutex<SupervisorObserver?>(nil)

    /// What the task workers of a runtime are called; they are not hit.
    private static let taskWorker = "task worker"

    /// Finds the runtime.
    /// - Throws: When there is none that runs, or none that can be asked.
    init(_ path: String, only: [String], on loop: EventLoop) async throws {
        let found = try DataDirectory(inUse: path)
        directory = found.path
        layout = found.layout
        self.only = only
        self.loop = loop
        processes = RuntimeProcesses(directory)
        guard processes.living().contains(where: \.isSupervisor) else {
            throw Failure("no runtime is running in \(directory); start the program that uses it first")
        }
        do {
            let first = try await SupervisorObserver.connect(layout, on: loop)
            observer.withLock { $0 = first }
            _ = try await first.actors()
        } catch {
            throw Failure(
                "the supervisor of \(directory) does not say what runs there; it may be of an earlier version "
                    + "(\(Failure(error)))"
            )
        }
    }

    static func title(_ actor: ActorSummary) -> String { actor.name ?? actor.type }

    /// The supervisor's process.
    var supervisor: RuntimeProcesses.Found? {
        observer.withLock { $0?.processID }.flatMap(processes.process).flatMap { $0.isSupervisor ? $0 : nil }
    }

    /// All living actors; `nil` while there is no supervisor to ask.
    func look() async -> [ActorSummary]? {
        do {
            if let known = observer.withLock({ $0 }), known.processID != nil {
                return try await known.actors().filter { $0.type != Self.taskWorker }
            }
            let next = try await SupervisorObserver.connect(layout, on: loop)
            observer.withLock { $0 = next }
            return try await next.actors().filter { $0.type != Self.taskWorker }
        } catch {
            // It is gone; the next look finds the next one.
            return nil
        }
    }

    /// Whether a driver lives, which would start the next supervisor.
    var hasDriver: Bool {
        guard let stored = try? stored() else { return true }
        return stored.drivers.contains { ProcessTable.startTime(of: $0.pid) == $0.startTime }
    }

    /// The newest entries of the ledger, oldest first.
    func ledger() throws -> [LedgerEntry] {
        let registry = try RegistryStore(layout, readOnly: true)
        defer { registry.close() }
        return try registry.ledger(newest: 5000)
    }

    private func stored() throws -> (records: [ActorRecord], drivers: [RegistryStore.Driver]) {
        let registry = try RegistryStore(layout, readOnly: true)
        defer { registry.close() }
        let stored = try registry.load()
        return (stored.records, stored.drivers)
    }

    /// The workers that may be hit now, and why others may not.
    func candidates(_ actors: [ActorSummary]) throws -> (workers: [Worker], spared: [String]) {
        let (records, drivers) = try stored()
        let byID = Dictionary(records.map { ($0.id, $0) }) { first, _ in first }
        var (workers, spared) = ([Worker](), [String]())
        let alive = actors.filter { $0.state == .alive && $0.processID != nil }
        for (pid, hosted) in Dictionary(grouping: alive, by: { $0.processID ?? 0 }) {
            let hosted = hosted.sorted { Self.title($0) < Self.title($1) }
            guard hosted.contains(where: isWanted) else { continue }
            // Never a driver, and nothing else that is no worker of this very directory.
            guard !drivers.contains(where: { $0.pid == pid }), pid != getpid(), let process = processes.process(pid),
                !process.isSupervisor
            else { continue }
            let worker = Worker(process: process, actors: hosted)
            if let neighbour = hosted.first(where: { !isWanted($0) }) {
                spared.append("\(worker.title): \(Self.title(neighbour)) lives in the same process and is not meant")
            } else if let mortal = hosted.first(where: { !comesBack($0.id, byID) }) {
                spared.append("\(Self.title(mortal)): it would not be restarted")
            } else {
                workers.append(worker)
            }
        }
        return (workers.sorted { $0.title < $1.title }, spared.sorted())
    }

    private func isWanted(_ actor: ActorSummary) -> Bool {
        only.isEmpty || only.contains { Self.matches(actor, $0) }
    }

    /// Whether another life follows when this one is ended now, as the actor's options and its restarts so far say.
    private func comesBack(_ id: ActorID, _ records: [ActorID: ActorRecord]) -> Bool {
        guard let record = records[id] else { return false }
        var policy = (record.group.flatMap { records[$0] } ?? record).policy
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        let now = Duration.seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
        return switch policy.died(lifetime: .zero, wasProductive: true, now: now, jitter: 0) {
        case .restartNow, .restart: true
        case .giveUp, .giveUpFor: false
        }
    }

    /// Says what is there.
    /// - Throws: When there is nothing to hit.
    func firstLook(kinds: ChaosKinds) async throws -> FirstLook {
        let actors = await look() ?? []
        let (workers, spared) = try candidates(actors)
        let known = actors.map { "\(Self.title($0)) (\($0.type), \($0.state.rawValue))" }.prefix(12).joined(
            separator: ", "
        )
        if let missing = only.first(where: { name in
            !actors.contains { AttackTargets.matches($0, name) }
        }) {
            throw Failure(
                "\(directory) has no living actor \"\(missing)\"; there are \(known.isEmpty ? "none" : known)"
            )
        }
        guard !workers.isEmpty else {
            let reason = spared.isEmpty ? "no actor of \(directory) is running" : spared.joined(separator: "; ")
            throw Failure("there is nothing to hit: \(reason)")
        }
        if kinds.kinds.contains(.killSupervisor), !hasDriver {
            throw Failure(
                "no driver of \(directory) runs: nobody would start the next supervisor; leave it out of --faults"
            )
        }
        let names = workers.prefix(8).map(\.title).joined(separator: ", ") + (workers.count > 8 ? ", …" : "")
        var text = "\(directory): \(workers.count.of("worker")) may be hit: \(names)\n"
        for line in spared.prefix(8) { text += "spared: \(line)\n" }
        return FirstLook(text: text, notes: spared.map { "spared: \($0)" })
    }

    private static func matches(_ actor: ActorSummary, _ name: String) -> Bool {
        name == actor.name || name.lowercased() == actor.id.description || name == actor.type
            || actor.type.hasSuffix(".\(name)")
    }
}
