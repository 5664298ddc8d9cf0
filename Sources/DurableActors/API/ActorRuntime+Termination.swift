internal import DurableCore

extension ActorRuntime {
    /// Ends an actor for good, when it has done what it was asked to do before. Ray: `__ray_terminate__`.
    ///
    /// Calls that this process has submitted before run first, then ``DurableActor/willTerminate()``; calls that come
    /// later fail with ``DurableCore/ActorError/Code/died``. The actor ends as by ``kill(_:noRestart:)``, with its state,
    /// and is not restarted. If it crashes meanwhile, its next life goes on with what was left, and terminates. Returns
    /// when it is gone; terminating a dead actor is no error.
    /// - Parameters:
    ///   - actor: Any handle to it, of another actor than the one whose code calls this; see ``ActorContext/exit()``.
    ///   - timeout: How long all of that may take. Then the actor is killed.
    /// - Throws: ``ActorError`` with `invalidArgument` for a timeout that is not above zero, and with the storage's codes,
    ///   `quarantined` or what the supervisor says when the actor cannot end; then it lives on.
    public func terminate(_ actor: some DurableActor, timeout: Duration = .seconds(30)) async throws {
        guard timeout > .zero else {
            throw ActorError(.invalidArgument, "timeout is \(timeout); allowed is more than 0", actor: actor.id)
        }
        try await terminate(actor.id.bare, within: timeout)
    }

    /// Ends an actor that is known by its identity only, when it has done what it was asked to do before.
    func terminate(_ actor: ActorID, within timeout: Duration) async throws {
        if case .worker(let host) = membership { try await host.flushFinishedTurns() }
        do throws(ActorError) {
            try await terminate(actor, CallEffort(retries: .unlimited, deadline: CallEffort.Deadline(timeout)))
        } catch {
            switch error.code {
            case .died: break
            case .timedOut, .poisonCall: try await kill(actor)
            default: throw error
            }
        }
    }

    private func terminate(_ actor: ActorID, _ effort: CallEffort) async throws(ActorError) {
        do {
            let call = OutgoingCall(CallFrame.terminationMethod, effort: effort)
            try CallResult.check(await calls.make(call, on: calls.channel(to: actor)), decoder)
        } catch let error as ActorError {
            throw error
        } catch {
            throw ActorError(.unavailable, "the wait for the end was given up; it comes all the same", actor: actor)
        }
    }
}
