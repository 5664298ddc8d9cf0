public import DurableActors

/// Measures how long an actor type of your own is away after `kill -9` of its process, on this machine.
///
/// An actor is made, its worker is killed again and again, and each time the calls begin at once. In a test:
///
/// ```swift
/// let result = try await RecoveryBenchmark(rounds: 50).run(on: runtime) { runtime in
///     try await runtime.spawn(Account.self, Opening(amount: 0), options: .resilient)
/// } probing: { account in
///     _ = try await account.deposit(1)
/// }
/// #expect(result.total.p99 < .milliseconds(50), "\(result)")
/// ```
///
/// Before each kill it waits until the runtime's processes have nothing to do, so that a spare is ready; the number of
/// those is the runtime's ``DurableActors/RuntimeConfiguration/warmSpares``.
public struct RecoveryBenchmark: Sendable {
    /// How many kills are measured.
    public var rounds: Int
    /// How many kills come before those, which are not measured: they warm caches and connections.
    public var warmUpRounds = 1
    /// How long to wait at most, before each kill, until the runtime's processes have nothing to do.
    public var restMax: Duration = .seconds(1)

    /// Makes a benchmark.
    /// - Parameter rounds: How many kills are measured; a positive number. p99.9 needs a thousand to be another number
    ///   than the longest.
    public init(rounds: Int = 100) { self.rounds = rounds }

    /// Measures.
    /// - Parameters:
    ///   - runtime: Where the actor lives. Nothing is killed but the actor's own worker.
    ///   - make: Makes the actor and whatever state it is to have. It must be one that is restarted without limit, as
    ///     with ``DurableCore/ActorOptions/resilient``. The benchmark kills it for good in the end.
    ///   - probe: Calls the actor once. It is repeated when it throws that the actor is unavailable, as calls without
    ///     retries do.
    ///   - progress: Is told after each kill how many are behind.
    /// - Throws: `ActorError` with `invalidArgument` for a number of rounds that is not allowed; ``BenchmarkError``; and
    ///   what `make` and `probe` throw.
    public func run<Act: DurableActor>(
        on runtime: ActorRuntime,
        making make: @Sendable (ActorRuntime) async throws -> Act,
        probing probe: @Sendable (Act) async throws -> Void,
        progress: @Sendable (Int) -> Void = { _ in }
    ) async throws -> RecoveryMeasurement {
        guard rounds > 0, warmUpRounds >= 0 else {
            throw ActorError(
                .invalidArgument,
                "rounds is \(rounds) and warmUpRounds \(warmUpRounds); allowed are 1 or more, and 0 or more"
            )
        }
        let actor = try await make(runtime)
        let measurement: RecoveryMeasurement
        do {
            measurement = try await measure(actor, runtime, probe, progress)
        } catch {
            // What went wrong matters more than that the actor, too, cannot be ended.
            try? await runtime.kill(actor)
            throw error
        }
        try await runtime.kill(actor)
        return measurement
    }

    private func measure<Act: DurableActor>(
        _ actor: Act,
        _ runtime: ActorRuntime,
        _ probe: @Sendable (Act) async throws -> Void,
        _ progress: @Sendable (Int) -> Void
    ) async throws -> RecoveryMeasurement {
        try await probe(actor)
        var target = try await RecoveryTarget(actor, on: runtime, restMax: restMax)
        var recoveries: [Recovery] = []
        for round in 0..<(warmUpRounds + rounds) {
            let recovery = try await target.killAndProbe { actor in
                try await probe(actor)
                return nil
            }
            if round >= warmUpRounds { recoveries.append(recovery) }
            progress(round + 1)
        }
        guard let measurement = RecoveryMeasurement(of: "\(Act.self)", recoveries) else {
            throw BenchmarkError("nothing was measured")
        }
        return measurement
    }
}
