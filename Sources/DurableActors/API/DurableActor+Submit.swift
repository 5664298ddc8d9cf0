internal import DurableCore

extension DurableActor {
    /// Submits a call and returns at once. Calls that one process submits to an actor run in the order of
    /// submission, over restarts and retries.
    ///
    /// - Parameter body: Makes the call, as in `{ try await $0.deposit(5) }`. Its first call to this actor takes the
    ///   place of the submission; further ones come after whatever was submitted meanwhile.
    /// - Returns: A reference to the result. What the call changed survives whether or not anybody asks for it.
    nonisolated public func submit<Result: Sendable>(
        _ body: @escaping @Sendable (Self) async throws -> Result
    ) -> ObjectRef<Result> {
        let system = actorSystem
        let cancellation = SubmissionCancellation(to: system.calls.channel(to: id))
        let settlement = Settlement<Result>(cancelledBy: cancellation, unseen: system.unseen)
        // Nobody owns the task; like a call in Ray, it is not ended when the reference is dropped. It begins here, which
        // saves a way to another thread; the place in the order is held already, wherever the task goes.
        let task = Task.immediate {
            let outcome: Settlement<Result>.Outcome
            do {
                let result = try await SubmissionCancellation.$current.withValue(cancellation) {
                    try await body(self)
                }
                outcome = .success(result)
            } catch {
                outcome = .failure(error)
            }
            cancellation.releasePlace()
            cancellation.ended()
            settlement.settle(outcome)
        }
        cancellation.begun(task)
        return ObjectRef(settlement, on: system)
    }
}
