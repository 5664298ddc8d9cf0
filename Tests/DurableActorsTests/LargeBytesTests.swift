import CBOR
import DurableCore
import DurableSupervisor
import Foundation
import Glibc
import Testing

@testable import DurableActors

/// Large byte strings in arguments and results, as arrays and shared.
@Suite(.serialized) struct LargeBytesTests {
    private static let sizes = [0, 1, (32 << 10) - 1, 32 << 10, 100_000, 1 << 20, 9 << 20]

    private static func bytes(_ count: Int, _ seed: Int = 1) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8 &+ seed) }
    }

    @Test func `byte strings of all kinds and sizes arrive as they were, both ways and inside of others`() async throws
    {
        try await ActorRuntime.withRuntime { runtime in
            let archive = try await runtime.spawn(Depot.self)
            for size in Self.sizes {
                let bytes = Self.bytes(size)
                let shared = SharedBytes(bytes)
                #expect(Array(shared) == bytes && shared == SharedBytes(bytes) && shared.count == size)
                #expect(try await archive.echo(bytes) == bytes)
                #expect(try await archive.echo(shared) == shared)
                #expect(try await archive.echo(Data(bytes)) == Data(bytes))
                let box = Depot.Box(name: "box", bytes: bytes, shared: [shared, SharedBytes([1])], more: ["a": bytes])
                #expect(try await archive.echo(box, 7, box) == [box, box])
            }
        }
    }

    @Test func `what is large beside byte strings arrives too`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let depot = try await runtime.spawn(Depot.self)
            // More text than a frame may have.
            let text = String(repeating: "0123456789abcdef", count: 5 << 20)
            let box = Depot.Box(name: text, bytes: Self.bytes(100_000), shared: [], more: [:])
            let answer = try await depot.echo(box, 1, box)
            #expect(answer.map(\.name.utf8.count) == [80 << 20, 80 << 20])
            #expect(answer.map(\.bytes) == [box.bytes, box.bytes])
        }
    }

    @Test func `bytes that are filled in place are shared, and what fills them may throw`() async throws {
        struct Unfilled: Error {}
        try await ActorRuntime.withRuntime { runtime in
            let archive = try await runtime.spawn(Depot.self)
            for size in Self.sizes {
                let bytes = Self.bytes(size, 5)
                let shared = try SharedBytes(count: size) { $0.copyBytes(from: bytes) }
                #expect(try await archive.echo(shared) == SharedBytes(bytes))
                #expect(throws: Unfilled.self) { try SharedBytes(count: size) { _ in throw Unfilled() } }
            }
            let partly = try SharedBytes(count: 100_000) { $0[99_999] = 1 }
            #expect(partly.dropLast().allSatisfy { $0 == 0 } && partly.last == 1)
        }
        #expect(SharedMemory.segments(of: getpid()) == 0)
    }

    @Test func `shared bytes are one piece of memory for all that have them, and go with the last`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            var archives: [Depot] = []
            for _ in 0..<3 { archives.append(try await runtime.spawn(Depot.self)) }
            var shared: SharedBytes? = SharedBytes(Self.bytes(3 << 20))
            #expect(SharedMemory.segments(of: getpid()) == 1)
            for archive in archives {
                if let shared { try await archive.keep(shared) }
                #expect(try await archive.segments() == 1)
            }
            shared = nil
            #expect(SharedMemory.segments(of: getpid()) == 0)
            // From one to another by way of this process, which keeps nothing.
            let sum = try await archives[0].sum()
            try await archives[1].keep(archives[0].kept())
            #expect(try await archives[1].sum() == sum)
            #expect(try await archives[1].segments() == 1)
            for archive in archives {
                try await archive.drop()
                #expect(try await archive.segments() == 0)
            }
            #expect(SharedMemory.segments(of: getpid()) == 0)
        }
    }

    @Test func `many calls with large arguments leave neither descriptors nor memory behind`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let archive = try await runtime.spawn(Depot.self)
            let bytes = Self.bytes(2 << 20)
            for _ in 0..<3 { #expect(try await archive.echo(SharedBytes(bytes)).count == bytes.count) }
            let before = (try await archive.descriptors(), try await archive.residentBytes())
            for _ in 0..<40 {
                #expect(try await archive.echo(bytes).count == bytes.count)
                #expect(try await archive.echo(SharedBytes(bytes)).count == bytes.count)
            }
            #expect(try await archive.descriptors() <= before.0)
            #expect(try await archive.residentBytes() < before.1 + 24 << 20)
            #expect(SharedMemory.segments(of: getpid()) == 0)
        }
    }

    @Test func `a call with large arguments is made again when its process is killed, and runs once`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let scratch = ScratchDirectory()
            let archive = try await runtime.spawn(Depot.self, options: .resilient)
            let (bytes, shared) = (Self.bytes(3 << 20), SharedBytes(Self.bytes(4 << 20, 3)))
            let sum = try await archive.storeDying(bytes, shared, times: 2, attempts: scratch.path + "/attempts")
            #expect(sum == bytes.reduce(0) { $0 + Int($1) } + shared.reduce(0) { $0 + Int($1) })
            #expect(try await archive.stored() == [3 << 20, 4 << 20])
        }
    }

    @Test func `a recorded result with large byte strings is the same when it is asked for again`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let archive = try await runtime.spawn(Depot.self, options: .resilient)
            let bytes = Self.bytes(200_000)
            let box = Depot.Box(name: "x", bytes: bytes, shared: [SharedBytes(bytes)], more: [:])
            let key = CallOptions.idempotencyKey("once")
            let first = try await archive.with(key) { try await $0.add(box) }
            kill(try await archive.processID(), SIGKILL)
            let again = try await archive.with(key) { try await $0.add(box) }
            #expect(first == [box] && again == [box])
            #expect(try await archive.boxes().count == 1, "it ran once")
            var other = box
            other.bytes[199_999] &+= 1
            let error = await failure { _ = try await archive.with(key) { try await $0.add(other) } }
            #expect(error?.code == .callIdReused)
            other = box
            other.shared = [SharedBytes(bytes.dropLast() + [0])]
            let otherError = await failure { _ = try await archive.with(key) { try await $0.add(other) } }
            #expect(otherError?.code == .callIdReused)
        }
    }

    @Test func `shared bytes in stored state are bytes of that state`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let archive = try await runtime.spawn(Depot.self, options: .resilient)
            let shared = SharedBytes(Self.bytes(100_000))
            _ = try await archive.add(Depot.Box(name: "x", bytes: [], shared: [shared], more: [:]))
            kill(try await archive.processID(), SIGKILL)
            #expect(try await archive.boxes().first?.shared == [shared])
        }
        let small = SharedBytes([1, 2, 3])
        #expect(try CBOREncoder().encode(small) == [0x43, 1, 2, 3])
        #expect(try JSONDecoder().decode(SharedBytes.self, from: JSONEncoder().encode(small)) == small)
    }

    @Test func `shared bytes that are put are fetched without a copy`() async throws {
        var configuration = RuntimeConfiguration()
        configuration.objectLease = .milliseconds(20)
        try await ActorRuntime.withRuntime(configuration: configuration) { runtime in
            let archive = try await runtime.spawn(Depot.self)
            let bytes = Self.bytes(3 << 20)
            var ref: ObjectRef<[SharedBytes]>? = try runtime.put([SharedBytes(bytes), SharedBytes([7])])
            #expect(SharedMemory.segments(of: getpid()) == 1)
            if let ref {
                #expect(try await archive.sum(ref) == bytes.reduce(0) { $0 + Int($1) } + 7)
                #expect(try await ref.value == [SharedBytes(bytes), SharedBytes([7])])
            }
            ref = nil
            try await eventually("it is free") {
                SharedMemory.segments(of: getpid())
            } is: {
                $0 == 0
            }
            let given = try await archive.put(SharedBytes(bytes))
            #expect(try await given.value == SharedBytes(bytes))
        }
    }

    @Test func `an actor's own call with large arguments is the same call in its next life`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let scratch = ScratchDirectory()
            let inner = try await runtime.spawn(Depot.self, options: .resilient)
            let outer = try await runtime.spawn(Depot.self, options: .resilient)
            let box = Depot.Box(
                name: "x",
                bytes: Self.bytes(100_000),
                shared: [SharedBytes(Self.bytes(50_000))],
                more: [:]
            )
            #expect(try await outer.forwardDying(box, to: inner, times: 2, attempts: scratch.path + "/attempts") == 1)
            #expect(try await inner.boxes() == [box])
        }
    }

    @Test func `a task takes and gives large byte strings`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let task = ReversalTask(bytes: Self.bytes(300_000), shared: SharedBytes(Self.bytes(400_000)))
            let output = try await runtime.run(task)
            #expect(output == [task.bytes.reversed(), task.shared.reversed()])
        }
    }

    @Test func `a call's checksum is the same for byte strings in its arguments and beside them`() throws {
        var parts: [BytePart] = []
        let value = ["a": Self.bytes(50_000), "b": [1]]
        let apart = [try CBOREncoder().encode(value, detaching: &parts), [0x01]]
        let whole = [try CBOREncoder().encode(value), [0x01]]
        func frame(_ arguments: [[UInt8]]) -> CallFrame {
            let id = CallID(session: SessionID(high: 1, low: 2), sequence: 1)
            return CallFrame(
                actor: ActorID(high: 1, low: 2),
                id: id,
                firstIncomplete: 1,
                method: "method",
                arguments: arguments
            )
        }
        var detached = frame(apart)
        detached.detached = DetachedBytes(parts)
        #expect(try detached.checkedFingerprint() == frame(whole).fingerprint)
        #expect(detached.whole.arguments == whole && detached.whole.detached == nil)
    }
}

/// Keeps bytes.
distributed actor Depot: DurableActor {
    struct Box: Codable, Sendable, Hashable {
        var name: String
        var bytes: [UInt8]
        var shared: [SharedBytes]
        var more: [String: [UInt8]]
    }

    @Checkpointed private var lengths: [Int] = []
    @Checkpointed private var contents: [Box] = []
    private var shared = SharedBytes()

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }

    distributed func echo(_ bytes: [UInt8]) -> [UInt8] { bytes }

    distributed func echo(_ bytes: SharedBytes) -> SharedBytes { bytes }

    distributed func echo(_ bytes: Data) -> Data { bytes }

    distributed func echo(_ first: Box, _ number: Int, _ second: Box) -> [Box] { [first, second] }

    distributed func keep(_ bytes: SharedBytes) { shared = bytes }

    distributed func kept() -> SharedBytes { shared }

    distributed func drop() { shared = SharedBytes() }

    distributed func sum() -> Int { shared.reduce(0) { $0 + Int($1) } }

    distributed func sum(_ ref: ObjectRef<[SharedBytes]>) async throws -> Int {
        try await ref.value.joined().reduce(0) { $0 + Int($1) }
    }

    distributed func put(_ bytes: SharedBytes) throws -> ObjectRef<SharedBytes> { try actorSystem.put(bytes) }

    distributed func add(_ box: Box) -> [Box] {
        contents.append(box)
        return contents
    }

    distributed func boxes() -> [Box] { contents }

    distributed func stored() -> [Int] { lengths }

    /// Stores how much came, and dies of that as often as the file has fewer lines than `times`.
    distributed func storeDying(_ bytes: [UInt8], _ shared: SharedBytes, times: Int, attempts: String) throws -> Int {
        if Attempts.note(in: attempts) <= times { raise(SIGKILL) }
        lengths += [bytes.count, shared.count]
        return bytes.reduce(0) { $0 + Int($1) } + shared.reduce(0) { $0 + Int($1) }
    }

    /// Has another one add a box, and dies after that.
    distributed func forwardDying(_ box: Box, to other: Depot, times: Int, attempts: String) async throws -> Int {
        let count = try await other.add(box).count
        if Attempts.note(in: attempts) <= times { raise(SIGKILL) }
        lengths.append(count)
        return count
    }

    distributed func processID() -> Int32 { getpid() }

    distributed func segments() -> Int { SharedMemory.segments(of: getpid()) }

    distributed func descriptors() -> Int { RuntimeDirectory.entries(of: "/proc/self/fd").count }

    distributed func residentBytes() -> Int {
        let pages = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?.split(separator: " ")
        return (pages.flatMap { $0.count > 1 ? Int($0[1]) : nil } ?? 0) * 4096
    }
}

struct ReversalTask: RemoteTask {
    var bytes: [UInt8]
    var shared: SharedBytes

    func run(on runtime: ActorRuntime) async throws -> [[UInt8]] { [bytes.reversed(), shared.reversed()] }
}
