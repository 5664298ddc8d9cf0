internal import DurableActors
internal import DurableCore
internal import DurableProcess
internal import Synchronization

/// One run of a crash matrix's scenario, in a runtime of its own.
struct CrashRun: Sendable {
    /// What became of it.
    struct Outcome: Sendable {
        /// How often each point was passed until the scenario was over.
        var passages: [String: Int] = [:]
        /// Whether the process died that was to die.
        var hasStruck = false
        /// What did not hold.
        var problem: String?
    }

    let options: CrashMatrixOptions
    let scenario: @Sendable (ActorRuntime) async throws -> Void
    let verify: @Sendable (ActorRuntime) async throws -> Void

    /// Runs the scenario and what verifies it.
    /// - Parameter crash: Where a process dies; `nil` when none does.
    /// - Throws: When no run is possible at all. What does not hold in a run is in its outcome.
    func perform(_ crash: CrashCase?) async throws -> Outcome {
        let folder = try TallyFolder()
        defer { folder.remove() }
        let tally = try FaultTally(creating: folder.file)
        var configuration = options.configuration
        configuration.faultTally = folder.file
        if let crash, let point = FaultPoint(rawValue: crash.point) {
            configuration.faults = [FaultSpecification(point, occurrence: crash.occurrence, action: .kill)]
        }
        var outcome = Outcome()
        do {
            let runtime = try await ActorRuntime.start(configuration: configuration)
            look: do {
                outcome.passages = try await CrashCase.$current.withValue(crash) {
                    try await CrashCase.$tally.withValue(tally) { try await observe(runtime, tally, crash) }
                }
                guard !options.permitsOtherDeaths else { break look }
                let unmarked = await UnmarkedDeaths(directory: runtime.directory).all(besides: Set(tally.marks))
                if let first = unmarked.first { outcome.problem = first }
            } catch {
                outcome.problem = "\(error)"
            }
            await end(runtime)
        } catch {
            outcome.problem = "the runtime did not start: \(error)"
        }
        outcome.hasStruck = !tally.marks.isEmpty
        return outcome
    }

    /// Runs both, and says which points the scenario has passed.
    private func observe(
        _ runtime: ActorRuntime,
        _ tally: FaultTally,
        _ crash: CrashCase?
    ) async throws -> [String: Int] {
        try await within(options.patience, of: runtime) { [options, scenario, verify] in
            let passages = Mutex<[FaultPoint: Int]>([:])
            let body: @Sendable () async throws -> Void = {
                try await scenario(runtime)
                passages.withLock { $0 = tally.passages }
                try await verify(runtime)
            }
            if let around = options.around { try await around(crash, body) } else { try await body() }
            return passages.withLock { $0 }.reduce(into: [:]) { $0[$1.key.rawValue] = $1.value }
        }
    }

    /// Detached actors would keep the runtime alive.
    private func end(_ runtime: ActorRuntime) async {
        // What cannot be asked or killed any more ends with the processes, or has.
        for actor in (try? await runtime.actors()) ?? [] { try? await runtime.kill(actor.id) }
        await runtime.shutdown()
    }
}
