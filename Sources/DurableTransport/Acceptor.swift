internal import CDurable
internal import Glibc
internal import Synchronization

/// A listener at work on a loop; it exists from `accept` to `stopAccepting`.
final class Acceptor: EventSource {
    private static let acceptsPerEventMax = 64
    private static let pauseMax = Duration.seconds(1)

    let id = EventLoop.nextId()
    let loop: EventLoop
    let refused: @Sendable (TransportError, PeerCredentials) -> Void
    let onConnection: @Sendable (Connection) -> ConnectionHandler?
    private let listener: Listener
    private let hello: @Sendable () -> Hello
    private let limits: FrameLimits
    private let allowedUid: UInt32
    // SAFETY: only the loop's thread touches it.
    private nonisolated(unsafe) var pause = Duration.milliseconds(10)

    init(
        listener: Listener,
        loop: EventLoop,
        hello: @escaping @Sendable () -> Hello,
        limits: FrameLimits,
        allowedUid: UInt32,
        refused: @escaping @Sendable (TransportError, PeerCredentials) -> Void,
        onConnection: @escaping @Sendable (Connection) -> ConnectionHandler?
    ) {
        self.listener = listener
        self.loop = loop
        self.hello = hello
        self.limits = limits
        self.allowedUid = allowedUid
        self.refused = refused
        self.onConnection = onConnection
    }

    func ready(_ events: UInt32) {
        for _ in 0..<Acceptor.acceptsPerEventMax {
            let fd = listener.acceptOne(for: self)
            guard fd < 0 else {
                pause = .milliseconds(10)
                admit(OwnedDescriptor(fd))
                continue
            }
            switch -fd {
            case EINTR, ECONNABORTED, EPROTO: continue
            case EAGAIN, EBADF: return
            default: return backOff(TransportError(errno: -fd, "cannot accept a caller"))
            }
        }
    }

    func loopEnded() {
        listener.stopAccepting()
    }

    private func admit(_ socket: OwnedDescriptor) {
        do throws(TransportError) {
            let peer = try PeerCredentials.of(socket.value)
            guard peer.uid == allowedUid else {
                let message = "process \(peer.pid) of user \(peer.uid) is not of user \(allowedUid)"
                return refused(TransportError(.wrongPeer, message), peer)
            }
        } catch {
            return refused(error, .unknown)
        }
        Connection.accepted(socket, by: self, hello: hello(), limits: limits)
    }

    /// Out of descriptors or memory: the caller stays in the backlog, and asking again at once would spin.
    private func backOff(_ error: TransportError) {
        listener.setInterest(false, of: self)
        loop.schedule(after: pause) { [self] in listener.setInterest(true, of: self) }
        pause = min(pause * 2, Acceptor.pauseMax)
        refused(error, .unknown)
    }
}
