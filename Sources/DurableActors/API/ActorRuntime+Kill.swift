internal import DurableCore

extension ActorRuntime {
    /// Ends an actor that is known by its identity only, for good.
    package func kill(_ actor: ActorID, noRestart: Bool = true) async throws {
        _ = try await ask(.kill(actor, noRestart: noRestart))
    }

    /// The numbers of all programs that use the runtime, this one among them.
    package func driverProcessIDs() async throws -> [Int32] {
        guard case .processes(let numbers) = try await ask(.drivers) else {
            throw ActorError(.internalError, "the supervisor gave an answer of another kind")
        }
        return numbers
    }

    /// Has something happen to a process of the runtime, or says that it is about to be ended by a signal.
    package func inject(_ order: FaultOrder) async throws { _ = try await ask(.inject(order)) }
}
