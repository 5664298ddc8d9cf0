internal import DurableCore
internal import Synchronization

/// What one task waits for and anybody may settle, once; a wait that is given up leaves nothing behind.
final class OneShot<Outcome: Sendable>: Sendable {
    private struct State {
        var outcome: Outcome?
        var isOver = false
        var continuation: CheckedContinuation<Outcome?, Never>?
    }

    private let state = Mutex(State())

    /// Settles it; what comes later counts for nothing.
    func settle(_ outcome: Outcome) { end(with: outcome) }

    /// Waits for the outcome; only one task may, and only once.
    /// - Returns: The outcome, or `nil` when the time ran out before.
    /// - Throws: `CancellationError` when the waiting task is cancelled before.
    func wait(timeout: Duration?) async throws -> Outcome? {
        if timeout == .zero { return state.withLock { $0.outcome } }
        // The timer belongs to this wait, which cancels it.
        let timer = timeout.map { timeout in
            Task {
                guard (try? await ContinuousClock().sleep(for: timeout)) != nil else { return }
                end(with: nil)
            }
        }
        defer { timer?.cancel() }
        let outcome = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    if !state.isOver { state.continuation = continuation }
                    return state.isOver
                }
                if isOver { continuation.resume(returning: state.withLock { $0.outcome }) }
            }
        } onCancel: {
            end(with: nil)
        }
        if outcome == nil { try Task.checkCancellation() }
        return outcome
    }

    private func end(with outcome: Outcome?) {
        let continuation = state.withLock { state in
            guard !state.isOver else { return nil as CheckedContinuation<Outcome?, Never>? }
            state.isOver = true
            state.outcome = outcome
            return state.continuation.take()
        }
        continuation?.resume(returning: outcome)
    }
}

extension Duration? {
    /// Refuses what cannot be waited for.
    func checkTimeout() throws {
        guard let self, self < .zero else { return }
        throw ActorError(.invalidArgument, "a timeout must not be negative, and is \(self)")
    }
}
