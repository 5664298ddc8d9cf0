import CBOR
import DurableActors
import DurableCore
import DurableProcess
import DurableSupervisor
import DurableTransport
import Glibc
import Synchronization
import Testing

/// Old owners and repeated call ids.
@Suite(.serialized) struct FencingTests {
    @Test func `a stopped worker that was replaced commits nothing when it goes on`() async throws {
        let scratch = ScratchDirectory()
        var configuration = RuntimeConfiguration()
        configuration.faults = [FaultSpecification(.supervisorKillBeforeReplace, action: .skip)]
        let runtime = try await ActorRuntime.start(directory: scratch.file("data"), configuration: configuration)
        let counter = try await runtime.getOrCreate(Counter.self, name: "fenced")
        #expect(try await counter.add(1) == 1)
        let old = try await counter.processID()
        kill(old, SIGSTOP)
        try await eventually("the worker is stopped") {
            Processes.isStopped(old)
        } is: {
            $0
        }

        // A change and a read reach the stopped worker's socket before it is replaced.
        let change = counter.submit { try await $0.add(10) }
        let read = counter.submit { try await $0.read() }
        try await runtime.kill(counter, noRestart: false)

        // Another driver knows nothing of the old worker and reaches the new one.
        let other = try await ActorRuntime.start(directory: scratch.file("data"))
        let same = try await other.getActor(Counter.self, name: "fenced")
        #expect(try await same.add(100) == 101)
        #expect(try await same.processID() != old)

        // Continued, the old one finds the shard taken; its callers are served by the new one.
        kill(old, SIGCONT)
        #expect(try await change.value == 111)
        #expect(try await read.value == 111)
        #expect(try await same.read() == 111)
        try await eventually("the old worker is gone") {
            Processes.isAlive(old)
        } is: {
            !$0
        }
        await other.shutdown()
        try await runtime.kill(counter)
        await runtime.shutdown()
    }

    @Test func `the same call id is never applied twice, whoever sends it`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self, options: .resilient)
            #expect(try await counter.add(1) == 1)
            let caller = try RawCaller(runtime, shard: 1)
            var generator = SystemRandomNumberGenerator()
            let id = CallID(session: SessionID(random: &generator), sequence: 1)
            let method = try #require(await caller.method(named: "add"))
            let frame = CallFrame(
                actor: counter.id,
                id: id,
                firstIncomplete: 1,
                method: method,
                arguments: [try CBOREncoder().encode(5)]
            )
            let first = try await caller.send(frame)
            #expect(first.outcome == .returned(try CBOREncoder().encode(6)))
            #expect(try await caller.send(frame).outcome == first.outcome)
            kill(try await runtime.process(of: counter), SIGKILL)
            #expect(try await counter.read() == 6)
            let again = try RawCaller(runtime, shard: 1)
            #expect(try await again.send(frame).outcome == first.outcome)
            #expect(try await counter.read() == 6)

            var reused = frame
            reused.arguments = [try CBOREncoder().encode(7)]
            guard case .failed(let bytes) = try await again.send(reused).outcome else {
                Issue.record("a reused id was accepted")
                return
            }
            #expect(try CBORDecoder().decode(ActorError.self, from: bytes).code == .callIdReused)
            #expect(try await counter.read() == 6)
        }
    }

    @Test func `only distributed methods of the actor's own type can be called`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self)
            #expect(try await counter.read() == 0)
            let caller = try RawCaller(runtime, shard: 1)
            var generator = SystemRandomNumberGenerator()
            let session = SessionID(random: &generator)
            let own = try #require(await caller.method(named: "add"))
            let names = ["", "add", "$s4main", own + "x", own.replacing("Counter", with: "Another"), "free", "exit"]
            for (position, name) in names.enumerated() {
                let id = CallID(session: session, sequence: UInt64(position + 1))
                let frame = CallFrame(actor: counter.id, id: id, firstIncomplete: 1, method: name, arguments: [])
                guard case .failed(let bytes) = try await caller.send(frame).outcome else {
                    Issue.record("\(name) was accepted")
                    continue
                }
                #expect(try CBORDecoder().decode(ActorError.self, from: bytes).code == .unknownMethod, "\(name)")
            }
            #expect(try await counter.read() == 0)
        }
    }
}

/// A caller that speaks the protocol itself.
final class RawCaller: Sendable {
    private let loop: EventLoop
    private let connection: Connection
    private let waiting: Waiting

    private final class Waiting: Sendable {
        let waiters = Mutex<[UInt64: CheckedContinuation<ReplyFrame, any Error>]>([:])
    }

    init(_ runtime: ActorRuntime, shard: ShardNumber) throws {
        let loop = try EventLoop(name: "raw")
        self.loop = loop
        loop.start()
        let waiting = Waiting()
        self.waiting = waiting
        connection = Connection.connect(
            path: RuntimeLayout(directory: runtime.directory).shardSocket(shard),
            on: loop,
            hello: Hello(role: ConnectionRole.caller.rawValue, info: []),
            limits: FrameLimits(),
            handler: ConnectionHandler(
                opened: { _ in },
                received: { _, frame, _ in
                    guard let reply = try? ReplyFrame(decoding: frame.payload) else { return }
                    waiting.waiters.withLock { $0.removeValue(forKey: reply.sequence) }?.resume(returning: reply)
                },
                closed: { _, error in
                    let open = waiting.waiters.withLock { waiters in
                        defer { waiters = [:] }
                        return waiters.values
                    }
                    for waiter in open {
                        waiter.resume(throwing: error ?? TransportError(.closed, "the worker closed the connection"))
                    }
                }
            )
        )
    }

    deinit {
        connection.close()
        loop.stop()
    }

    func send(_ frame: CallFrame) async throws -> ReplyFrame {
        try await withCheckedThrowingContinuation { waiter in
            waiting.waiters.withLock { $0[frame.id.sequence] = waiter }
            _ = connection.send(Frame(kind: FrameKind.call, payload: frame.encoded()))
        }
    }

    /// The name under which Swift knows a method of `Counter` that takes an `Int` and returns one.
    func method(named name: String) async -> String? {
        _mangledTypeName(Counter.self).map { "$s\($0)\(name.utf8.count)\(name)yS2iYaKFTE" }
    }
}
