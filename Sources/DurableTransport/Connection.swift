internal import CDurable
internal import Glibc
internal import Synchronization

/// Both directions of one connected socket, on one loop; its handler's closures run on the loop's thread.
///
/// Everyone knows it by `id`. Its descriptor is private, closed on the loop under the lock that writers hold, so no
/// late write or event can reach another connection that got the same descriptor number.
package final class Connection: EventSource {
    /// How it came to be.
    enum Origin { case connecting, adopted, accepted }

    enum Phase {
        /// Not connected or not greeted; frames are held. Next: `open`, `ending`, `ended`.
        case waiting
        /// Next: `ending`, `ended`.
        case open
        /// Told to close; the loop has not done it yet. Next: `ended`.
        case ending
        case ended
    }

    /// What every thread may touch under the lock.
    struct Shared {
        var phase = Phase.waiting
        /// Greater than or equal to 0 exactly while the socket is open and registered.
        var descriptor: Int32 = -1
        var interest: UInt32 = 0
        /// A caller reads on its own thread; see `Connection+Direct.swift`.
        var isLent = false
        /// Whether the socket is set up for that.
        var canBlock = false
        /// Whether the socket's buffer is one for large parts.
        var isWide = false
        var hello = OutgoingBuffer()
        var buffer = OutgoingBuffer()
        var isQueuedForFlush = false
        /// The loop writes what it has taken out of `buffer`, and looks at `buffer` again after that.
        var isWriting = false
        var closesWhenFlushed = false
        var writeError: Int32 = 0
        var peer = PeerCredentials.unknown
        var peerHello: Hello?
    }

    /// What only the loop's thread touches; what belongs to reading only under the lock `reading`: `handler`, `reader`,
    /// `carried`, `parts`, `readable` and `isGreeted`.
    struct Confined {
        var handler: ConnectionHandler?
        /// The descriptor, for reading; -1 when it is not open.
        var readable: Int32 = -1
        /// Whether the peer's Hello has arrived.
        var isGreeted = false
        /// Asked for a handler after the peer's Hello, and let go of then.
        var acceptor: Acceptor?
        var reader: FrameReader
        /// Descriptors that came with the frame that is not complete yet.
        var carried: [OwnedDescriptor] = []
        /// Parts of the next frame.
        var parts: [FramePart] = []
        /// The next attempt to connect, or the end of the time that a caller has for its Hello.
        var timer: LoopTimer?
        var flushTimer: LoopTimer?
        /// What the loop has taken to write.
        var writing = OutgoingBuffer()
        var connectAttempts = 0
        /// What a caller reads into.
        var directBuffer: UnsafeMutableRawBufferPointer?
    }

    /// A number that no other connection of this process has had.
    package let id: UInt64
    /// The bounds of this connection.
    package let limits: FrameLimits
    let loop: EventLoop
    let origin: Origin
    let ownHello: Hello
    let shared = Mutex(Shared())
    /// Held by whoever reads and delivers: the loop, or a caller that waits for its answer. Taken before any other lock.
    let reading = Mutex<Void>(())
    /// The thread of such a caller.
    let directReader = Atomic<UInt>(0)
    /// Set by whatever ends the delivery of frames, before the connection itself ends.
    let isDeaf = Atomic(false)
    // SAFETY: set up before the loop knows the connection; after that only the loop's thread touches it, and what a
    // caller's thread touches as well, both touch under the lock `reading`.
    nonisolated(unsafe) var confined: Confined

    private init(origin: Origin, loop: EventLoop, hello: Hello, limits: FrameLimits, handler: ConnectionHandler?) {
        id = EventLoop.nextId()
        self.limits = limits
        self.loop = loop
        self.origin = origin
        ownHello = hello
        confined = Confined(handler: handler, reader: FrameReader(frameBytesMax: limits.handshakeBytesMax))
    }

    deinit {
        confined.directBuffer?.deallocate()
        shared.withLock { $0.release(epoll: loop.epoll) }
    }

    /// Begins to connect to the socket at `path`; never blocks, and failure arrives at `handler.closed`.
    ///
    /// While the listener's backlog is full it tries again until it is closed. The server's Hello may take arbitrarily
    /// long: the connection waits in the backlog while a worker restarts. Frames sent before `opened` are held until
    /// the server's Hello has arrived: if the connection closes before it opened, the server saw none of them.
    package static func connect(
        path: String,
        on loop: EventLoop,
        hello: Hello,
        limits: FrameLimits = FrameLimits(),
        handler: ConnectionHandler
    ) -> Connection {
        let connection = Connection(origin: .connecting, loop: loop, hello: hello, limits: limits, handler: handler)
        connection.begin { connection.tryConnecting(to: path) }
        return connection
    }

    /// Takes over one end of a connected pair; both ends greet, and neither has to hurry.
    package static func adopt(
        fd: Int32,
        on loop: EventLoop,
        hello: Hello,
        limits: FrameLimits = FrameLimits(),
        handler: ConnectionHandler
    ) -> Connection {
        let connection = Connection(origin: .adopted, loop: loop, hello: hello, limits: limits, handler: handler)
        let socket = OwnedDescriptor(fd)
        connection.begin { connection.takeOver(socket) }
        return connection
    }

    /// Makes the server's side of a connection; on the loop only.
    static func accepted(_ socket: OwnedDescriptor, by acceptor: Acceptor, hello: Hello, limits: FrameLimits) {
        let connection = Connection(
            origin: .accepted,
            loop: acceptor.loop,
            hello: hello,
            limits: limits,
            handler: nil
        )
        connection.confined.acceptor = acceptor
        connection.takeOver(socket)
    }

    /// Who is at the other end; before it is connected, nobody (`uid` is the largest number).
    package var peer: PeerCredentials { shared.withLock { $0.peer } }

    /// What the other end said about itself; nil until its Hello has arrived.
    package var peerHello: Hello? { shared.withLock { $0.peerHello } }

    /// Ends the connection and drops what was not written; `handler.closed` follows without an error.
    package func close() {
        end(with: nil)
    }

    /// Ends the connection because of what its user found wrong; `handler.closed` gets the error.
    package func fail(_ error: TransportError) {
        end(with: error)
    }

    /// Takes no more frames in either direction, writes what is buffered, then closes.
    ///
    /// A peer that does not read within `flushTimeout` loses the rest.
    package func closeAfterFlush() {
        let isOpen = shared.withLock { shared in
            shared.closesWhenFlushed = true
            return shared.phase == .open
        }
        if isOpen, isReader { isDeaf.store(true, ordering: .relaxed) }
        loop.execute { self.beginDraining() }
    }

    private func begin(_ work: @escaping @Sendable () -> Void) {
        loop.add(self, id: id)
        // A loop that has ended runs nothing, but the handler still hears of the end.
        if !loop.submit(.closure(work)) { loopEnded() }
    }

    private func end(with error: TransportError?) {
        let isFirst = shared.withLock { shared in
            guard shared.phase != .ending, shared.phase != .ended else { return false }
            shared.phase = .ending
            return true
        }
        guard isFirst else { return }
        if isReader { isDeaf.store(true, ordering: .relaxed) }
        // Later, so that no handler's closure is called inside another one.
        loop.execute { self.finish(error) }
    }
}

/// What the user of a connection does with it; all closures run on the loop's thread.
package struct ConnectionHandler: Sendable {
    /// Both sides have greeted.
    package var opened: @Sendable (Connection) -> Void
    /// A frame arrived, with the descriptors that travelled with it.
    package var received: @Sendable (Connection, Frame, [OwnedDescriptor]) -> Void
    /// The frames of one read have been given to `received`.
    package var drained: (@Sendable (Connection) -> Void)?
    /// The connection is over: called exactly once and last. No error means a clean end of the stream or an own close.
    package var closed: @Sendable (Connection, TransportError?) -> Void

    /// Makes a handler from its closures.
    package init(
        opened: @escaping @Sendable (Connection) -> Void = { _ in },
        received: @escaping @Sendable (Connection, Frame, [OwnedDescriptor]) -> Void,
        drained: (@Sendable (Connection) -> Void)? = nil,
        closed: @escaping @Sendable (Connection, TransportError?) -> Void = { _, _ in }
    ) {
        self.opened = opened
        self.received = received
        self.drained = drained
        self.closed = closed
    }
}

extension Connection.Shared {
    /// Drops what waits and closes the socket; both under the lock, so that no writer can hold the old number.
    mutating func release(epoll: Int32) {
        phase = .ended
        hello.removeAll()
        buffer.removeAll()
        guard descriptor >= 0 else { return }
        _ = durable_io_epoll_remove(epoll, descriptor)
        _ = Glibc.close(descriptor)
        descriptor = -1
    }
}
