internal import CDurable
internal import Glibc
internal import Synchronization

/// From no socket to the end; all of it on the loop.
extension Connection {
    private static let connectRetry: [Duration] = [
        .milliseconds(1), .milliseconds(2), .milliseconds(4), .milliseconds(8),
    ]

    func tryConnecting(to path: String) {
        guard isLive else { return }
        let fd = durable_io_socket()
        guard fd >= 0 else { return finish(TransportError(errno: -fd, "cannot create a socket")) }
        let result = Socket.connect(fd, path: path)
        guard result < 0 else { return takeOver(OwnedDescriptor(fd)) }
        _ = Glibc.close(fd)
        switch -result {
        case EAGAIN, EINTR:
            // The backlog is full: nothing tells when it is not, so ask again soon.
            let pause = Connection.connectRetry[min(confined.connectAttempts, Connection.connectRetry.count - 1)]
            confined.connectAttempts += 1
            confined.timer = loop.schedule(after: pause) { self.tryConnecting(to: path) }
        default:
            finish(Socket.failure(-result, "cannot connect", path: path))
        }
    }

    /// Checks who the peer is, greets it and listens to it.
    func takeOver(_ socket: OwnedDescriptor) {
        guard isLive else { return }
        do throws(TransportError) {
            if origin == .adopted {
                try checked(durable_io_adopt(socket.value), "cannot take over a socket")
            }
            let peer = try PeerCredentials.of(socket.value)
            try checkServer(peer)
            try register(socket, peer: peer)
        } catch {
            finish(error)
        }
    }

    /// Ends the connection; the only way there is.
    func finish(_ error: TransportError?) {
        interruptDirectReader()
        isDeaf.store(true, ordering: .relaxed)
        let (handler, acceptor) = reading.withLock { _ -> (ConnectionHandler?, Acceptor?) in
            // Nobody reads from the descriptor now, so it can be closed.
            shared.withLock { $0.release(epoll: loop.epoll) }
            confined.readable = -1
            defer {
                confined.handler = nil
                confined.acceptor = nil
                confined.carried = []
                confined.parts = []
            }
            return (confined.handler, confined.acceptor)
        }
        loop.remove(id: id)
        confined.timer?.cancel()
        confined.timer = nil
        confined.flushTimer?.cancel()
        confined.flushTimer = nil
        if let handler {
            handler.closed(self, error)
        } else if let acceptor {
            acceptor.refused(error ?? TransportError(.closed, "the peer left before its Hello"), peer)
        }
    }

    func loopEnded() {
        finish(TransportError(.closed, "the event loop \(loop.name) has ended"))
    }

    /// Called once the peer's Hello is valid.
    func greeted(by hello: Hello) {
        confined.timer?.cancel()
        confined.timer = nil
        confined.reader.frameBytesMax = limits.frameBytesMax
        confined.reader.partBytesMax = limits.segmentBytesMax + 1
        confined.isGreeted = true
        shared.withLock { $0.peerHello = hello }
        if let acceptor = confined.acceptor {
            confined.acceptor = nil
            guard let handler = acceptor.onConnection(self) else { return close() }
            confined.handler = handler
        }
        let (isOpen, hasFrames, isDraining) = shared.withLock { shared in
            guard shared.phase == .waiting else { return (false, false, false) }
            shared.phase = .open
            return (true, !shared.buffer.isEmpty, shared.closesWhenFlushed)
        }
        guard isOpen else { return }
        if hasFrames || isDraining { queueFlush() }
        confined.handler?.opened(self)
        if isDraining { isDeaf.store(true, ordering: .relaxed) }
    }

    func beginDraining() {
        guard isLive, confined.flushTimer == nil else { return }
        if shared.withLock({ $0.phase == .open }) { isDeaf.store(true, ordering: .relaxed) }
        confined.flushTimer = loop.schedule(after: limits.flushTimeout) {
            self.finish(TransportError(.closed, "the peer did not read what was left to write"))
        }
        shared.withLock { $0.updateInterest(epoll: loop.epoll, key: id) }
        queueFlush()
    }

    private var isLive: Bool {
        shared.withLock { $0.phase == .waiting || $0.phase == .open }
    }

    private func checkServer(_ peer: PeerCredentials) throws(TransportError) {
        if origin == .accepted { return }
        guard peer.uid == geteuid() || peer.uid == 0 else {
            throw TransportError(
                .wrongPeer,
                "the server runs as user \(peer.uid), this process as user \(geteuid())"
            )
        }
    }

    private func register(_ socket: OwnedDescriptor, peer: PeerCredentials) throws(TransportError) {
        if origin == .accepted {
            confined.timer = loop.schedule(after: limits.handshakeTimeout) { self.handshakeTimedOut() }
        }
        loop.add(self, id: id)
        // Before anybody is told that there is something to read.
        confined.readable = socket.value
        let result = shared.withLock { shared in
            shared.peer = peer
            let result = durable_io_epoll_add(loop.epoll, socket.value, UInt32(DURABLE_IO_READABLE), id)
            guard result >= 0 else {
                confined.readable = -1
                return result
            }
            shared.interest = UInt32(DURABLE_IO_READABLE)
            shared.descriptor = socket.take()
            shared.hello.append(Handshake.frame(ownHello))
            return -shared.flush(epoll: loop.epoll, key: id)
        }
        guard result != -EPIPE, result != -ECONNRESET else { return writeFailed(-result) }
        try checked(result, "cannot begin a connection")
    }

    private func handshakeTimedOut() {
        finish(TransportError(.protocolViolation, "the peer did not say Hello within \(limits.handshakeTimeout)"))
    }
}
