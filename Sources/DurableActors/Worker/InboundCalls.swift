internal import DurableCore
internal import DurableTransport

/// A call that arrived, and who wants its outcome: more than one when it was sent again.
// SAFETY: used on the worker's loop only.
final class InboundCall: @unchecked Sendable {
    /// Somebody who wants the outcome: a connection, and the number that the call has there.
    struct Caller {
        let connection: Connection
        let sequence: UInt64
    }

    let frame: CallFrame
    /// Told only when somebody asks: it takes long for much.
    private(set) lazy var fingerprint: UInt32 = {
        do {
            return try frame.checkedFingerprint()
        } catch {
            // Its arguments cannot be read either, so that it fails.
            return frame.fingerprint
        }
    }()
    private(set) var callers: [Caller]
    /// Whether somebody who wants it has cancelled it.
    var isCancelled = false
    /// Its turn, while that runs.
    var running: (turn: Turn, task: Task<Void, Never>)?
    /// Its lane in the mailbox.
    var lane = 0
    /// Whether its turn runs, on the actor's present instance.
    var isRunning = false

    init(_ frame: CallFrame, from connection: Connection) {
        self.frame = frame
        callers = [Caller(connection: connection, sequence: frame.id.sequence)]
    }

    /// The same call has come again.
    func join(_ other: InboundCall) {
        for new in other.callers
        where !callers.contains(where: { $0.connection === new.connection && $0.sequence == new.sequence }) {
            callers.append(new)
        }
    }

    /// Sends the outcome to everyone who wants it.
    func answer(_ reply: ReplyFrame) {
        for caller in callers {
            var reply = reply
            reply.sequence = caller.sequence
            guard !caller.connection.send(reply) else { continue }
            // Who does not take its replies gets them when it asks again.
            caller.connection.fail(TransportError(.bufferFull, "a reply could not be sent"))
        }
    }
}
