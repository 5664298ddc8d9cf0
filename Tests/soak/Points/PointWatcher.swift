import DurableActors
import DurableProcess
import Glibc

/// Looks after a process that was made to stand still at a point.
struct PointWatcher: Sendable {
    /// Whose workers are replaced; `nil` when it is a supervisor that stands still, whose place is locked.
    private let runtime: ActorRuntime?
    private let tally: FaultTally
    private let action: PointAction

    init(_ runtime: ActorRuntime?, _ tally: FaultTally, _ action: PointAction) {
        self.runtime = runtime
        self.tally = tally
        self.action = action
    }

    /// Ends or continues it. Whether another one had taken its place before. Ends without that when it is cancelled
    /// before anybody stands still.
    func run() async throws -> Bool {
        guard action == .stopThenKill || action == .zombie else { return false }
        while tally.marks.isEmpty {
            if Task.isCancelled { return false }
            try? await Task.sleep(for: .milliseconds(1))
        }
        guard let mark = tally.marks.first,
            let process = try ProcessHandle.adopt(pid: mark.pid, startTime: mark.startTime)
        else { return false }
        while process.isAlive, !ProcessTable.isStopped(process.pid) { await Task.yield() }
        // Detached from the cancellation of the scenario: who stands still must not stay so.
        return try await Task { try await attend(process) }.value
    }

    private func attend(_ process: ProcessHandle) async throws -> Bool {
        guard action == .zombie else {
            try await Task.sleep(for: .milliseconds(30))
            process.kill()
            return false
        }
        defer { process.signal(SIGCONT) }
        guard let runtime else {
            try await Task.sleep(for: .milliseconds(50))
            return false
        }
        guard let actor = try await hosted(by: process.pid, runtime) else { return false }
        try await runtime.kill(actor, noRestart: false)
        let isReplaced = try await isReplaced(process.pid, actor, runtime)
        process.signal(SIGCONT)
        guard try await runtime.actors().contains(where: { $0.id == actor }) else { return false }
        // It finds its shard taken, or is ended when it comes back.
        let deadline = ContinuousClock.now + .seconds(20)
        while process.isAlive {
            guard .now < deadline else { throw ActorError(.internalError, "zombie \(process.pid) lives on") }
            try await Task.sleep(for: .milliseconds(2))
        }
        return isReplaced
    }

    /// Whether the next life of an actor serves. It cannot while the one that stands still is inside of a transaction: that
    /// one has the lock of those who write.
    private func isReplaced(_ pid: Int32, _ actor: ActorID, _ runtime: ActorRuntime) async throws -> Bool {
        let deadline = ContinuousClock.now + .milliseconds(500)
        while .now < deadline {
            guard let now = try await runtime.actors().first(where: { $0.id == actor }) else { return false }
            if let process = now.processID, process != pid, now.state == .alive { return true }
            try await Task.sleep(for: .milliseconds(2))
        }
        return false
    }

    /// The actor that a process hosts alone. Those of a group, which have no names here, are restarted one by one, in the same
    /// process. The supervisor may not know yet whom it has given to the process.
    private func hosted(by pid: Int32, _ runtime: ActorRuntime) async throws -> ActorID? {
        for _ in 0..<20 {
            if let actor = try await runtime.actors().first(where: { $0.processID == pid && $0.name != nil }) {
                return actor.id
            }
            try await Task.sleep(for: .milliseconds(5))
        }
        return nil
    }
}
