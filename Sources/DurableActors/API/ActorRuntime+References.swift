internal import DurableCore
internal import Synchronization

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
        let outcomes = refs.map(\.outcome)
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
            ref.observeEnd { isFailure in
                let isLast = missing.noteEnd()
                if isLast || (isFailure && endsAtFailure) { shot.settle(()) }
            }
        }
        defer { for registration in registrations { registration?() } }
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
