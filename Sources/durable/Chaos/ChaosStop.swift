internal import Synchronization

/// A wish to see the end, that may come at any time.
final class ChaosStop: Sendable {
    private struct State {
        var isRaised = false
        var signal: Int32?
        var action: (@Sendable () -> Void)?
    }

    private let state = Mutex(State())

    var isRaised: Bool { state.withLock { $0.isRaised } }
    /// The signal that brought it.
    var signal: Int32? { state.withLock { $0.signal } }

    func raise(_ signal: Int32? = nil) {
        let action = state.withLock { state in
            state.isRaised = true
            state.signal = state.signal ?? signal
            return state.action
        }
        action?()
    }

    /// Something to do at once when it comes.
    func onRaise(_ action: @escaping @Sendable () -> Void) { state.withLock { $0.action = action } }

    /// Waits for it, or until the time is over.
    func wait(for time: Duration) async {
        let deadline = ContinuousClock.now + time
        while !isRaised {
            let left = deadline - .now
            guard left > .zero else { return }
            do { try await Task.sleep(for: min(left, .milliseconds(20))) } catch { return }
        }
    }
}

/// What a body returns, or `nil` when the time is over; then it is cancelled, and not waited for.
func within<Value: Sendable>(
    _ patience: Duration,
    _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value? {
    let race = Race<Value>()
    return try await withCheckedThrowingContinuation { continuation in
        race.start(continuation)
        // Both end with the race: the one by its own end, or cancelled by the other, which has slept.
        let work = Task {
            do {
                race.finish(.success(try await body()))
            } catch {
                race.finish(.failure(error))
            }
        }
        let clock = Task {
            try await Task.sleep(for: patience)
            work.cancel()
            race.finish(.success(nil))
        }
        race.onFinish { clock.cancel() }
    }
}

/// The first answer counts.
private final class Race<Value: Sendable>: Sendable {
    private struct State {
        var continuation: CheckedContinuation<Value?, any Error>?
        var isOver = false
        var end: (@Sendable () -> Void)?
    }

    private let state = Mutex(State())

    func start(_ continuation: CheckedContinuation<Value?, any Error>) {
        state.withLock { $0.continuation = continuation }
    }

    func onFinish(_ end: @escaping @Sendable () -> Void) {
        let isOver = state.withLock { state in
            state.end = end
            return state.isOver
        }
        if isOver { end() }
    }

    func finish(_ result: Result<Value?, any Error>) {
        let (continuation, end) = state.withLock { state in
            state.isOver = true
            return (state.continuation.take(), state.end)
        }
        continuation?.resume(with: result)
        end?()
    }
}
