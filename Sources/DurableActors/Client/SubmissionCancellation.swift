internal import DurableCore
internal import Synchronization

/// What a submission's calls are cancelled by, carried to them by its task.
final class SubmissionCancellation: Sendable {
    @TaskLocal static var current: SubmissionCancellation?

    private struct State {
        var isCancelled = false
        var isEnded = false
        /// A call that is open; most submissions never have more than one at a time.
        var first: (channel: ActorChannel, call: OutgoingCall)?
        var others: [(channel: ActorChannel, call: OutgoingCall)] = []
        var task: Task<Void, Never>?
    }

    /// The actor that is called, and the place in the order of its calls that is held for the first one. A task has none.
    private let channel: ActorChannel?
    private let ticket: SubmissionOrder<OutgoingCall>.Ticket
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
    func takePlace(on channel: ActorChannel) -> SubmissionOrder<OutgoingCall>.Ticket? {
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
            return state.isCancelled && state.first == nil && state.others.isEmpty
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
    func enter(_ channel: ActorChannel, _ call: OutgoingCall) throws {
        try state.withLock { state in
            guard !state.isCancelled else { throw CallerChannel.cancelledError(actor: channel.actor) }
            if state.first == nil { state.first = (channel, call) } else { state.others.append((channel, call)) }
        }
    }

    /// The call has ended.
    func leave(_ call: OutgoingCall) {
        state.withLock { state in
            if state.first?.call === call { state.first = nil } else { state.others.removeAll { $0.call === call } }
        }
    }

    /// Cancels the calls that are open, and makes no more.
    /// - Parameter ended: Called when there are none, and the submission ends here; before its task hears of it, whose
    ///   own end does not count then.
    func cancel(_ cancellation: CallFrame.Cancellation, ended: () -> Void) {
        let (calls, task) = state.withLock { state in
            state.isCancelled = true
            let calls = (state.first.map { [$0] } ?? []) + state.others
            return (calls, calls.isEmpty ? state.task : nil)
        }
        if calls.isEmpty {
            ended()
            releasePlace()
        }
        task?.cancel()
        for (channel, call) in calls { channel.cancel(call, cancellation) }
    }
}
