internal import CBOR
internal import DurableCore
internal import DurableTransport
internal import Synchronization

/// A process's connection to the supervisor, kept up over the supervisor's deaths: requests wait for the next one.
final class SupervisorLink: Sendable {
    /// How a lost connection is replaced.
    struct Reconnection: Sendable {
        /// Called on the loop when the connection is lost; calls `SupervisorLink.connect` or `stop` in time.
        var lost: @Sendable (SupervisorLink) -> Void
        /// Called on the loop when a connection is open.
        var opened: @Sendable (Connection) -> Void
        /// Called on the loop with a frame that is no response.
        var received: @Sendable (Connection, Frame, [OwnedDescriptor]) -> Void
    }

    private struct State {
        var connection: Connection?
        var isOpen = false
        var nextNumber: UInt64 = 1
        var pending: [UInt64: (frame: Frame, waiter: CheckedContinuation<SupervisorResponse, any Error>)] = [:]
        var stopped: ActorError?
    }

    let loop: EventLoop
    private let reconnection: Reconnection
    private let state = Mutex(State())

    init(loop: EventLoop, reconnection: Reconnection) {
        self.loop = loop
        self.reconnection = reconnection
    }

    /// Asks the supervisor, over its deaths if need be.
    func request(_ request: SupervisorRequest) async throws(ActorError) -> SupervisorResponse {
        let payload: [UInt8]
        do {
            payload = try CBOREncoder().encode(request)
        } catch {
            throw ActorError(.serialization, "a request to the supervisor cannot be encoded", cause: "\(error)")
        }
        guard payload.count < Limits.frameBytesMax - 64 else {
            let message = "the request has \(payload.count) bytes; at most \(Limits.frameBytesMax) are allowed"
            throw ActorError(.limitExceeded, message)
        }
        do {
            return try await withCheckedThrowingContinuation { waiter in enqueue(payload, waiter) }
        } catch {
            throw error as? ActorError ?? ActorError(.internalError, "a request failed", cause: "\(error)")
        }
    }

    /// Uses a connection from now on.
    func connect(_ make: (ConnectionHandler) -> Connection) {
        let handler = ConnectionHandler(
            opened: { [self] in opened($0) },
            received: { [self] in received($0, $1, $2) },
            closed: { [self] connection, _ in closed(connection) }
        )
        // Callbacks come from the loop: none can arrive before the connection is known here.
        state.withLock { state in
            if state.stopped == nil { state.connection = make(handler) }
        }
    }

    /// Tells the supervisor something that is not answered. False when there is no supervisor right now.
    func send(_ frame: Frame, descriptors: [Int32] = []) -> Bool {
        let connection = state.withLock { $0.isOpen ? $0.connection : nil }
        return connection?.send(frame, descriptors: descriptors) ?? false
    }

    /// The supervisor's process, while there is a connection to it.
    var peerProcessID: Int32? { state.withLock { $0.isOpen ? $0.connection?.peer.pid : nil } }

    /// Fails what is open and everything that comes.
    func stop(_ error: ActorError) {
        let (connection, waiters) = state.withLock { state in
            state.stopped = error
            defer {
                state.pending = [:]
                state.connection = nil
                state.isOpen = false
            }
            return (state.connection, state.pending.values.map(\.waiter))
        }
        connection?.closeAfterFlush()
        for waiter in waiters { waiter.resume(throwing: error) }
    }

    private func enqueue(_ payload: [UInt8], _ waiter: CheckedContinuation<SupervisorResponse, any Error>) {
        let refusal: ActorError? = state.withLock { state in
            if let error = state.stopped { return error }
            let number = state.nextNumber
            state.nextNumber += 1
            var writer = ByteWriter(reserving: payload.count + 8)
            writer.write(number)
            writer.write(raw: payload)
            let frame = Frame(kind: FrameKind.request, payload: writer.bytes)
            state.pending[number] = (frame, waiter)
            // What is not sent now is sent when the next connection opens.
            if state.isOpen { _ = state.connection?.send(frame) }
            return nil
        }
        if let refusal { waiter.resume(throwing: refusal) }
    }

    private func opened(_ connection: Connection) {
        state.withLock { state in
            guard state.connection === connection else { return }
            state.isOpen = true
            for (_, entry) in state.pending.sorted(by: { $0.key < $1.key }) { _ = connection.send(entry.frame) }
        }
        reconnection.opened(connection)
    }

    private func received(_ connection: Connection, _ frame: Frame, _ descriptors: [OwnedDescriptor]) {
        guard frame.kind == FrameKind.response else {
            reconnection.received(connection, frame, descriptors)
            return
        }
        var reader = ByteReader(frame.payload)
        guard let number = try? reader.read(UInt64.self),
            let response = try? CBORDecoder().decode(SupervisorResponse.self, from: Array(reader.readRest()))
        else {
            connection.fail(TransportError(.protocolViolation, "a response of the supervisor cannot be read"))
            return
        }
        let waiter = state.withLock { state in
            if case .left = response {
                // Who has left does not come back: the supervisor may end before the waiter gets to call `stop`.
                state.stopped = state.stopped ?? ActorError(.runtimeStopped, "the runtime has been shut down")
            }
            return state.pending.removeValue(forKey: number)?.waiter
        }
        waiter?.resume(returning: response)
    }

    private func closed(_ connection: Connection) {
        let isOurs = state.withLock { state in
            guard state.connection === connection, state.stopped == nil else { return false }
            state.connection = nil
            state.isOpen = false
            return true
        }
        if isOurs { reconnection.lost(self) }
    }
}
