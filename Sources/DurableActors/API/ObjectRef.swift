internal import DurableCore
internal import Synchronization

/// A value that a submitted call will have. Ray: `ObjectRef`.
///
/// Two references are equal when they belong to the same submission.
public struct ObjectRef<Value: Sendable>: Sendable {
    let settlement: Settlement<Value>

    /// Waits for the call and returns its result.
    /// - Throws: What the call threw: the actor's own error, or ``ActorError``; `CancellationError` when the waiting
    ///   task is cancelled, which does not end the call.
    public var value: Value {
        get async throws { try await value(timeout: nil) }
    }

    /// Waits for the call, for a limited time, and returns its result. The call goes on when the time runs out.
    /// - Parameter timeout: How long to wait; zero only looks, `nil` waits for ever.
    /// - Throws: What the call threw; ``ActorError`` with `timedOut` when it has not ended in time.
    public func value(timeout: Duration?) async throws -> Value {
        try timeout.checkTimeout()
        let shot = OneShot<Settlement<Value>.Outcome>()
        let registration = settlement.observe { shot.settle($0) }
        defer { if let registration { settlement.forget(registration) } }
        guard let outcome = try await shot.wait(timeout: timeout) else {
            throw ActorError(.timedOut, "the call has not ended in time")
        }
        return try outcome.get()
    }

    /// Whether the call has ended, with a result or an error.
    public var isReady: Bool { settlement.outcome != nil }
}

extension ObjectRef {
    /// Wants the call to end early. Returns at once; ``value`` says what became of it. Ray: `ray.cancel`.
    ///
    /// A call that has not begun never runs, in no life of its actor and by no retry, and fails with
    /// ``DurableCore/ActorError/Code/cancelled``. In one that runs, `Task.isCancelled` becomes true and what waits in it
    /// throws `CancellationError`; with that it fails as cancelled, and keeps what it has changed, like every call that
    /// throws. A method that pays no attention, and a call that has ended, are not affected: their result counts.
    /// Whichever it is, the outcome is recorded, so that a crash does not turn one into the other.
    /// - Parameter recursive: Whether the calls to other actors that it waits for are cancelled as well. Otherwise they
    ///   go on, and only the wait for them ends.
    public func cancel(recursive: Bool = true) {
        guard settlement.outcome == nil, let cancellation = settlement.cancellation else { return }
        guard !cancellation.cancel(recursive ? .recursive : .single) else { return }
        let message = "the call was cancelled before it was made"
        settlement.settle(.failure(ActorError(.cancelled, message)))
    }
}

extension ObjectRef: Hashable {
    /// Whether both belong to the same submission.
    public static func == (left: Self, right: Self) -> Bool { left.settlement === right.settlement }

    /// Adds the submission's identity.
    public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(settlement)) }
}

extension ActorRuntime {
    /// Waits for many calls. Ray: `ray.get`.
    /// - Parameters:
    ///   - refs: References, in any order, also several times the same.
    ///   - timeout: How long to wait; zero only looks, `nil` waits for ever.
    /// - Returns: The results, in the order of the references.
    /// - Throws: As soon as a call has failed, without waiting for the others, its error; when several have, that of
    ///   the first in the list. ``ActorError`` with `timedOut` when they have not all ended in time. The references stay
    ///   valid.
    public func get<Value>(_ refs: [ObjectRef<Value>], timeout: Duration? = nil) async throws -> [Value] {
        try timeout.checkTimeout()
        try await Self.awaitCalls(Set(refs), count: refs.count, endsAtFailure: true, timeout: timeout)
        let outcomes = refs.map(\.settlement.outcome)
        for case .failure(let error)? in outcomes { throw error }
        return try outcomes.map { outcome in
            guard let outcome else {
                throw ActorError(.timedOut, "of \(refs.count) calls, not all have ended in time")
            }
            return try outcome.get()
        }
    }

    /// Waits until some of many calls have ended. Ray: `ray.wait`.
    /// - Parameters:
    ///   - refs: Different references.
    ///   - count: How many to wait for.
    ///   - timeout: How long to wait; zero only looks, `nil` waits for ever.
    /// - Returns: At most `count` references to calls that have ended, with a result or an error, and all others; both
    ///   in the order given. Fewer than `count` when the time ran out.
    /// - Throws: ``ActorError`` with `invalidArgument` for a reference given twice, or a count or timeout out of range.
    public func wait<Value>(
        _ refs: [ObjectRef<Value>],
        count: Int = 1,
        timeout: Duration? = nil
    ) async throws -> (ready: [ObjectRef<Value>], remaining: [ObjectRef<Value>]) {
        try timeout.checkTimeout()
        guard !refs.isEmpty else { return ([], []) }
        guard (1...refs.count).contains(count) else {
            throw ActorError(.invalidArgument, "the count must be 1 to \(refs.count), and is \(count)")
        }
        let distinct = Set(refs)
        guard distinct.count == refs.count else {
            throw ActorError(.invalidArgument, "a reference must not be given twice")
        }
        try await Self.awaitCalls(distinct, count: count, endsAtFailure: false, timeout: timeout)
        var ready: [ObjectRef<Value>] = []
        var remaining: [ObjectRef<Value>] = []
        for ref in refs {
            if ready.count < count, ref.isReady { ready.append(ref) } else { remaining.append(ref) }
        }
        return (ready, remaining)
    }

    /// Returns when so many calls have ended, one has failed if that matters, or the time has run out.
    private static func awaitCalls<Value>(
        _ refs: Set<ObjectRef<Value>>,
        count: Int,
        endsAtFailure: Bool,
        timeout: Duration?
    ) async throws {
        guard !refs.isEmpty else { return }
        let shot = OneShot<Void>()
        let missing = MissingCalls(min(count, refs.count))
        let registrations = refs.map { ref in
            let number = ref.settlement.observe { outcome in
                let isLast = missing.noteEnd()
                if case .failure = outcome, endsAtFailure { return shot.settle(()) }
                if isLast { shot.settle(()) }
            }
            return (ref.settlement, number)
        }
        defer {
            for (settlement, number) in registrations {
                if let number { settlement.forget(number) }
            }
        }
        _ = try await shot.wait(timeout: timeout)
    }
}

/// How many calls a wait still wants to see end.
private final class MissingCalls: Sendable {
    private let count: Mutex<Int>

    init(_ count: Int) { self.count = Mutex(count) }

    /// Notes one more end; true when that was the last.
    func noteEnd() -> Bool {
        count.withLock { count in
            count -= 1
            return count == 0
        }
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
        let cancellation = SubmissionCancellation(ticket)
        let settlement = Settlement<Result>(cancelledBy: cancellation)
        // Nobody owns the task; like a call in Ray, it is not ended when the reference is dropped.
        let task = Task {
            let outcome: Settlement<Result>.Outcome
            do {
                let result = try await SubmissionCancellation.$current.withValue(cancellation) {
                    try await SubmissionTicket.$current.withValue(ticket) { try await body(self) }
                }
                outcome = .success(result)
            } catch {
                outcome = .failure(error)
            }
            ticket.release()
            settlement.settle(outcome)
        }
        cancellation.begun(task)
        return ObjectRef(settlement: settlement)
    }
}
