internal import CBOR
package import DurableCore
package import DurableTransport
internal import Synchronization

/// A connection to a supervisor that runs, for tools that look: it starts no supervisor, it is no driver, and the
/// runtime ends as if it were not there.
///
/// It ends with that supervisor. To see the next one, connect again.
package final class SupervisorObserver: Sendable {
    private struct State {
        var connection: Connection?
        var opening: CheckedContinuation<Void, any Error>?
        var nextNumber: UInt64 = 1
        var pending: [UInt64: CheckedContinuation<[ActorSummary], any Error>] = [:]
        var end: ActorError?
    }

    private let directory: String
    private let state = Mutex(State())

    /// Connects to the supervisor of a directory.
    /// - Parameters:
    ///   - layout: The directory.
    ///   - loop: Serves the connection; it has to run for as long as the observer is used.
    /// - Throws: `supervisorUnreachable` if none runs there, or one that takes no observers.
    package static func connect(_ layout: RuntimeLayout, on loop: EventLoop) async throws(ActorError) -> Self {
        let observer = Self(directory: layout.directory)
        do {
            try await withCheckedThrowingContinuation { observer.open(layout.socket, on: loop, $0) }
        } catch {
            throw error as? ActorError
                ?? ActorError(.internalError, "the supervisor cannot be asked", cause: "\(error)")
        }
        return observer
    }

    private init(directory: String) { self.directory = directory }

    deinit { state.withLock { $0.connection }?.close() }

    /// The supervisor's process.
    package var processID: Int32? { state.withLock { $0.end == nil ? $0.connection?.peer.pid : nil } }

    /// The living actors, and what runs tasks, as the supervisor knows them at this moment.
    /// - Throws: `supervisorUnreachable` if it ends before it has answered.
    package func actors() async throws(ActorError) -> [ActorSummary] {
        do {
            let payload = try CBOREncoder().encode(SupervisorRequest.list)
            return try await withCheckedThrowingContinuation { ask(payload, $0) }
        } catch {
            throw error as? ActorError
                ?? ActorError(.internalError, "the supervisor cannot be asked", cause: "\(error)")
        }
    }

    /// Ends the connection.
    package func close() { state.withLock { $0.connection }?.close() }

    private func open(_ path: String, on loop: EventLoop, _ opening: CheckedContinuation<Void, any Error>) {
        let handler = ConnectionHandler(
            opened: { [weak self] _ in self?.state.withLock { $0.opening.take() }?.resume() },
            received: { [weak self] connection, frame, _ in self?.received(frame, on: connection) },
            closed: { [weak self] _, error in self?.closed(error) }
        )
        // Callbacks come from the loop, and take the lock: none is early.
        state.withLock { state in
            state.opening = opening
            state.connection = Connection.connect(
                path: path,
                on: loop,
                hello: Hello(role: ConnectionRole.observer.rawValue, info: []),
                handler: handler
            )
        }
    }

    private func ask(_ payload: [UInt8], _ waiter: CheckedContinuation<[ActorSummary], any Error>) {
        let refusal: ActorError? = state.withLock { state in
            if let end = state.end { return end }
            var writer = ByteWriter(reserving: payload.count + 8)
            writer.write(state.nextNumber)
            writer.write(raw: payload)
            state.pending[state.nextNumber] = waiter
            state.nextNumber += 1
            _ = state.connection?.send(Frame(kind: FrameKind.request, payload: writer.bytes))
            return nil
        }
        if let refusal { waiter.resume(throwing: refusal) }
    }

    private func received(_ frame: Frame, on connection: Connection) {
        var reader = ByteReader(frame.payload)
        guard frame.kind == FrameKind.response, let number = try? reader.read(UInt64.self),
            let response = try? CBORDecoder().decode(SupervisorResponse.self, from: Array(reader.readRest())),
            case .actors(let actors) = response
        else {
            connection.fail(TransportError(.protocolViolation, "an answer of the supervisor cannot be read"))
            return
        }
        state.withLock { $0.pending.removeValue(forKey: number) }?.resume(returning: actors)
    }

    private func closed(_ error: TransportError?) {
        let end = ActorError(
            .supervisorUnreachable,
            "no supervisor of \(directory) answers",
            cause: error?.message
        )
        let (opening, pending) = state.withLock { state in
            state.end = end
            defer { state.pending = [:] }
            return (state.opening.take(), Array(state.pending.values))
        }
        opening?.resume(throwing: end)
        for waiter in pending { waiter.resume(throwing: end) }
    }
}
