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
        let ids: Set<ActorID>
        switch try await host(process.pid, runtime) {
        case .group: return "it hosts a group, whose members are restarted within it"
        case .actor(let id):
            ids = [id]
            try await runtime.kill(id, noRestart: false)
        case .replaced:
            // The scenario has done it: the one actor that it restarts is this one.
            ids = Set(try await runtime.actors().filter { $0.name == "bob" }.map(\.id))
        }
        let pause = try await obstacle(process.pid, ids, runtime)
        process.signal(SIGCONT)
        if try await !runtime.actors().contains(where: { ids.contains($0.id) }) { return pause }
        // It finds its shard taken, or is ended when it comes back.
        guard await isReached(within: .seconds(10), { !process.isAlive }) else {
            throw LaneError("zombie \(process.pid) lives on")
        }
        return pause
    }

    /// Why the next lives of these actors do not serve; `nil` once they do.
    private func obstacle(_ pid: Int32, _ ids: Set<ActorID>, _ runtime: ActorRuntime) async throws -> String? {
        let deadline = ContinuousClock.now + (point.isInsideTransaction ? .milliseconds(200) : .seconds(2))
        while .now < deadline {
            let now = try await runtime.actors().filter { ids.contains($0.id) }
            if now.isEmpty { return "its actor ends, so that there is no next life" }
            let serve = now.allSatisfy { $0.state == .alive && $0.processID != nil && $0.processID != pid }
            if serve { return nil }
            try await Task.sleep(for: .milliseconds(2))
        }
        if point.isInsideTransaction { return "it stands inside of a transaction and has the lock of those who write" }
        throw LaneError("nobody takes the place of \(pid)")
    }

    /// What a worker is there for.
    private enum Host {
        case actor(ActorID)
        /// Of a group only members, without a name here, are there.
        case group
        case replaced
    }

    private func host(_ pid: Int32, _ runtime: ActorRuntime) async throws -> Host {
        // The supervisor may not know yet whom it has given to the process.
        for _ in 0..<100 {
            let here = try await runtime.actors().filter { $0.processID == pid }
            if let actor = here.first(where: { $0.name != nil }) { return .actor(actor.id) }
            if !here.isEmpty { return .group }
            try await Task.sleep(for: .milliseconds(5))
        }
        return .replaced
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
