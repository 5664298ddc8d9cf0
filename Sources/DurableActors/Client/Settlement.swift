internal import DurableCore
internal import Synchronization

/// How a submitted call ended, and who waits for that.
final class Settlement<Value: Sendable>: Sendable {
    typealias Outcome = Result<Value, any Error>

    private struct State {
        var outcome: Outcome?
        var observers: [UInt64: @Sendable (Outcome) -> Void] = [:]
        var registrations: UInt64 = 0
        var isSeen = false
        var exported: HeldObject?
    }

    private let state = Mutex(State())
    /// What cancels the call.
    let cancellation: SubmissionCancellation?
    /// Told of a failure that nobody has looked at when the last reference goes.
    private let unseen: UnseenFailures?

    init(cancelledBy cancellation: SubmissionCancellation? = nil, unseen: UnseenFailures? = nil) {
        self.cancellation = cancellation
        self.unseen = unseen
    }

    deinit {
        guard let unseen else { return }
        let error = state.withLock { state -> (any Error)? in
            guard !state.isSeen, case .failure(let error)? = state.outcome else { return nil }
            return error
        }
        if let error { unseen.note(error) }
    }

    /// How it ended, if it has.
    var outcome: Outcome? {
        state.withLock { state in
            if state.outcome != nil { state.isSeen = true }
            return state.outcome
        }
    }

    /// Whether it has ended. A failure has not been looked at by that.
    var isSettled: Bool { state.withLock { $0.outcome != nil } }

    /// What other processes know it as, made when the first of them is told.
    func exported(_ make: () -> HeldObject) -> (object: HeldObject, isNew: Bool) {
        state.withLock { state in
            if let known = state.exported { return (known, false) }
            let made = make()
            state.exported = made
            state.isSeen = true
            return (made, true)
        }
    }

    /// Ends it and tells those who wait; the first end counts.
    func settle(_ outcome: Outcome) {
        let observers = state.withLock { state in
            guard state.outcome == nil else {
                return [:].values as Dictionary<UInt64, @Sendable (Outcome) -> Void>.Values
            }
            state.outcome = outcome
            defer { state.observers = [:] }
            return state.observers.values
        }
        for observer in observers { observer(outcome) }
    }

    /// Has the observer told once, at once when it has ended already.
    /// - Returns: What takes the observer away again; `nil` when it was told.
    func observe(_ observer: @escaping @Sendable (Outcome) -> Void) -> UInt64? {
        let (outcome, number) = state.withLock { state in
            state.isSeen = true
            if let outcome = state.outcome { return (outcome, nil) as (Outcome?, UInt64?) }
            state.registrations += 1
            state.observers[state.registrations] = observer
            return (nil, state.registrations)
        }
        if let outcome { observer(outcome) }
        return number
    }

    func forget(_ number: UInt64) { state.withLock { _ = $0.observers.removeValue(forKey: number) } }

    /// How many wait.
    var observerCount: Int { state.withLock { $0.observers.count } }
}
