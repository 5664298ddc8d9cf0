/// A value that a submitted call will have. Ray: `ObjectRef`.
public struct ObjectRef<Value: Sendable>: Sendable {
    private let task: Task<Value, any Error>

    init(_ task: Task<Value, any Error>) { self.task = task }

    /// Waits for the call and returns its result.
    /// - Throws: What the call threw: the actor's own error, or ``ActorError``.
    public var value: Value {
        get async throws { try await task.value }
    }
}

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
        let ticket = actorSystem.calls.ticket(for: id)
        // The reference owns the task; like a call in Ray, it is not ended when the reference is dropped.
        let task = Task {
            defer { ticket.release() }
            return try await SubmissionTicket.$current.withValue(ticket) { try await body(self) }
        }
        return ObjectRef(task)
    }
}
