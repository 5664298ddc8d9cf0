package import DurableActors
internal import DurableProcess

/// An actor that is killed again and again.
package struct RecoveryTarget<Act: DurableActor> {
    /// How long the next answer may take before the benchmark is given up.
    private static var patience: Duration { .seconds(60) }

    private let runtime: ActorRuntime
    private let actor: Act
    private let rest: RuntimeAtRest
    private let restMax: Duration
    private var processID: Int32
    private var processCount: Int

    /// Takes an actor that has answered.
    /// - Parameters:
    ///   - actor: Whose worker is killed.
    ///   - runtime: Where it lives.
    ///   - restMax: How long to wait, before each kill, for the runtime's processes to have nothing to do.
    package init(_ actor: Act, on runtime: ActorRuntime, restMax: Duration) async throws {
        self.actor = actor
        self.runtime = runtime
        self.restMax = restMax
        rest = RuntimeAtRest(directory: runtime.directory)
        processID = try await Self.process(of: actor, on: runtime, after: nil)
        processCount = try await rest.wait(atMost: restMax)
    }

    /// Kills the actor's worker and probes the actor until its next life has answered.
    /// - Parameter probe: Calls the actor; returns when the call's turn began, if it knows.
    /// - Throws: What `probe` throws, save that an actor is not available.
    package mutating func killAndProbe(
        _ probe: @Sendable (Act) async throws -> ContinuousClock.Instant?
    ) async throws -> Recovery {
        try await rest.wait(for: processCount, atMost: restMax)
        guard let process = try ProcessHandle.adopt(peer: processID) else {
            throw BenchmarkError("process \(processID) of \(Act.self) ended before it was killed")
        }
        let directory = Self.directory(of: processID)
        let watch = try await DeathWatch.start(process, directory: directory)
        defer { watch.finish() }
        let killed = ContinuousClock.now
        guard process.kill() else { throw BenchmarkError("process \(processID) of \(Act.self) cannot be killed") }
        while true {
            let began: ContinuousClock.Instant?
            do {
                began = try await probe(actor)
            } catch let error as ActorError where error.code == .unavailable {
                // The call was with the process that died, and may not be sent again: the caller's next one counts.
                try Self.check(killed, error)
                continue
            }
            let answered = ContinuousClock.now
            let stamps = await watch.look()
            // What the dying process has still answered is no recovery.
            guard let ended = stamps.ended, directory == nil || stamps.opened != nil else {
                try Self.check(killed, nil)
                continue
            }
            var moments: [Recovery.Phase: ContinuousClock.Instant] = [.noticed: ended, .answered: answered]
            moments[.assigned] = stamps.opened
            moments[.claimed] = stamps.claimed
            moments[.restored] = began
            processID = try await Self.process(of: actor, on: runtime, after: processID)
            return Recovery(killed: killed, moments: moments)
        }
    }

    private static func check(_ killed: ContinuousClock.Instant, _ error: ActorError?) throws {
        guard ContinuousClock.now - killed > patience else { return }
        throw BenchmarkError("\(Act.self) did not answer for a minute after its kill\(error.map { ": \($0)" } ?? "")")
    }

    /// The process that hosts the actor, when it is another one than before.
    private static func process(of actor: Act, on runtime: ActorRuntime, after former: Int32?) async throws -> Int32 {
        let deadline = ContinuousClock.now + patience
        while ContinuousClock.now < deadline {
            let summary = try await runtime.actors().first { $0.id == actor.id }
            guard let summary else { throw BenchmarkError("the actor \(actor.id) of type \(Act.self) has ended") }
            if let process = summary.processID, process != former { return process }
            try await Task.sleep(for: .milliseconds(1))
        }
        throw BenchmarkError("the runtime names no process of \(Act.self)")
    }

    /// The directory of the shard that a worker has open; `nil` when it has none.
    private static func directory(of process: Int32) -> String? {
        let file = "/data.mdb"
        let line = ProcessFile.lines("/proc/\(process)/maps").first { $0.hasSuffix(file) }
        guard let line, let start = line.firstIndex(of: "/") else { return nil }
        return String(line[start...].dropLast(file.count))
    }
}
