internal import DurableCore
internal import Synchronization

/// A place in an actor's order of calls, drawn when a call is submitted and carried to the call by its task.
final class SubmissionTicket: Sendable {
    /// The ticket of the submission that this task carries out.
    static var current: SubmissionTicket? { SubmissionCancellation.current?.ticket }

    private let channel: ActorChannel
    private let number: SubmissionOrder<ActorChannel.Submission>.Ticket
    private let isTaken = Atomic(false)

    init(channel: ActorChannel, number: SubmissionOrder<ActorChannel.Submission>.Ticket) {
        self.channel = channel
        self.number = number
    }

    /// The place, for the first call to this channel's actor; `nil` for any other.
    func take(for channel: ActorChannel) -> SubmissionOrder<ActorChannel.Submission>.Ticket? {
        guard channel === self.channel, !isTaken.exchange(true, ordering: .relaxed) else { return nil }
        return number
    }

    /// Gives the place back when no call has taken it, so that those behind it do not wait for ever.
    func release() {
        if !isTaken.exchange(true, ordering: .relaxed) { channel.release(number) }
    }
}
