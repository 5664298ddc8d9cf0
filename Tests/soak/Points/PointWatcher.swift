import DurableActors
import DurableCore
import DurableProcess
import Glibc

/// Looks after a process that was made to stand still at a point.
struct PointWatcher: Sendable {
    /// Whose workers are replaced; `nil` when it is a supervisor that stands still, whose place is locked.
    private let runtime: ActorRuntime?
    private let tally: FaultTally
    private let trial: PointCase

    private var action: PointAction { trial.action }
    private var point: FaultPoint { trial.point }

    init(_ runtime: ActorRuntime?, _ tally: FaultTally, _ trial: PointCase) {
        self.runtime = runtime
        self.tally = tally
        self.trial = trial
    }

    /// Ends or continues it. Why nobody had taken its place before, if that is as it has to be. Ends without anything when
    /// it is cancelled before anybody stands still.
    /// - Throws: What went wrong with the takeover.
    func run() async throws -> String? {
        guard action == .stopThenKill || action == .zombie else { return nil }
        while tally.marks.isEmpty {
            if Task.isCancelled { return nil }
            try? await Task.sleep(for: .milliseconds(1))
        }
        guard let mark = tally.marks.first,
            let process = try ProcessHandle.adopt(pid: mark.pid, startTime: mark.startTime)
        else { return nil }
        // Detached from the cancellation of the scenario: who stands still must not stay so.
        return try await Task { try await attend(process) }.value
    }

    private func attend(_ process: ProcessHandle) async throws -> String? {
        while process.isAlive, !ProcessTable.isStopped(process.pid) { try await Task.sleep(for: .milliseconds(1)) }
        guard action == .zombie else {
            try await Task.sleep(for: .milliseconds(30))
            process.kill()
            return nil
        }
        // Whatever the runtime does meanwhile: nobody stands still for longer than this.
        let alarm = Task {
            try await Task.sleep(for: Self.standstillMax)
            process.signal(SIGCONT)
        }
        defer {
            alarm.cancel()
            process.signal(SIGCONT)
        }
        guard let runtime else {
            try await Task.sleep(for: .milliseconds(50))
            return "nobody can take the place of a supervisor that stands still: it has its lock"
        }
        return try await replace(process, runtime)
    }

    /// How long a process stands still at most.
    private static let standstillMax: Duration = .seconds(3)

    private func replace(_ process: ProcessHandle, _ runtime: ActorRuntime) async throws -> String? {
        guard let actor = try await hosted(by: process.pid, runtime) else {
            return "it hosts a group, whose members are restarted within it"
        }
        try await runtime.kill(actor, noRestart: false)
        let pause = try await obstacle(process.pid, actor, runtime)
        process.signal(SIGCONT)
        guard try await runtime.actors().contains(where: { $0.id == actor }) else { return pause }
        // It finds its shard taken, or is ended when it comes back.
        guard await isReached(within: .seconds(10), { !process.isAlive }) else {
            throw LaneError("zombie \(process.pid) lives on")
        }
        return pause
    }

    /// Why the next life of an actor does not serve; `nil` once it does.
    private func obstacle(_ pid: Int32, _ actor: ActorID, _ runtime: ActorRuntime) async throws -> String? {
        let deadline = ContinuousClock.now + (point.isInsideTransaction ? .milliseconds(200) : .seconds(2))
        while .now < deadline {
            guard let now = try await runtime.actors().first(where: { $0.id == actor }) else {
                return "its actor ends, so that there is no next life"
            }
            if let process = now.processID, process != pid, now.state == .alive { return nil }
            try await Task.sleep(for: .milliseconds(2))
        }
        if point.isInsideTransaction { return "it stands inside of a transaction and has the lock of those who write" }
        throw LaneError("nobody takes the place of \(pid)")
    }

    /// The actor that a process hosts alone; `nil` for one that hosts a group, of which only members, without a name here, are
    /// there. The supervisor may not know yet whom it has given to the process.
    private func hosted(by pid: Int32, _ runtime: ActorRuntime) async throws -> ActorID? {
        for _ in 0..<200 {
            let here = try await runtime.actors().filter { $0.processID == pid }
            if let actor = here.first(where: { $0.name != nil }) { return actor.id }
            if !here.isEmpty { return nil }
            try await Task.sleep(for: .milliseconds(5))
        }
        throw LaneError("nobody knows whom \(pid) hosts")
    }
}

extension FaultPoint {
    /// Whether who stands still there has the lock of those who write.
    var isInsideTransaction: Bool {
        switch self {
        case .workerInsideClaim, .workerInsideCommit, .workerInsideSweep, .workerInsideExpiry: true
        default: false
        }
    }
}
