public import DurableCore

/// Actors of one type that share work: each runs one item at a time, and the next item goes to whoever is idle. Ray:
/// `ActorPool`.
///
/// Work goes in by ``submit(_:)`` and comes out by ``next(timeout:)`` or ``nextUnordered(timeout:)``; ``map(_:window:_:)``
/// and ``mapUnordered(_:window:_:)`` do both, and have their own results.
///
/// A worker that died for good is taken out, and its item is tried on another one, so that an item may run more than
/// once. A worker that is only unavailable stays, and gets its next item when it is back. The pool ends no actor.
public final class ActorPool<Worker: DurableActor, Output: Sendable>: Sendable {
    let workers: PoolWorkers<Worker>
    let maxTaskRetries: RepeatLimit
    private let results = PoolQueue<Output>()

    /// Makes a pool of actors that exist already.
    /// - Parameters:
    ///   - actors: Its workers, each once.
    ///   - results: What submitted items give.
    ///   - maxTaskRetries: On how many further workers an item is tried when one after the other dies with it. One that
    ///     was dead before does not count.
    ///   - replacement: Makes another worker for each that died; without one the pool gets smaller.
    /// - Throws: ``ActorError`` with `invalidArgument` for an actor given twice or a number that is not allowed.
    public init(
        _ actors: some Sequence<Worker>,
        results: Output.Type = Output.self,
        maxTaskRetries: RepeatLimit = 3,
        replacement: (@Sendable () async throws -> Worker)? = nil
    ) throws(ActorError) {
        guard maxTaskRetries.isValid else {
            let allowed = "allowed are 0, a positive number, or .unlimited (-1)"
            throw ActorError(.invalidArgument, "maxTaskRetries is \(maxTaskRetries.rawValue); \(allowed)")
        }
        self.maxTaskRetries = maxTaskRetries
        workers = PoolWorkers(replacement: replacement)
        for actor in actors { try push(actor) }
    }

    /// Has work done by the next idle worker, and returns at once. Items are begun in the order of submission. They go on
    /// when the pool is dropped.
    /// - Parameter body: The work: calls of the worker that it is given, which has nothing else to do for this pool
    ///   until it returns.
    public func submit(_ body: @escaping @Sendable (Worker) async throws -> Output) {
        results.submit(to: workers, retries: maxTaskRetries, body)
    }

    /// Retrieves the next result in the order of submission; those that ``nextUnordered(timeout:)`` has taken are left
    /// out.
    /// - Parameter timeout: How long to wait; zero only looks, `nil` waits for ever.
    /// - Throws: What the item threw; ``ActorError`` with `died` when no worker was left to run it, with `timedOut` when
    ///   it did not end in time, and can be retrieved later; with `noMoreResults` when none is left.
    public func next(timeout: Duration? = nil) async throws -> Output { try await retrieve(isOrdered: true, timeout) }

    /// Retrieves the result of whichever item ends first.
    /// - Parameter timeout: How long to wait; zero only looks, `nil` waits for ever.
    /// - Throws: What the item threw; ``ActorError`` with `died` when no worker was left to run it, with `timedOut` when
    ///   none ended in time; with `noMoreResults` when none is left.
    public func nextUnordered(timeout: Duration? = nil) async throws -> Output {
        try await retrieve(isOrdered: false, timeout)
    }

    /// Whether there are results to retrieve, finished or not, that no ``next(timeout:)`` waits for already.
    public var hasNext: Bool { results.hasNext }

    /// Whether a worker is idle; then no work waits.
    public var hasFree: Bool { workers.hasFree }

    /// How many workers there are, idle and busy.
    public var workerCount: Int { workers.count }

    /// Adds a worker, which begins with work that waits at once.
    /// - Throws: ``ActorError`` with `invalidArgument` when it is in the pool already.
    public func push(_ worker: Worker) throws(ActorError) {
        guard workers.push(worker) else {
            throw ActorError(.invalidArgument, "the actor is in the pool already", actor: worker.id)
        }
    }

    /// Takes out a worker that is idle; `nil` when there is none.
    public func popIdle() -> Worker? { workers.popIdle() }

    private func retrieve(isOrdered: Bool, _ timeout: Duration?) async throws -> Output {
        guard let outcome = try await results.next(isOrdered: isOrdered, timeout: timeout) else {
            throw ActorError(.timedOut, "no result of the pool came in time")
        }
        return try outcome.get()
    }
}

extension ActorPool where Output == Never {
    /// Makes a pool for ``map(_:window:_:)`` and ``mapUnordered(_:window:_:)`` only.
    /// - Parameters:
    ///   - actors: Its workers, each once.
    ///   - maxTaskRetries: On how many further workers an item is tried when one after the other dies with it.
    ///   - replacement: Makes another worker for each that died; without one the pool gets smaller.
    /// - Throws: ``ActorError`` with `invalidArgument` for an actor given twice or a number that is not allowed.
    public convenience init(
        _ actors: some Sequence<Worker>,
        maxTaskRetries: RepeatLimit = 3,
        replacement: (@Sendable () async throws -> Worker)? = nil
    ) throws(ActorError) {
        try self.init(actors, results: Never.self, maxTaskRetries: maxTaskRetries, replacement: replacement)
    }
}
