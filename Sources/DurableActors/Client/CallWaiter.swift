internal import DurableCore
internal import Synchronization

/// One caller that waits for the outcome of one call; resumed once, by whatever comes first.
final class CallWaiter: Sendable {
    private struct State {
        var continuation: CheckedContinuation<CallOutcome, any Error>?
        var result: Result<CallOutcome, any Error>?
        var sequence: UInt64?
        var isRecorded = false
        var retriesUsed = 0
    }

    private let state = Mutex(State())

    /// The call's number, once it has one.
    var sequence: UInt64? { state.withLock { $0.sequence } }

    /// Whether the outcome is there.
    var isOver: Bool { state.withLock { $0.result != nil } }

    /// Whether the worker said that it keeps a record of the call.
    var isRecorded: Bool { state.withLock { $0.isRecorded } }

    /// How many retries the call had used when it was answered.
    var retriesUsed: Int { state.withLock { $0.retriesUsed } }

    /// The call was answered, had used so many retries, and the worker may keep a record of it.
    func note(isRecorded: Bool, retriesUsed: Int) {
        state.withLock { state in
            if isRecorded { state.isRecorded = true }
            state.retriesUsed = retriesUsed
        }
    }

    /// Gives the call its number. False when the caller was cancelled before.
    func assign(_ sequence: UInt64) -> Bool {
        state.withLock { state in
            state.sequence = sequence
            return state.result == nil
        }
    }

    /// Waits; `body` sets things in motion.
    func wait(_ body: () -> Void) async throws -> CallOutcome {
        try await withCheckedThrowingContinuation { continuation in
            let early: Result<CallOutcome, any Error>? = state.withLock { state in
                if state.result == nil { state.continuation = continuation }
                return state.result
            }
            if let early { continuation.resume(with: early) }
            body()
        }
    }

    func resume(throwing error: any Error) { resume(with: .failure(error)) }

    func resume(with result: Result<CallOutcome, any Error>) {
        let continuation = state.withLock { state in
            guard state.result == nil else { return nil as CheckedContinuation<CallOutcome, any Error>? }
            state.result = result
            return state.continuation.take()
        }
        continuation?.resume(with: result)
    }
}
