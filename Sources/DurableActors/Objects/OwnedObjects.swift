internal import DurableCore
internal import DurableProcess
internal import DurableSupervisor
internal import DurableTransport
internal import Glibc
internal import Synchronization

/// The values that this process has and other processes know of: it is asked for them at a socket of its own.
///
/// A value is kept while this process has a reference to it, while another process has fetched and not released it, and
/// for a while after a reference to it was sent away. A process that dies releases everything, because its connection
/// ends.
final class OwnedObjects: Sendable {
    private struct Entry: Sendable {
        weak var object: HeldObject?
        /// The value itself while others need it.
        var pinned: HeldObject?
        /// How often others have fetched it and not released it.
        var fetches = 0
        /// Whether it is kept for good.
        var isKept = false
        var leaseEnd: ContinuousClock.Instant
    }

    private struct State {
        var owner: ObjectOwner?
        var listener: Listener?
        var entries: [UInt64: Entry] = [:]
        /// What each connection has fetched.
        var borrowers: [UInt64: [UInt64: Int]] = [:]
        var isSweeping = false
        var stopped: ActorError?

        /// Keeps a value no longer for others, unless one of them has it or may ask for it yet. The value is returned to
        /// be let go outside of the lock, which its end takes.
        mutating func unpin(_ number: UInt64) -> HeldObject? {
            guard let entry = entries[number], entry.fetches == 0, entry.leaseEnd <= .now, !entry.isKept else {
                return nil
            }
            return entries[number]?.pinned.take()
        }

        /// Keeps a value for good.
        mutating func keep(_ number: UInt64, _ object: HeldObject?) {
            guard stopped == nil, let object = entries[number]?.object ?? object else { return }
            var entry = entries[number] ?? Entry(object: object, leaseEnd: .now)
            entry.pinned = object
            entry.isKept = true
            entries[number] = entry
        }
    }

    private let loop: EventLoop
    private let layout: RuntimeLayout
    private let lease: Duration
    private let numbers = Atomic<UInt64>(1)
    private let state = Mutex(State())

    init(loop: EventLoop, layout: RuntimeLayout, lease: Duration) {
        self.loop = loop
        self.layout = layout
        self.lease = lease
    }

    /// The name of a value that there was not before.
    func nextName() -> ObjectName { ObjectName(number: numbers.wrappingAdd(1, ordering: .relaxed).oldValue) }

    /// How many values are known to others or may be, for tests.
    var count: Int { state.withLock { $0.entries.count } }

    /// Makes a value known, so that others can ask for it. A reference to it is about to be sent.
    func export(_ object: HeldObject) throws(ActorError) -> ObjectID {
        let number = object.name.number
        let (exported, isFirst) = state.withLock { state -> (Result<ObjectOwner, ActorError>, Bool) in
            let owner: ObjectOwner
            do throws(ActorError) {
                if let error = state.stopped { throw error }
                owner = if let known = state.owner { known } else { try listen(&state) }
            } catch {
                return (.failure(error), false)
            }
            var entry = state.entries[number] ?? Entry(object: object, leaseEnd: .now)
            entry.pinned = object
            entry.leaseEnd = .now + lease
            state.entries[number] = entry
            defer { state.isSweeping = true }
            return (.success(owner), !state.isSweeping)
        }
        if isFirst { sweepLater() }
        return ObjectID(owner: try exported.get(), number: number)
    }

    /// Keeps a value for as long as this process lives.
    func keep(_ object: HeldObject) { state.withLock { $0.keep(object.name.number, object) } }

    /// The value of an id, if it is one of this process's.
    /// - Throws: When it is, and is not kept any more.
    func object(_ id: ObjectID) throws(ActorError) -> HeldObject? {
        let (isOwn, object) = state.withLock { state in
            let entry = state.entries[id.number]
            return (state.owner == id.owner, entry?.pinned ?? entry?.object)
        }
        guard isOwn else { return nil }
        guard let object else { throw Self.lost }
        return object
    }

    /// Nobody has the value any more.
    func forget(_ number: UInt64) {
        let other = state.withLock { state -> HeldObject? in
            let other = state.entries[number]?.object
            if other == nil { state.entries[number] = nil }
            // To be let go outside of the lock, which its end takes.
            return other
        }
        withExtendedLifetime(other) {}
    }

    /// Lets everything go, and answers nobody any more.
    func stop(_ error: ActorError) {
        let (entries, listener, owner) = state.withLock { state in
            defer { state = State(stopped: error) }
            return (state.entries, state.listener, state.owner)
        }
        listener?.close()
        if let owner { unlink(path(of: owner)) }
        withExtendedLifetime(entries) {}
    }

    /// The socket of an owner.
    func path(of owner: ObjectOwner) -> String { "\(layout.objects)/\(owner.socketName)" }

    static let lost = ActorError(
        .objectLost,
        "the reference's value is not kept any more: every process that had the reference has dropped it"
    )

    private func listen(_ state: inout State) throws(ActorError) -> ObjectOwner {
        let owner: ObjectOwner
        do {
            owner = ObjectOwner(pid: getpid(), membership: .random(in: 1...UInt32.max))
            try RuntimeDirectory.makeObjects(layout)
            removeSockets()
            let listener = try Listener.bind(path: path(of: owner))
            try accept(listener)
            state.listener = listener
        } catch {
            if let error = error as? ActorError { throw error }
            throw ActorError(.limitExceeded, "no socket can be made for this process's values", cause: "\(error)")
        }
        state.owner = owner
        return owner
    }

    /// Removes what processes have left that were killed.
    private func removeSockets() {
        for name in RuntimeDirectory.entries(of: layout.objects) {
            guard let owner = ObjectOwner(socketName: name), Self.hasEnded(owner) else { continue }
            unlink(path(of: owner))
        }
    }

    private static func hasEnded(_ owner: ObjectOwner) -> Bool {
        do {
            return try ProcessHandle.adopt(peer: owner.pid)?.isAlive != true
        } catch {
            return false
        }
    }

    private func accept(_ listener: Listener) throws {
        var limits = FrameLimits()
        // Who has references to much gets all of it.
        limits.sendBufferBytesMax = .max
        try listener.accept(
            on: loop,
            hello: { Hello(role: ConnectionRole.owner.rawValue) },
            limits: limits,
            onConnection: { [weak self] connection in
                guard connection.peerHello?.role == ConnectionRole.borrower.rawValue else { return nil }
                return ConnectionHandler(
                    received: { [weak self] connection, frame, _ in self?.received(frame, on: connection) },
                    closed: { [weak self] connection, _ in self?.closed(connection) }
                )
            }
        )
    }

    private func received(_ frame: Frame, on connection: Connection) {
        guard frame.kind == FrameKind.object, let request = try? ObjectRequest(decoding: frame.payload) else {
            return connection.fail(TransportError(.protocolViolation, "a request for a value cannot be read"))
        }
        switch request {
        case .fetch(let number): fetch(number, connection)
        case .release(let number): release(number, 1, connection)
        case .keep(let number): state.withLock { $0.keep(number, nil) }
        case .cancel(let number, let recursive):
            let object = state.withLock { $0.entries[number].flatMap { $0.pinned ?? $0.object } }
            object?.cancel(recursive ? .recursive : .single)
        }
    }

    private func fetch(_ number: UInt64, _ connection: Connection) {
        let object = state.withLock { state -> HeldObject? in
            guard let object = state.entries[number].flatMap({ $0.pinned ?? $0.object }) else { return nil }
            state.entries[number]?.fetches += 1
            state.entries[number]?.pinned = object
            state.borrowers[connection.id, default: [:]][number, default: 0] += 1
            return object
        }
        guard let object else {
            return Self.answer(number, .outcome(.failed(Self.lost)), connection)
        }
        _ = object.contents.observe { result in
            guard case .success(let contents) = result else { return }
            Self.answer(number, contents, connection)
        }
    }

    private static func answer(_ number: UInt64, _ contents: ObjectContents, _ connection: Connection) {
        let isSent =
            switch contents {
            case .outcome(let outcome):
                connection.send(
                    Frame(ObjectAnswer(number: number, outcome: outcome))
                )
            case .segment(let segment):
                connection.send(
                    Frame(kind: FrameKind.contents, payload: ObjectAnswer(number: number, outcome: nil).encoded()),
                    descriptors: [segment.descriptor]
                )
            }
        // Who asked must not wait for ever; that the connection ends tells it.
        if !isSent { connection.fail(TransportError(.bufferFull, "a value could not be sent")) }
    }

    private func release(_ number: UInt64, _ count: Int, _ connection: Connection) {
        let (unpinned, isFirst) = state.withLock { state -> (HeldObject?, Bool) in
            let held = state.borrowers[connection.id]?[number] ?? 0
            let released = min(count, held)
            state.borrowers[connection.id]?[number] = held > released ? held - released : nil
            state.entries[number]?.fetches -= released
            let unpinned = state.unpin(number)
            // What its lease still keeps goes when that is over.
            guard let entry = state.entries[number], entry.pinned != nil, !entry.isKept, !state.isSweeping else {
                return (unpinned, false)
            }
            state.isSweeping = true
            return (unpinned, true)
        }
        withExtendedLifetime(unpinned) {}
        if isFirst { sweepLater() }
    }

    private func closed(_ connection: Connection) {
        let fetched = state.withLock { $0.borrowers[connection.id] ?? [:] }
        for (number, count) in fetched { release(number, count, connection) }
        state.withLock { $0.borrowers[connection.id] = nil }
    }

    private func sweepLater() {
        loop.schedule(after: lease / 2) { [weak self] in self?.sweep() }
    }

    /// Lets go of what nobody has fetched in time.
    private func sweep() {
        let (unpinned, goesOn) = state.withLock { state in
            let unpinned = state.entries.keys.compactMap { state.unpin($0) }
            state.isSweeping = state.entries.values.contains { $0.pinned != nil && $0.fetches == 0 && !$0.isKept }
            return (unpinned, state.isSweeping)
        }
        withExtendedLifetime(unpinned) {}
        if goesOn { sweepLater() }
    }
}
