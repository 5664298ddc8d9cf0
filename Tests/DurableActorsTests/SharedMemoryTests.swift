import CBOR
import Distributed
import DurableActors
import DurableCore
import DurableSupervisor
import Glibc
import Testing

/// Large values.
@Suite(.serialized) struct SharedMemoryTests {
    @Test func `arguments and results larger than a frame arrive as they were`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let librarian = try await runtime.spawn(Librarian.self, Librarian.Setup())
            for size in [(1 << 20) - 1, 1 << 20, 5 << 20, 80 << 20] {
                let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
                    for index in 0..<size { buffer[index] = UInt8(truncatingIfNeeded: index &* 31 &+ index >> 13) }
                    count = size
                }
                let reversed = try await librarian.reverse(bytes)
                #expect(reversed.count == size && reversed.last == bytes.first && reversed.first == bytes.last)
                #expect(reversed.reversed() == bytes)
            }
            #expect(try await librarian.shared() == 0)
            #expect(SharedMemory.segments(of: getpid()) == 0)
        }
    }

    @Test func `a large value is one piece of memory for all who have it, and goes with the last reference`()
        async throws
    {
        var configuration = RuntimeConfiguration()
        configuration.objectLease = .milliseconds(20)
        try await ActorRuntime.withRuntime(configuration: configuration) { runtime in
            let readers = try await Self.readers(3, runtime)
            var ref: ObjectRef<[UInt8]>? = try runtime.put([UInt8](repeating: 7, count: 4 << 20))
            #expect(SharedMemory.segments(of: getpid()) == 1)
            for reader in readers {
                if let ref { try await reader.keep(ref) }
                #expect(try await reader.readKept() == 4 << 20)
                #expect(try await reader.shared() == 1)
            }
            let files = Set(try await Self.inodes(readers))
            let own = try #require(Self.inode(of: getpid()))
            #expect(files == [own])
            ref = nil
            #expect(try await readers[0].readKept() == 4 << 20)
            // One has it still, so that its owner keeps it too.
            for reader in readers.dropFirst() { try await reader.drop() }
            #expect(try await readers[0].readKept() == 4 << 20)
            #expect(SharedMemory.segments(of: getpid()) == 1)
            try await readers[0].drop()
            try await eventually("the owner lets go") {
                SharedMemory.segments(of: getpid())
            } is: {
                $0 == 0
            }
            for reader in readers { #expect(try await reader.shared() == 0) }
        }
    }

    @Test func `a large value is free again when those that had it were killed`() async throws {
        var configuration = RuntimeConfiguration()
        configuration.objectLease = .milliseconds(20)
        try await ActorRuntime.withRuntime(configuration: configuration) { runtime in
            let readers = try await Self.readers(2, runtime)
            var ref: ObjectRef<[UInt8]>? = try runtime.put([UInt8](repeating: 7, count: 4 << 20))
            for reader in readers { if let ref { try await reader.keep(ref) } }
            ref = nil
            for reader in readers { kill(try await reader.processID(), SIGKILL) }
            try await eventually("the owner lets go") {
                SharedMemory.segments(of: getpid())
            } is: {
                $0 == 0
            }
            for reader in readers { #expect(try await reader.shared() == 0) }
        }
    }

    @Test func `a reference that nobody has kept fails with objectLost, also in its own process`() async throws {
        var configuration = RuntimeConfiguration()
        configuration.objectLease = .milliseconds(20)
        try await ActorRuntime.withRuntime(configuration: configuration) { runtime in
            let reader = try await runtime.spawn(Librarian.self, Librarian.Setup())
            var ref: ObjectRef<[UInt8]>? = try runtime.put([UInt8](repeating: 7, count: 4 << 20))
            let encoded = try CBOREncoder().encode(#require(ref))
            #expect(try await reader.count(encoded: encoded) == 4 << 20)
            ref = nil
            try await eventually("it is free") {
                SharedMemory.segments(of: getpid())
            } is: {
                $0 == 0
            }
            let far = await failure { _ = try await reader.count(encoded: encoded) }
            #expect(far?.code == .objectLost)
            var decoder = CBORDecoder()
            decoder.userInfo[.actorSystemKey] = runtime
            let near = #expect(throws: ActorError.self) { try decoder.decode(ObjectRef<[UInt8]>.self, from: encoded) }
            #expect(near?.code == .objectLost)
        }
    }

    @Test func `an actor is placed where the large values are that its arguments refer to, if there is room`()
        async throws
    {
        var configuration = RuntimeConfiguration()
        configuration.resources = Resources(cpu: 8)
        try await ActorRuntime.withRuntime(configuration: configuration) { runtime in
            for name in ["a", "b"] { try await runtime.addNode(name: name, resources: Resources(cpu: 2)) }
            let options = ActorOptions.resilient.resources(cpu: 1)
            let source = try await runtime.spawn(
                Warehouse.self,
                .init(),
                options: options.scheduled(.node("b", soft: false))
            )
            let large = try await source.put(3 << 20)
            let small = try await source.put(1000)
            #expect(try await large.value.count == 3 << 20)
            #expect(try await small.value.count == 1000)
            let near = try await runtime.spawn(Warehouse.self, .init(goods: large), options: options)
            #expect(try await near.node() == "b")
            #expect(try await near.count() == 3 << 20)
            // There is no more room, and small values do not count.
            let other = try await runtime.spawn(Warehouse.self, .init(goods: large), options: options)
            #expect(try await other.node() == "head")
            try await runtime.kill(near)
            let far = try await runtime.spawn(Warehouse.self, .init(goods: small), options: options)
            #expect(try await far.node() == "head")
        }
    }

    @Test func `sockets of killed owners are removed by the next, and a runtime leaves none`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime(directory: scratch.path) { runtime in
            let owner = try await runtime.spawn(Librarian.self, Librarian.Setup(), options: .resilient)
            let objects = RuntimeLayout(directory: scratch.path).objects
            for round in 1...5 {
                #expect(try await owner.put(round).value == round)
                #expect(RuntimeDirectory.entries(of: objects).count <= 2)
                kill(try await owner.processID(), SIGKILL)
            }
            #expect(try await owner.sum([runtime.put(1)]) == 1)
            #expect(RuntimeDirectory.entries(of: objects).count <= 2)
        }
    }

    private static func readers(_ count: Int, _ runtime: ActorRuntime) async throws -> [Librarian] {
        var readers: [Librarian] = []
        for _ in 0..<count {
            readers.append(try await runtime.spawn(Librarian.self, Librarian.Setup(), options: .resilient))
        }
        return readers
    }

    private static func inodes(_ readers: [Librarian]) async throws -> [UInt64] {
        var inodes: [UInt64] = []
        for reader in readers { if let inode = inode(of: try await reader.processID()) { inodes.append(inode) } }
        return inodes
    }

    /// Which memory a process has.
    private static func inode(of pid: Int32) -> UInt64? {
        for descriptor in 0..<1024 {
            let path = "/proc/\(pid)/fd/\(descriptor)"
            var target = [CChar](repeating: 0, count: 256)
            guard readlink(path, &target, 255) > 0 else { continue }
            let text = String(decoding: target.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            var status = stat()
            if text.contains("durable-object"), stat(path, &status) == 0 { return UInt64(status.st_ino) }
        }
        return nil
    }
}
