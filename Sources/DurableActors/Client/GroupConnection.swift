internal import DurableCore
internal import DurableTransport
internal import Synchronization

/// This process's one connection to the worker of a group, for the channels to all actors of the group.
final class GroupConnection: Sendable {
    private struct State {
        var connection: Connection?
        var isOpen = false
        var channels: [ActorID: ActorChannel] = [:]
    }

    private let path: String
    private let loop: EventLoop
    private let limits: FrameLimits
    private let state = Mutex(State())

    init(path: String, loop: EventLoop, limits: FrameLimits) {
        self.limits = limits
        self.path = path
        self.loop = loop
    }

    /// The connection, made when there is none. The channel is told when it is open and when it ends.
    func join(_ channel: ActorChannel) -> Connection {
        let (connection, isOpen) = state.withLock { state in
            state.channels[channel.actor] = channel
            if let connection = state.connection { return (connection, state.isOpen) }
            let connection = Connection.connect(
                path: path,
                on: loop,
                hello: Hello(role: ConnectionRole.caller.rawValue, info: []),
                limits: limits,
                handler: ConnectionHandler(
                    opened: { [self] in opened($0) },
                    received: { [self] connection, frame, _ in received(frame, on: connection) },
                    closed: { [self] connection, _ in closed(connection) }
                )
            )
            state.connection = connection
            return (connection, false)
        }
        // Not at once: the channel holds its lock.
        if isOpen { loop.execute { channel.opened(connection) } }
        return connection
    }

    /// The channel does not want this connection any more; the last one closes it.
    /// - Parameter isFlushed: Whether what was sent is to arrive.
    func leave(_ channel: ActorChannel, _ connection: Connection, isFlushed: Bool) {
        let isUnused = state.withLock { state in
            guard state.connection === connection else { return false }
            state.channels[channel.actor] = nil
            guard state.channels.isEmpty else { return false }
            state.connection = nil
            state.isOpen = false
            return true
        }
        guard isUnused else { return }
        if isFlushed { connection.closeAfterFlush() } else { connection.close() }
    }

    private func opened(_ connection: Connection) {
        let channels = state.withLock { state -> [ActorChannel] in
            guard state.connection === connection else { return [] }
            state.isOpen = true
            return Array(state.channels.values)
        }
        for channel in channels { channel.opened(connection) }
    }

    private func received(_ frame: Frame, on connection: Connection) {
        guard frame.kind == FrameKind.reply,
            let reply = try? ReplyFrame(decoding: frame.payload, detached: frame.detached)
        else {
            connection.fail(TransportError(.protocolViolation, "a reply cannot be read"))
            return
        }
        let channel = state.withLock { $0.connection === connection ? $0.channels[reply.actor] : nil }
        channel?.received([reply], on: connection)
    }

    private func closed(_ connection: Connection) {
        let channels = state.withLock { state -> [ActorChannel] in
            guard state.connection === connection else { return [] }
            defer { state = State() }
            return Array(state.channels.values)
        }
        for channel in channels { channel.closed(connection) }
    }
}
