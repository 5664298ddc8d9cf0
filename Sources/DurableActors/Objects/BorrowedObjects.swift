internal import DurableCore
internal import DurableTransport
internal import Synchronization

/// The values of other processes that this one has references to: fetched from their owners when the reference arrives,
/// released when the last copy of it here has gone.
final class BorrowedObjects: Sendable {
    private struct Owner: Sendable {
        var connection: Connection
        var objects: [UInt64: Weak] = [:]
    }

    private struct Weak: Sendable { weak var object: HeldObject? }

    private struct State {
        var owners: [ObjectOwner: Owner] = [:]
        var stopped: ActorError?
    }

    private let loop: EventLoop
    private let path: @Sendable (ObjectOwner) -> String
    private let state = Mutex(State())

    init(loop: EventLoop, path: @escaping @Sendable (ObjectOwner) -> String) {
        self.loop = loop
        self.path = path
    }

    /// How many processes are asked for values, for tests.
    var ownerCount: Int { state.withLock { $0.owners.count } }

    /// The value of an id: the same for all copies of a reference.
    func object(_ id: ObjectID) -> HeldObject {
        let (object, stopped) = state.withLock { state -> (HeldObject, ActorError?) in
            if let known = state.owners[id.owner]?.objects[id.number]?.object { return (known, nil) }
            let object = HeldObject(
                ObjectName(owner: id.owner, number: id.number),
                cancellation: { [weak self] kind in
                    self?.send(.cancel(id.number, recursive: kind == .recursive), to: id.owner)
                },
                ended: { [weak self] in self?.ended(id) }
            )
            if let stopped = state.stopped { return (object, stopped) }
            let owner = state.owners[id.owner] ?? Owner(connection: connect(to: id.owner))
            state.owners[id.owner] = owner
            state.owners[id.owner]?.objects[id.number] = Weak(object: object)
            // Under the lock, so that a release of this value cannot come before.
            _ = owner.connection.send(Frame(kind: FrameKind.object, payload: ObjectRequest.fetch(id.number).encoded()))
            return (object, nil)
        }
        if let stopped { object.contents.settle(.success(.outcome(.failed(stopped)))) }
        return object
    }

    /// Has its owner keep a value for good. It is told before it can hear of this process's end.
    func keep(_ id: ObjectID) { send(.keep(id.number), to: id.owner) }

    /// Fails everything that has not arrived.
    func stop(_ error: ActorError) {
        let owners = state.withLock { state in
            defer { state = State(stopped: error) }
            return state.owners
        }
        for owner in owners.values {
            owner.connection.close()
            Self.fail(owner, error)
        }
    }

    private func connect(to owner: ObjectOwner) -> Connection {
        Connection.connect(
            path: path(owner),
            on: loop,
            hello: Hello(role: ConnectionRole.borrower.rawValue),
            handler: ConnectionHandler(
                received: { [weak self] connection, frame, descriptors in
                    self?.received(frame, descriptors, owner, connection)
                },
                closed: { [weak self] connection, _ in self?.closed(connection, owner) }
            )
        )
    }

    private func send(_ request: ObjectRequest, to owner: ObjectOwner) {
        let connection = state.withLock { $0.owners[owner]?.connection }
        _ = connection?.send(Frame(kind: FrameKind.object, payload: request.encoded()))
    }

    /// The last copy of a reference has gone.
    private func ended(_ id: ObjectID) {
        let unused = state.withLock { state -> Connection? in
            guard let owner = state.owners[id.owner] else { return nil }
            let payload = ObjectRequest.release(id.number).encoded()
            _ = owner.connection.send(Frame(kind: FrameKind.object, payload: payload))
            // The reference may have come again meanwhile.
            guard let entry = owner.objects[id.number], entry.object == nil else { return nil }
            state.owners[id.owner]?.objects[id.number] = nil
            guard owner.objects.count == 1 else { return nil }
            state.owners[id.owner] = nil
            return owner.connection
        }
        unused?.closeAfterFlush()
    }

    private func received(
        _ frame: Frame,
        _ descriptors: [OwnedDescriptor],
        _ owner: ObjectOwner,
        _ connection: Connection
    ) {
        do throws(TransportError) {
            guard frame.kind == FrameKind.contents, let answer = try? ObjectAnswer(decoding: frame.payload) else {
                throw TransportError(.protocolViolation, "a value cannot be read")
            }
            let contents: ObjectContents
            if let outcome = answer.outcome {
                contents = .outcome(outcome)
            } else if descriptors.count == 1 {
                contents = .segment(try SharedSegment(adopting: descriptors[0], limit: Limits.valueBytesMax))
            } else {
                throw TransportError(.protocolViolation, "a large value came without its memory")
            }
            let object = state.withLock { $0.owners[owner]?.objects[answer.number]?.object }
            object?.contents.settle(.success(contents))
        } catch {
            connection.fail(error)
        }
    }

    private func closed(_ connection: Connection, _ id: ObjectOwner) {
        let owner = state.withLock { state -> Owner? in
            guard state.owners[id]?.connection === connection else { return nil }
            return state.owners.removeValue(forKey: id)
        }
        guard let owner else { return }
        let message = "\(id), which owned the reference's value, has ended or left before it was fetched"
        Self.fail(owner, ActorError(.ownerDied, message))
    }

    private static func fail(_ owner: Owner, _ error: ActorError) {
        // What has arrived stays.
        for entry in owner.objects.values { entry.object?.contents.settle(.success(.outcome(.failed(error)))) }
    }
}
