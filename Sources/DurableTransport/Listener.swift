internal import CDurable
internal import Glibc
internal import Synchronization

/// A listening Unix socket; the file at its path stays when it is closed.
package final class Listener: Sendable {
    fileprivate struct State {
        var descriptor: Int32
        var acceptor: Acceptor?
    }

    private let state: Mutex<State>

    /// Takes over a listening descriptor that another process or listener made.
    package init(adopting fd: Int32) {
        _ = durable_io_adopt(fd)
        state = Mutex(State(descriptor: fd))
    }

    deinit {
        close()
    }

    /// Binds a socket file that only its owner can use, and listens.
    ///
    /// - Parameters:
    ///   - path: At most 107 bytes.
    ///   - backlog: Callers that may wait for `accept`; the kernel's `somaxconn` caps it.
    ///   - replacing: Whether to remove a socket file that nobody listens on first. A file that somebody listens on,
    ///     or that is no socket, is never removed.
    /// - Throws: `addressTooLong`, `addressInUse`, `notFound`, `permissionDenied` or `system`.
    package static func bind(
        path: String,
        backlog: Int32 = 4096,
        mode: UInt32 = 0o600,
        replacing: Bool = false
    ) throws(TransportError) -> Listener {
        guard path.utf8.count <= Int(DURABLE_IO_PATH_BYTES_MAX) else {
            throw Socket.failure(ENAMETOOLONG, "cannot bind", path: path)
        }
        if replacing { try Socket.removeStale(at: path) }
        let socket = OwnedDescriptor(try checked(durable_io_socket(), "cannot create a socket"))
        let bound = Socket.bind(socket.value, path: path, mode: mode)
        guard bound >= 0 else { throw Socket.failure(-bound, "cannot bind", path: path) }
        let listening = durable_io_listen(socket.value, backlog)
        guard listening >= 0 else { throw Socket.failure(-listening, "cannot listen", path: path) }
        return Listener(adopting: socket.take())
    }

    /// The listening descriptor, to hand to another process; -1 when it is closed.
    package var descriptor: Int32 { state.withLock { $0.descriptor } }

    /// Begins to accept on a loop.
    ///
    /// - Parameters:
    ///   - hello: Asked for each new connection.
    ///   - allowedUid: The only user whose processes are let in; others are closed at once.
    ///   - onRefused: Called on the loop for peers that never became a connection, with why.
    ///   - onConnection: Called on the loop after the peer's valid Hello; nil closes the connection.
    /// - Throws: if the descriptor is closed or cannot be watched.
    package func accept(
        on loop: EventLoop,
        hello: @escaping @Sendable () -> Hello,
        limits: FrameLimits = FrameLimits(),
        allowedUid: UInt32 = geteuid(),
        onRefused: @escaping @Sendable (TransportError, PeerCredentials) -> Void = { _, _ in },
        onConnection: @escaping @Sendable (Connection) -> ConnectionHandler?
    ) throws(TransportError) {
        let acceptor = Acceptor(
            listener: self,
            loop: loop,
            hello: hello,
            limits: limits,
            allowedUid: allowedUid,
            refused: onRefused,
            onConnection: onConnection
        )
        loop.add(acceptor, id: acceptor.id)
        let result = state.withLock { state -> Int32 in
            precondition(state.acceptor == nil, "a listener accepts on one loop at a time")
            let result = durable_io_epoll_add(loop.epoll, state.descriptor, UInt32(DURABLE_IO_READABLE), acceptor.id)
            if result >= 0 { state.acceptor = acceptor }
            return result
        }
        guard result >= 0 else {
            loop.remove(id: acceptor.id)
            throw TransportError(errno: -result, "cannot watch a listening socket")
        }
    }

    /// Accepts no more; callers wait in the backlog for whoever accepts next. From any thread.
    package func stopAccepting() {
        let acceptor = state.withLock { state in
            defer { state.acceptor = nil }
            return state.takeFromEpoll()
        }
        if let acceptor { acceptor.loop.remove(id: acceptor.id) }
    }

    /// Accepts no more and closes the descriptor; the backlog lives on if another process holds the socket.
    package func close() {
        let acceptor = state.withLock { state in
            let acceptor = state.takeFromEpoll()
            state.acceptor = nil
            if state.descriptor >= 0 { _ = Glibc.close(state.descriptor) }
            state.descriptor = -1
            return acceptor
        }
        if let acceptor { acceptor.loop.remove(id: acceptor.id) }
    }

    /// Accepts one caller; a negative error number if there is none. `EBADF` says that `acceptor` is not in charge.
    func acceptOne(for acceptor: Acceptor) -> Int32 {
        state.withLock { state in
            state.acceptor === acceptor ? durable_io_accept(state.descriptor) : -EBADF
        }
    }

    /// Turns the reports about callers on or off.
    func setInterest(_ isOn: Bool, of acceptor: Acceptor) {
        state.withLock { state in
            guard state.acceptor === acceptor else { return }
            let events = isOn ? UInt32(DURABLE_IO_READABLE) : 0
            _ = durable_io_epoll_modify(acceptor.loop.epoll, state.descriptor, events, acceptor.id)
        }
    }
}

extension Listener.State {
    fileprivate func takeFromEpoll() -> Acceptor? {
        if let acceptor { _ = durable_io_epoll_remove(acceptor.loop.epoll, descriptor) }
        return acceptor
    }
}
