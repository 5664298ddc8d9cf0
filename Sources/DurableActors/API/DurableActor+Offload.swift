extension DurableActor {
    /// Runs a blocking or long section on another thread, and waits for it.
    ///
    /// A worker has one thread for its actors: while it computes or blocks, the other actors of the group wait, and
    /// nothing is committed or answered. Meanwhile this turn stays open; the actor's next call starts after it, unless
    /// ``ActorOptions/maxConcurrency`` or a ``ConcurrencyGroup`` let several run at once.
    /// The section sees neither the actor's state nor ``ActorContext/current``; pass in what it needs. A crash in it is
    /// a crash of the worker. Cancelling the task does not end it.
    ///
    /// There are 16 such threads in a process. When all are busy, sections wait in order, up to 1024 of them.
    /// - Throws: What the section throws; ``ActorError`` with `limitExceeded` when too many wait: it was not run then.
    public func offload<Result: Sendable>(_ section: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await OffloadPool.shared.run(for: Turn.current?.job ?? 0, section)
    }
}
