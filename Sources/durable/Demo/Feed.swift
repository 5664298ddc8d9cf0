internal import Synchronization

/// Hands out records to the callers, pass after pass until enough was killed, and counts what was acknowledged.
final class Feed: Sendable {
    private struct State {
        var next = 0
        var end: Int
        var acknowledged = 0
        var isEnough = false
        var isStopped = false
        var awaited = 0
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let recordsPerPass: Int
    private let state: Mutex<State>

    /// Makes a feed that goes through all records this often, or until `finish` if it is to go on.
    init(records: Int, passes: Int, goesOn: Bool) {
        recordsPerPass = records
        state = Mutex(State(end: records * passes, isEnough: !goesOn))
    }

    /// The place of the next record, or `nil` when there is none left to feed.
    func next() -> Int? {
        state.withLock { state in
            guard !state.isStopped else { return nil }
            if state.next == state.end {
                guard !state.isEnough else { return nil }
                state.end += recordsPerPass
            }
            defer { state.next += 1 }
            return state.next % recordsPerPass
        }
    }

    /// A record was fed and its reply has come.
    func acknowledge() {
        let waiter = state.withLock { state in
            state.acknowledged += 1
            return state.acknowledged >= state.awaited ? state.waiter.take() : nil
        }
        waiter?.resume()
    }

    /// Waits until this many replies have come, or the feed was stopped. For one task at a time.
    func wait(untilAcknowledged count: Int) async {
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                guard !state.isStopped, state.acknowledged < count else { return true }
                state.awaited = count
                state.waiter = continuation
                return false
            }
            if isOver { continuation.resume() }
        }
    }

    /// The pass that runs is the last one.
    func finish() { state.withLock { $0.isEnough = true } }

    /// Hands out nothing any more: something failed.
    func stop() {
        let waiter = state.withLock { state in
            state.isStopped = true
            return state.waiter.take()
        }
        waiter?.resume()
    }

    /// Whether something failed.
    var isStopped: Bool { state.withLock { $0.isStopped } }

    /// How many replies have come.
    var acknowledged: Int { state.withLock { $0.acknowledged } }

    /// How many records are to be fed, as far as known.
    var goal: Int { state.withLock { $0.end } }

    /// How often all records are fed, as far as known.
    var passes: Int { goal / recordsPerPass }
}
