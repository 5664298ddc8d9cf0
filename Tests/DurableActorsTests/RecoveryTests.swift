import DurableActors
import DurableCore
import Foundation
import Glibc
import Testing

/// What a next supervisor finds: actors never started, a registry that is gone, workers that nobody recorded.
@Suite(.serialized) struct RecoveryTests {
    @Test func `an actor whose first worker was never assigned is started by the next supervisor`() async throws {
        var configuration = RuntimeConfiguration()
        configuration.warmSpares = 0
        try await ActorRuntime.withRuntime(configuration: configuration) { runtime in
            let counter = try await runtime.spawn(Counter.self)
            kill(try #require(runtime.supervisorProcessID), SIGKILL)
            #expect(try await counter.add(1) == 1)
        }
    }

    @Test func `shards without a registry are neither served nor removed`() async throws {
        let scratch = ScratchDirectory()
        let directory = scratch.file("data")
        let runtime = try await ActorRuntime.start(directory: directory)
        let counter = try await runtime.getOrCreate(Counter.self, name: "kept")
        _ = try await counter.add(3)
        let (supervisor, worker) = (try #require(runtime.supervisorProcessID), try await runtime.process(of: counter))
        await runtime.shutdown()
        for pid in [supervisor, worker] {
            kill(pid, SIGKILL)
            try await eventually("process \(pid) is gone") {
                Processes.isAlive(pid)
            } is: {
                !$0
            }
        }
        let registry = "\(directory)/supervisor/data.mdb"
        try FileManager.default.moveItem(atPath: registry, toPath: scratch.file("registry"))
        let error = await failure { _ = try await ActorRuntime.start(directory: directory) }
        #expect(error?.code == .directoryUnusable)
        #expect(error?.message.contains("registry") == true)
        #expect(FileManager.default.fileExists(atPath: "\(directory)/shards/1/data.mdb"))

        // Put back, it serves what it had.
        try FileManager.default.removeItem(atPath: registry)
        try FileManager.default.moveItem(atPath: scratch.file("registry"), toPath: registry)
        try await ActorRuntime.withRuntime(directory: directory) { again in
            let same = try await again.getActor(Counter.self, name: "kept")
            #expect(try await same.read() == 3)
            try await again.kill(same)
        }
    }

    @Test func `kills of worker and supervisor in the same instant never lose an actor`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            var options = ActorOptions.resilient
            options.durability = .process
            let counter = try await runtime.spawn(Counter.self, options: options)
            for round in 1...30 {
                #expect(try await counter.add(1) == round)
                let worker = try await runtime.process(of: counter)
                let supervisor = runtime.supervisorProcessID
                // The supervisor sees the death, assigns the next worker, and may die before it has stored that.
                kill(worker, SIGKILL)
                if round.isMultiple(of: 2) { _ = try await counter.read() }
                if let supervisor { kill(supervisor, SIGKILL) }
            }
            #expect(try await counter.read() == 30)
        }
    }

    @Test func `a spawn that is overtaken by the shutdown leaves nothing behind`() async throws {
        for _ in 0..<5 {
            let runtime = try await ActorRuntime.start()
            let supervisor = try #require(runtime.supervisorProcessID)
            let spawning = Task { try await runtime.spawn(Counter.self) }
            await Task.yield()
            await runtime.shutdown()
            let outcome = await failure { _ = try await spawning.value }
            #expect(outcome == nil || outcome?.code == .runtimeStopped)
            try await eventually("the supervisor is gone") {
                Processes.isAlive(supervisor)
            } is: {
                !$0
            }
            #expect(!FileManager.default.fileExists(atPath: runtime.directory))
        }
    }
}

/// A disk without room.
@Suite(.serialized) struct FullDiskTests {
    @Test func `a full disk fails the call, changes nothing, and the actor goes on when there is room`() async throws {
        try #require(geteuid() == 0, "this test needs root: it mounts a small file system")
        let scratch = ScratchDirectory()
        let mount = scratch.file("small")
        #expect(mkdir(mount, 0o700) == 0)
        try run("mount", "-t", "tmpfs", "-o", "size=4m,mode=0700", "durable-test", mount)
        defer { try? run("umount", "-l", mount) }
        try await ActorRuntime.withRuntime(directory: "\(mount)/data") { runtime in
            let hoarder = try await runtime.spawn(Hoarder.self, options: .resilient)
            #expect(try await hoarder.keep(1000) == 1000)
            let pid = try await hoarder.processID()
            let error = await failure { _ = try await hoarder.keep(6 << 20) }
            #expect(error?.code == .storageFull, "\(String(describing: error))")
            #expect(try await hoarder.kept() == 1000, "memory did not run ahead of the disk")
            #expect(try await hoarder.keep(2000) == 2000)
            #expect(try await hoarder.processID() == pid)
            kill(pid, SIGKILL)
            #expect(try await hoarder.kept() == 2000)

            // What waits behind the call that finds no room runs when the actor is built again, in its order.
            let failing = hoarder.submit { try await $0.keep(6 << 20) }
            let waiting = (1...50).map { count in hoarder.submit { try await $0.keep(count) } }
            #expect(await failure { _ = try await failing.value }?.code == .storageFull)
            for (position, ref) in waiting.enumerated() { #expect(try await ref.value == position + 1) }
            #expect(try await hoarder.kept() == 50)
        }
    }

    @Test func `a call that is stored is answered by its record beside one that finds no room`() async throws {
        try #require(geteuid() == 0, "this test needs root: it mounts a small file system")
        let scratch = ScratchDirectory()
        let mount = scratch.file("small")
        #expect(mkdir(mount, 0o700) == 0)
        try run("mount", "-t", "tmpfs", "-o", "size=4m,mode=0700", "durable-test", mount)
        defer { try? run("umount", "-l", mount) }
        try await ActorRuntime.withRuntime(directory: "\(mount)/data") { runtime in
            let hoarder = try await runtime.spawn(Hoarder.self, options: .resilient)
            let caller = try RawCaller(runtime, shard: 1)
            let stored = try caller.frame(1, to: hoarder, "keep", 1000)
            #expect(try await caller.send(stored).outcome.number == 1000)
            caller.post(together: [stored, try caller.frame(2, to: hoarder, "keep", 6 << 20)])
            #expect(try await caller.reply(to: 1).outcome.number == 1000, "what is stored was not changed")
            #expect(try await caller.reply(to: 2).outcome.error?.code == .storageFull)
        }
    }

    private func run(_ arguments: String...) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = arguments
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "\(arguments) failed")
    }
}

/// Keeps as many bytes as it is told to.
distributed actor Hoarder: DurableActor {
    @Checkpointed var bytes: [UInt8] = []

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
    }

    distributed func keep(_ count: Int) -> Int {
        bytes = [UInt8](repeating: 1, count: count)
        return bytes.count
    }

    distributed func kept() -> Int { bytes.count }

    distributed func processID() -> Int32 { getpid() }
}
