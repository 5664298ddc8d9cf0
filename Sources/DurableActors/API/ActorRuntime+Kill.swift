internal import DurableCore

extension ActorRuntime {
    /// Ends an actor that is known by its identity only, for good.
    package func kill(_ actor: ActorID, noRestart: Bool = true) async throws {
        _ = try await ask(.kill(actor, noRestart: noRestart))
    }
}
