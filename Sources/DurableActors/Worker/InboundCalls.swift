internal import DurableCore
internal import DurableTransport

/// A call that arrived, and the connections that want its outcome: more than one when it was sent again.
// SAFETY: used on the worker's loop only.
final class InboundCall: @unchecked Sendable {
    let frame: CallFrame
    let fingerprint: UInt32
    var connections: [Connection]

    init(_ frame: CallFrame, from connection: Connection) {
        self.frame = frame
        fingerprint = frame.fingerprint
        connections = [connection]
    }

    /// Sends the outcome to everyone who wants it.
    func answer(_ reply: ReplyFrame) {
        let frame = Frame(kind: FrameKind.reply, payload: reply.encoded())
        for connection in connections { _ = connection.send(frame) }
    }
}
