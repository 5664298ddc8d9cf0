import DurableActors
import DurableLMDB
import DurableSupervisor
import Foundation
import Glibc
import Testing

/// Directories that cannot be used, and directories that several use.
@Suite(.serialized) struct DirectoryTests {
    @Test func `two starts on one directory at once share one supervisor`() async throws {
        let scratch = ScratchDirectory()
        let directory = scratch.file("data")
        async let first = ActorRuntime.start(directory: directory)
        async let second = ActorRuntime.start(directory: directory)
        let (one, two) = try await (first, second)
        #expect(one.supervisorProcessID == two.supervisorProcessID)
        let counter = try await one.getOrCreate(Counter.self, name: "shared")
        #expect(try await counter.add(1) == 1)
        let same = try await two.getActor(Counter.self, name: "shared")
        #expect(try await same.add(1) == 2)
        await one.shutdown()
        #expect(try await same.add(1) == 3)
        try await two.kill(counter)
        await two.shutdown()
    }

    @Test func `a path too long for sockets is refused with its length and the limit`() async {
        let scratch = ScratchDirectory()
        let path = scratch.file(String(repeating: "d", count: 100))
        let error = await failure { _ = try await ActorRuntime.start(directory: path) }
        #expect(error?.code == .directoryUnusable)
        #expect(error?.message.contains("\(path.utf8.count) bytes") == true, "\(String(describing: error))")
    }

    @Test func `a directory of another user is refused`() async throws {
        try #require(geteuid() == 0, "this test needs root: it gives a directory to another user")
        let scratch = ScratchDirectory()
        let path = scratch.file("foreign")
        #expect(mkdir(path, 0o700) == 0 && chown(path, 65534, 65534) == 0)
        let error = await failure { _ = try await ActorRuntime.start(directory: path) }
        #expect(error?.code == .directoryUnusable)
        #expect(error?.message.contains("65534") == true)
        #expect(RuntimeDirectory.entries(of: path).isEmpty, "nothing was written")
    }

    @Test(arguments: ["/proc/durable-test", "/sys/durable-test"])
    func `a place that cannot be written to is refused with its path`(path: String) async {
        let error = await failure { _ = try await ActorRuntime.start(directory: path) }
        #expect(error?.code == .directoryUnusable)
        #expect(error?.message.contains(path) == true)
    }

    @Test func `a file in the directory's place is refused`() async throws {
        let scratch = ScratchDirectory()
        try Data("precious".utf8).write(to: URL(fileURLWithPath: scratch.file("data")))
        let error = await failure { _ = try await ActorRuntime.start(directory: scratch.file("data")) }
        #expect(error?.code == .directoryUnusable)
        #expect(try String(contentsOfFile: scratch.file("data"), encoding: .utf8) == "precious")
    }

    @Test func `a registry that is damaged or newer is refused and not touched`() async throws {
        let scratch = ScratchDirectory()
        let layout = RuntimeLayout(directory: scratch.file("data"))
        try RuntimeDirectory.prepare(layout)
        let file = URL(fileURLWithPath: "\(layout.supervisor)/data.mdb")
        let garbage = Data((0..<8192).map { UInt8(truncatingIfNeeded: $0 &* 31) })
        try garbage.write(to: file)
        let damaged = await failure { _ = try await ActorRuntime.start(directory: layout.directory) }
        #expect(damaged?.code == .directoryUnusable)
        #expect(damaged?.message.contains(layout.supervisor) == true, "\(String(describing: damaged))")
        #expect(try Data(contentsOf: file) == garbage)

        try FileManager.default.removeItem(at: file)
        let format = StoreFormat(name: "durable-registry", version: 99)
        try Environment.open(
            directory: layout.supervisor,
            options: EnvironmentOptions(format: format, databases: [])
        ).close()
        let newer = await failure { _ = try await ActorRuntime.start(directory: layout.directory) }
        #expect(newer?.code == .directoryUnusable)
        #expect(newer?.message.contains("99") == true, "\(String(describing: newer))")
    }

    @Test func `a shard that is damaged quarantines its actor, keeps its bytes, and spares the others`() async throws {
        let scratch = ScratchDirectory()
        let directory = scratch.file("data")
        let before = try await ActorRuntime.start(directory: directory)
        let stored = try await before.getOrCreate(Counter.self, name: "stored")
        _ = try await stored.add(5)
        let worker = try await before.process(of: stored)
        let supervisor = try #require(before.supervisorProcessID)
        // Detached, it goes on when its driver leaves; then everything is killed.
        await before.shutdown()
        for pid in [supervisor, worker] {
            kill(pid, SIGKILL)
            try await eventually("process \(pid) is gone") {
                Processes.isAlive(pid)
            } is: {
                !$0
            }
        }
        let file = URL(fileURLWithPath: "\(directory)/shards/1/data.mdb")
        var bytes = try Data(contentsOf: file)
        bytes.replaceSubrange(0..<8192, with: Data(repeating: 0x5a, count: 8192))
        try bytes.write(to: file)
        let runtime = try await ActorRuntime.start(directory: directory)
        let counter = try await runtime.getActor(Counter.self, name: "stored")
        let error = await failure { _ = try await counter.add(1) }
        #expect(error?.code == .quarantined, "\(String(describing: error))")
        #expect(error?.message.contains("shards/1") == true)
        #expect(try Data(contentsOf: file) == bytes)
        let other = try await runtime.spawn(Counter.self)
        #expect(try await other.add(1) == 1)
        await runtime.shutdown()
    }

    @Test func `modes are tight under any umask`() async throws {
        let scratch = ScratchDirectory()
        let before = umask(0)
        defer { umask(before) }
        try await ActorRuntime.withRuntime(directory: scratch.file("data")) { runtime in
            let counter = try await runtime.spawn(Counter.self)
            _ = try await counter.add(1)
            for path in try FileManager.default.subpathsOfDirectory(atPath: runtime.directory) + [""] {
                var status = stat()
                try #require(lstat("\(runtime.directory)/\(path)", &status) == 0)
                #expect(status.st_mode & 0o077 == 0, "\(path) has mode \(String(status.st_mode & 0o777, radix: 8))")
            }
        }
    }
}
