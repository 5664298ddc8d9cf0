internal import DurableCore

extension ActorContext {
    /// Ends the actor whose code calls this, for good, whatever its options say. Ray: `exit_actor`.
    ///
    /// For methods and for the constructor. Nothing behind it runs, not even `defer`. The actor ends as by
    /// ``ActorRuntime/kill(_:noRestart:)``: its state is removed and its name is free, what it owns ends with it. The
    /// call that it is running and those that wait fail with ``DurableCore/ActorError/Code/died``, which says that the
    /// exit was intended; none is retried. Calls that had returned before have their outcome. What the running one has
    /// changed is not committed: nobody could ever see it.
    ///
    /// Of a group, only this actor ends. What the turn held in memory is then not released while the worker lives.
    /// - Throws: ``ActorError`` with `invalidArgument` outside of actors, with `storageFailed` when calls that had
    ///   returned cannot be stored, and with what the supervisor says when it refuses; the actor lives on.
    public static func exit() async throws -> Never {
        guard let turn = Turn.current else {
            throw ActorError(.invalidArgument, "only the code of an actor can exit from it; use kill from outside")
        }
        let actor = turn.actor
        try await actor.host.flushFinishedTurns()
        await actor.host.repliesLeave()
        try await actor.host.onLoop { actor.exits(turn) }
        do {
            // While there is no supervisor, the answer waits for the next one.
            if case .failed(let error) = try await actor.host.link.request(.exit(actor.id)) { throw error }
        } catch {
            try await actor.host.onLoop { actor.stays(turn) }
            throw error
        }
        while true {
            await withUnsafeContinuation { (_: UnsafeContinuation<Void, Never>) in }
        }
    }
}
