import CBOR
import DurableActors
import DurableCore
import DurableSupervisor
import DurableTransport
import Synchronization

/// A caller that speaks the protocol itself, on one connection and with a session of its own.
final class RawCaller: Sendable {
    let session: SessionID
    private let loop: EventLoop
    private let connection: Connection
    private let inbox: Inbox

    /// What has arrived and nobody has asked for, and who has asked for what has not arrived.
    private final class Inbox: Sendable {
        struct Waiter {
            var number: Int
            var continuation: CheckedContinuation<ReplyFrame, any Error>
        }

        struct State {
            var arrived: [UInt64: [ReplyFrame]] = [:]
            var waiting: [UInt64: [Waiter]] = [:]
            var waits = 0
            var end: (any Error)?
        }

        let state = Mutex(State())

        func take(_ reply: ReplyFrame) {
            let waiter = state.withLock { state -> Waiter? in
                guard state.waiting[reply.sequence]?.isEmpty == false else {
                    state.arrived[reply.sequence, default: []].append(reply)
                    return nil
                }
                return state.waiting[reply.sequence]?.removeFirst()
            }
            waiter?.continuation.resume(returning: reply)
        }

        func end(_ error: any Error) {
            let waiting = state.withLock { state in
                state.end = error
                defer { state.waiting = [:] }
                return state.waiting.values.flatMap(\.self)
            }
            for waiter in waiting { waiter.continuation.resume(throwing: error) }
        }

        /// Returns the number of the wait, if it is one.
        func wait(for sequence: UInt64, _ continuation: CheckedContinuation<ReplyFrame, any Error>) -> Int? {
            let (result, number) = state.withLock { state -> (Result<ReplyFrame, any Error>?, Int?) in
                if state.arrived[sequence]?.isEmpty == false, let reply = state.arrived[sequence]?.removeFirst() {
                    return (.success(reply), nil)
                }
                if let error = state.end { return (.failure(error), nil) }
                state.waits += 1
                state.waiting[sequence, default: []].append(Waiter(number: state.waits, continuation: continuation))
                return (nil, state.waits)
            }
            if let result { continuation.resume(with: result) }
            return number
        }

        func giveUp(_ number: Int, on sequence: UInt64) {
            let waiter = state.withLock { state -> Waiter? in
                guard let index = state.waiting[sequence]?.firstIndex(where: { $0.number == number }) else {
                    return nil
                }
                return state.waiting[sequence]?.remove(at: index)
            }
            waiter?.continuation.resume(throwing: NoReply(sequence: sequence))
        }
    }

    /// Nothing came within ten seconds.
    struct NoReply: Error {
        var sequence: UInt64
    }

    init(_ runtime: ActorRuntime, shard: ShardNumber) throws {
        var generator = SystemRandomNumberGenerator()
        session = SessionID(random: &generator)
        let loop = try EventLoop(name: "raw")
        self.loop = loop
        loop.start()
        let inbox = Inbox()
        self.inbox = inbox
        connection = Connection.connect(
            path: RuntimeLayout(directory: runtime.directory).shardSocket(shard),
            on: loop,
            hello: Hello(role: ConnectionRole.caller.rawValue, info: []),
            limits: FrameLimits(),
            handler: ConnectionHandler(
                opened: { _ in },
                received: { _, frame, _ in
                    if let reply = try? ReplyFrame(decoding: frame.payload) { inbox.take(reply) }
                },
                closed: { _, error in
                    inbox.end(error ?? TransportError(.closed, "the worker closed the connection"))
                }
            )
        )
    }

    deinit {
        connection.close()
        loop.stop()
    }

    /// What the worker said of itself when it accepted; known once a reply has arrived.
    var greeting: HostGreeting? { connection.peerHello.flatMap { try? HostGreeting(decoding: $0.info) } }

    /// A call of a method that takes an `Int` and returns one.
    func frame(
        _ sequence: UInt64,
        to actor: some DurableActor,
        _ method: String,
        _ argument: Int,
        firstIncomplete: UInt64 = 1
    ) throws -> CallFrame {
        CallFrame(
            actor: actor.id,
            id: CallID(session: session, sequence: sequence),
            firstIncomplete: firstIncomplete,
            method: Self.method(method, of: type(of: actor)),
            arguments: [try CBOREncoder().encode(argument)]
        )
    }

    /// Sends a call and does not wait; on an open connection it is in the socket when this returns.
    func post(_ frame: CallFrame) {
        _ = connection.send(Frame(kind: FrameKind.call, payload: frame.encoded()))
    }

    /// Says that a later owner of the shard has been seen.
    func refuse(superseded epoch: Epoch) {
        let frame = Frame(kind: FrameKind.superseded, payload: SupersededFrame(epoch: epoch).encoded())
        _ = connection.send(frame)
    }

    /// Sends calls in one write, so that the worker reads them together.
    func post(together frames: [CallFrame]) {
        loop.execute { [connection] in
            for frame in frames { _ = connection.send(Frame(kind: FrameKind.call, payload: frame.encoded())) }
        }
    }

    /// The next reply to a call that was sent.
    /// - Throws: What ended the connection, or `NoReply`.
    func reply(to sequence: UInt64) async throws -> ReplyFrame {
        try await withCheckedThrowingContinuation { continuation in
            guard let number = inbox.wait(for: sequence, continuation) else { return }
            loop.schedule(after: .seconds(10)) { [inbox] in inbox.giveUp(number, on: sequence) }
        }
    }

    func send(_ frame: CallFrame) async throws -> ReplyFrame {
        post(frame)
        return try await reply(to: frame.id.sequence)
    }

    /// The name under which Swift knows a distributed method that takes an unlabelled `Int` and returns one.
    static func method(_ name: String, of type: Any.Type) -> String {
        "$s\(_mangledTypeName(type) ?? "")\(name.utf8.count)\(name)yS2iYaKFTE"
    }
}

extension CallOutcome {
    /// The number that was returned.
    var number: Int? {
        guard case .returned(let bytes) = self else { return nil }
        return try? CBORDecoder().decode(Int.self, from: bytes)
    }

    /// The framework's error that the call failed with.
    var error: ActorError? {
        guard case .failed(let bytes) = self else { return nil }
        return try? CBORDecoder().decode(ActorError.self, from: bytes)
    }
}
