public import DurableActors
internal import DurableProcess

/// Ends processes of a runtime by SIGKILL, each of them at most once and only while it lives.
///
/// It looks a process up, pins it by a pidfd, and kills what it pinned: a number that the kernel has given to another
/// process meanwhile is never hit.
public struct ProcessKiller {
    /// A kill that hit a living process.
    public struct Strike: Sendable, Hashable {
        /// What kind of process it was.
        public var target: KillPlan.Target
        /// Its process number.
        public var processID: Int32
        /// The actor that it hosted, if it was a worker.
        public var actor: ActorID?
        /// When the signal was sent.
        public var instant: ContinuousClock.Instant
    }

    private struct Victim: Hashable {
        var pid: Int32
        var startTime: UInt64
    }

    private let runtime: ActorRuntime
    private var generator: SeededGenerator
    private var struck: Set<Victim> = []
    private var known: [ActorSummary] = []

    /// Makes a killer for one runtime.
    /// - Parameters:
    ///   - runtime: Whose processes are killed.
    ///   - seed: What decides which worker it is.
    public init(_ runtime: ActorRuntime, seed: UInt64) {
        self.runtime = runtime
        generator = SeededGenerator(seed: seed)
    }

    /// Kills one process of this kind.
    /// - Returns: What was hit; `nil` if no such process lives right now, as between death and restart.
    /// - Throws: `ActorError` if the runtime cannot tell its workers, `invalidArgument` if a process may not be killed.
    public mutating func strike(_ target: KillPlan.Target) async throws -> Strike? {
        switch target {
        case .worker: try await strikeWorker()
        case .supervisor: try strikeSupervisor()
        }
    }

    /// Kills a random living worker that hosts an actor or runs tasks. While the supervisor is dead, it chooses among
    /// those known from before.
    public mutating func strikeWorker() async throws -> Strike? {
        if let supervisor = runtime.supervisorProcessID, !isStruck(supervisor) {
            known = try await (runtime.actors() + runtime.taskWorkers()).filter { $0.state == .alive }
        }
        for candidate in known.shuffled(using: &generator) {
            guard let pid = candidate.processID else { continue }
            if let strike = try kill(pid, .worker, candidate.id) { return strike }
        }
        known = []
        return nil
    }

    /// Kills the supervisor.
    public mutating func strikeSupervisor() throws -> Strike? {
        guard let pid = runtime.supervisorProcessID else { return nil }
        return try kill(pid, .supervisor, nil)
    }

    private mutating func kill(_ pid: Int32, _ target: KillPlan.Target, _ actor: ActorID?) throws -> Strike? {
        let process: ProcessHandle
        do {
            guard let handle = try ProcessHandle.adopt(peer: pid) else { return nil }
            process = handle
        } catch {
            throw ActorError(.limitExceeded, "process \(pid) cannot be pinned", cause: error.message)
        }
        let victim = Victim(pid: pid, startTime: process.startTime)
        guard process.isAlive, struck.insert(victim).inserted else { return nil }
        let instant = ContinuousClock.now
        guard process.kill() else {
            guard process.isAlive else { return nil }
            throw ActorError(.invalidArgument, "process \(pid) may not be killed by this user")
        }
        return Strike(target: target, processID: pid, actor: actor, instant: instant)
    }

    private func isStruck(_ pid: Int32) -> Bool { struck.contains { $0.pid == pid } }
}
