internal import DurableCore
internal import DurableProcess
internal import DurableTransport
internal import Synchronization

/// The values of other processes that this one has references to: fetched from their owners when the reference arrives,
/// released when the last copy of it here has gone.
///
/// A connection that breaks while the owner lives is made again, and everything fetched again on it.
final class BorrowedObjects: Sendable {
    /// A value that is there, or was until a moment ago.
    private struct Entry: Sendable {
        weak var object: HeldObject?
        var fetch: Fetch
    }

    /// On which connection a value was fetched last; used under the lock.
    private final class Fetch: Sendable {
        let connection: Atomic<UInt64>

        init(_ connection: UInt64) { self.connection = Atomic(connection) }
    }

    private struct Owner: Sendable {
        var connection: Connection
        var objects: [UInt64: Entry] = [:]
        /// How often the connection broke since something came over one.
        var breaks = 0
    }

    private struct State {
        var owners: [ObjectOwner: Owner] = [:]
        /// What was sent away lately: the next process must have asked for it before the owner hears that it is not
        /// needed here.
        var lingering: [ObjectName: (object: HeldObject, leaseEnd: ContinuousClock.Instant)] = [:]
        var stopped: ActorError?
    }

    private let loop: EventLoop
    private let lease: Duration
    private let path: @Sendable (ObjectOwner) -> String
    private let state = Mutex(State())

    init(loop: EventLoop, lease: Duration, path: @escaping @Sendable (ObjectOwner) -> String) {
        self.loop = loop
        self.lease = lease
        self.path = path
    }

    /// How many processes are asked for values.
    var ownerCount: Int { state.withLock { $0.owners.count } }

    /// The value of an id: the same for all copies of a reference.
    func object(_ id: ObjectID) -> HeldObject {
        let (object, stopped) = state.withLock { state -> (HeldObject, ActorError?) in
            if let known = state.owners[id.owner]?.objects[id.number]?.object { return (known, nil) }
            let fetch = Fetch(0)
            let object = HeldObject(
                ObjectName(owner: id.owner, number: id.number),
                cancellation: { [weak self] kind in
                    self?.send(.cancel(id.number, recursive: kind == .recursive), to: id.owner)
                },
                ended: { [weak self] in self?.ended(id, fetch) }
            )
            if let stopped = state.stopped { return (object, stopped) }
            var owner = state.owners[id.owner] ?? Owner(connection: connect(to: id.owner))
            owner.objects[id.number] = Entry(object: object, fetch: fetch)
            // Under the lock, so that a release of this value cannot come before.
            Self.fetch(id.number, fetch, owner.connection)
            state.owners[id.owner] = owner
            return (object, nil)
        }
        if let stopped { object.contents.settle(.success(.outcome(.failed(stopped)))) }
        return object
    }

    /// Has its owner keep a value for good. It is told before it can hear of this process's end.
    func keep(_ id: ObjectID) { send(.keep(id.number), to: id.owner) }

    /// Keeps a value for a while: a reference to it is about to be sent away.
    func linger(_ object: HeldObject) {
        let isNew = state.withLock { state in
            defer { state.lingering[object.name] = (object, .now + lease) }
            return state.lingering[object.name] == nil
        }
        if isNew { releaseLater(object.name) }
    }

    /// Fails everything that has not arrived.
    func stop(_ error: ActorError) {
        let (owners, lingering) = state.withLock { state in
            defer { state = State(stopped: error) }
            return (state.owners, state.lingering)
        }
        for owner in owners.values {
            owner.connection.close()
            Self.fail(owner, error)
        }
        withExtendedLifetime(lingering) {}
    }

    private static func fetch(_ number: UInt64, _ fetch: Fetch, _ connection: Connection) {
        fetch.connection.store(connection.id, ordering: .relaxed)
        _ = connection.send(Frame(kind: FrameKind.object, payload: ObjectRequest.fetch(number).encoded()))
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
                closed: { [weak self] connection, error in self?.closed(connection, owner, error) }
            )
        )
    }

    private func send(_ request: ObjectRequest, to owner: ObjectOwner) {
        let connection = state.withLock { $0.owners[owner]?.connection }
        _ = connection?.send(Frame(kind: FrameKind.object, payload: request.encoded()))
    }

    /// The last copy of a reference has gone.
    private func ended(_ id: ObjectID, _ fetch: Fetch) {
        let (unused, other) = state.withLock { state -> (Connection?, HeldObject?) in
            guard let owner = state.owners[id.owner] else { return (nil, nil) }
            // What was fetched on a connection that has ended was released by that.
            if fetch.connection.load(ordering: .relaxed) == owner.connection.id {
                let payload = ObjectRequest.release(id.number).encoded()
                _ = owner.connection.send(Frame(kind: FrameKind.object, payload: payload))
            }
            guard let entry = owner.objects[id.number], entry.fetch === fetch else {
                // The reference has come again meanwhile.
                return (nil, owner.objects[id.number]?.object)
            }
            state.owners[id.owner]?.objects[id.number] = nil
            guard owner.objects.count == 1 else { return (nil, nil) }
            state.owners[id.owner] = nil
            return (owner.connection, nil)
        }
        withExtendedLifetime(other) {}
        unused?.closeAfterFlush()
    }

    private func received(
        _ frame: Frame,
        _ descriptors: [OwnedDescriptor],
        _ owner: ObjectOwner,
        _ connection: Connection
    ) {
        do throws(TransportError) {
            guard frame.kind == FrameKind.contents,
                let answer = try? ObjectAnswer(decoding: frame.payload, detached: frame.detached)
            else {
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
            let object = state.withLock { state in
                state.owners[owner]?.breaks = 0
                return state.owners[owner]?.objects[answer.number]?.object
            }
            object?.contents.settle(.success(contents))
        } catch {
            connection.fail(error)
        }
    }

    private func closed(_ connection: Connection, _ id: ObjectOwner, _ error: TransportError?) {
        let isGone = error?.code == .refused || error?.code == .notFound || Self.hasEnded(id)
        let (lost, breaks) = state.withLock { state -> (Owner?, Int) in
            guard state.owners[id]?.connection === connection else { return (nil, 0) }
            if isGone { return (state.owners.removeValue(forKey: id), 0) }
            state.owners[id]?.breaks += 1
            return (nil, state.owners[id]?.breaks ?? 0)
        }
        if breaks > 0 {
            let pause = Duration.milliseconds(5 << min(breaks, 8))
            loop.schedule(after: pause) { [weak self] in self?.reconnect(to: id, after: connection) }
        }
        guard let lost else { return }
        let message = "\(id), which owned the reference's value, has ended or left before it was fetched"
        Self.fail(lost, ActorError(.ownerDied, message))
    }

    /// Fetches everything again that is still referred to.
    private func reconnect(to id: ObjectOwner, after broken: Connection) {
        let living = state.withLock { state -> [HeldObject?] in
            guard var owner = state.owners[id], owner.connection === broken else { return [] }
            owner.connection = connect(to: id)
            let living = owner.objects.values.map(\.object)
            for (number, entry) in owner.objects { Self.fetch(number, entry.fetch, owner.connection) }
            state.owners[id] = owner
            return living
        }
        withExtendedLifetime(living) {}
    }

    private static func hasEnded(_ owner: ObjectOwner) -> Bool {
        do {
            return try ProcessHandle.adopt(peer: owner.pid)?.isAlive != true
        } catch {
            return false
        }
    }

    private static func fail(_ owner: Owner, _ error: ActorError) {
        // What has arrived stays.
        for entry in owner.objects.values { entry.object?.contents.settle(.success(.outcome(.failed(error)))) }
    }

    private func releaseLater(_ name: ObjectName) {
        loop.schedule(after: lease) { [weak self] in self?.release(name) }
    }

    private func release(_ name: ObjectName) {
        let (object, goesOn) = state.withLock { state -> (HeldObject?, Bool) in
            guard let sent = state.lingering[name] else { return (nil, false) }
            guard sent.leaseEnd <= .now else { return (nil, true) }
            state.lingering[name] = nil
            return (sent.object, false)
        }
        // Let go outside of the lock, which its end takes.
        withExtendedLifetime(object) {}
        if goesOn { releaseLater(name) }
    }
}
