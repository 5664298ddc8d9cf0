internal import DurableCore
internal import Synchronization

/// Actors that end with their last handle.
extension ActorRuntime: HandleTokenSource {
    /// The token of a handle that another process has sent.
    package func handleToken(_ id: ObjectID) -> HandleToken? { objects.handles.received(id) }

    /// The identity of the handle of an actor that was created here.
    func handleID(_ location: ActorLocation) -> ActorID {
        var id = location.id
        guard location.options.endsWithLastHandle else { return id }
        id.token = objects.handles.make(id, isFound: location.isFound == true) { [weak self, id] in
            self?.lastHandleWent(of: id)
        }
        return id
    }

    private func lastHandleWent(of actor: ActorID) {
        // The end of this process's membership ends its actors.
        guard !isStopped.withLock(\.self) else { return }
        // Nobody owns the task; it ends with the actor, or with the runtime.
        Task.detached { [self] in
            await endUnheld(actor)
            objects.handles.hasEnded(actor)
        }
    }

    /// Ends an actor that nobody can call any more, over failures and deaths of the supervisor.
    private func endUnheld(_ actor: ActorID) async {
        for attempt in 1...Limits.unheldEndsMax {
            do {
                var isKilled = attempt == Limits.unheldEndsMax
                if !isKilled { isKilled = try await isPending(actor) }
                if isKilled {
                    try await kill(actor)
                } else {
                    try await terminate(actor, within: Limits.unheldEndTimeout)
                }
                return
            } catch {
                guard !isStopped.withLock(\.self) else { return }
                if let error = error as? ActorError, error.code == .quarantined { return }
                log("the actor \(actor), whose last handle has gone, has not ended: \(error)")
                // A pause that is cut short is one attempt sooner.
                try? await ContinuousClock().sleep(for: Limits.unheldEndPause * attempt)
            }
        }
    }

    /// Whether the actor waits for its first life.
    private func isPending(_ actor: ActorID) async throws -> Bool {
        try await hosted().contains { $0.id == actor && $0.state == .pending }
    }
}
