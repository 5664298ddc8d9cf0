internal import DurableCore

extension DurableActor {
    /// Returns when the actor answers calls: its constructor has ended, and its state is as it was stored. Ray:
    /// `__ray_ready__`.
    ///
    /// It is a call like any other, behind those that this process has submitted before, and is sent again to each next
    /// life until one answers.
    /// - Parameter timeout: How long to wait; `nil` waits for ever, as for resources that no node has free.
    /// - Throws: ``DurableCore/ActorError`` with `died` and the reason when the actor is gone, also when its constructor
    ///   threw, with `quarantined`, with `timedOut`, and with `invalidArgument` for a timeout that is not above zero;
    ///   `CancellationError` when the waiting task is cancelled.
    nonisolated public func ready(timeout: Duration? = nil) async throws {
        if let timeout, timeout <= .zero {
            throw ActorError(.invalidArgument, "timeout is \(timeout); allowed is more than 0", actor: id)
        }
        try await actorSystem.awaitReadiness(of: id, within: timeout)
    }
}

extension ActorRuntime {
    fileprivate func awaitReadiness(of actor: ActorID, within timeout: Duration?) async throws {
        // A wait that ends by itself is no deadlock.
        let waiting = timeout == nil ? Turn.current?.waitingNow ?? WaitingTurns() : WaitingTurns()
        if waiting.includesStart(of: actor) { throw waiting.error(of: actor) }
        var identity = CallerChannel.Identity()
        identity.waiting = waiting
        let effort = CallEffort(retries: .unlimited, deadline: timeout.map { CallEffort.Deadline($0) })
        let call = OutgoingCall(CallFrame.readinessMethod, identity: identity, effort: effort)
        try CallResult.check(await calls.make(call, on: calls.channel(to: actor)), decoder)
    }
}
