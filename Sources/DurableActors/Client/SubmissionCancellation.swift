internal import DurableCore
internal import Synchronization

/// What a submission's calls are cancelled by, carried to them by its task.
final class SubmissionCancellation: Sendable {
    @TaskLocal static var current: SubmissionCancellation?

    private struct State {
        var isCancelled = false
        var isEnded = false
        var calls: [(channel: ActorChannel, waiter: CallWaiter)] = []
        var task: Task<Void, Never>?
    }

    /// The actor that is called, and the place in the order of its calls that is held for the first one. A task has none.
    private let channel: ActorChannel?
    private let ticket: SubmissionOrder<ActorChannel.Submission>.Ticket
    private let isTaken: Atomic<Bool>
    private let state = Mutex(State())

    /// Of a submission that has no place in an order.
    init() {
        channel = nil
        ticket = 0
        isTaken = Atomic(true)
    }

    /// Of one that gets the next place in the order of calls to an actor.
    init(to channel: ActorChannel) {
        self.channel = channel
        ticket = channel.draw()
        isTaken = Atomic(false)
    }

    /// The channel to an actor, if it is the one that the submission calls.
    func channel(to actor: ActorID) -> ActorChannel? { channel?.actor == actor ? channel : nil }

    /// The place, for the first call to this channel's actor; `nil` for any other.
    func takePlace(on channel: ActorChannel) -> SubmissionOrder<ActorChannel.Submission>.Ticket? {
        guard channel === self.channel, !isTaken.exchange(true, ordering: .relaxed) else { return nil }
        return ticket
    }

    /// Gives the place back when no call has taken it, so that those behind it do not wait for ever.
    func releasePlace() {
        if !isTaken.exchange(true, ordering: .relaxed) { channel?.release(ticket) }
    }

    /// The submission's task has begun.
    func begun(_ task: Task<Void, Never>) {
        let isOver = state.withLock { state in
            // It may have ended as well.
            if !state.isEnded { state.task = task }
            return state.isCancelled && state.calls.isEmpty
        }
        if isOver { task.cancel() }
    }

    /// The submission's task has ended. References to the result outlive it, and must not keep its memory.
    func ended() {
        state.withLock { state in
            state.isEnded = true
            state.task = nil
        }
    }

    /// A call is made.
    /// - Throws: When the submission was cancelled before.
    func enter(_ channel: ActorChannel, _ waiter: CallWaiter) throws {
        try state.withLock { state in
            guard !state.isCancelled else { throw CallerChannel.cancelledError(actor: channel.actor) }
            state.calls.append((channel, waiter))
        }
    }

    /// The call has ended.
    func leave(_ waiter: CallWaiter) { state.withLock { $0.calls.removeAll { $0.waiter === waiter } } }

    /// Cancels the calls that are open, and makes no more.
    /// - Parameter ended: Called when there are none, and the submission ends here; before its task hears of it, whose
    ///   own end does not count then.
    func cancel(_ cancellation: CallFrame.Cancellation, ended: () -> Void) {
        let (calls, task) = state.withLock { state in
            state.isCancelled = true
            return (state.calls, state.calls.isEmpty ? state.task : nil)
        }
        if calls.isEmpty {
            ended()
            releasePlace()
        }
        task?.cancel()
        for call in calls { call.channel.cancel(call.waiter, cancellation) }
    }
}
