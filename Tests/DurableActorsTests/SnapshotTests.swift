import DurableActors
import DurableCore
import DurableProcess
import DurableStore
import DurableSupervisor
import Foundation
import Glibc
import Testing

/// Actors with `Durability.process` over a crash of the machine: everything is killed, the recorded boot is made
/// another one, and the file is damaged as a power loss damages it.
@Suite(.serialized) struct SnapshotTests {
    private static let options = ActorOptions(
        maxRestarts: .unlimited,
        maxTaskRetries: .unlimited,
        durability: .process
    )
    private let scratch = ScratchDirectory()

    private var directory: String { scratch.file("data") }
    private var shard: String { "\(directory)/shards/1" }
    private var data: URL { URL(fileURLWithPath: "\(shard)/data.mdb") }

    private func start(snapshotInterval: Duration) async throws -> ActorRuntime {
        var configuration = RuntimeConfiguration()
        configuration.snapshotInterval = snapshotInterval
        return try await ActorRuntime.start(directory: directory, configuration: configuration)
    }

    private func isGone(_ pid: Int32) async throws {
        try await eventually("process \(pid) is gone") {
            Processes.isAlive(pid)
        } is: {
            !$0
        }
    }

    /// Ends every process of a runtime with one detached actor, and makes it look as if the machine had gone down.
    private func crash(_ runtime: ActorRuntime, _ actor: some DurableActor) async throws {
        let supervisor = try #require(runtime.supervisorProcessID)
        let worker = try await runtime.process(of: actor)
        let spares = Processes.children(of: supervisor).map(\.pid).filter { $0 != worker }
        await runtime.shutdown()
        kill(supervisor, SIGKILL)
        kill(worker, SIGKILL)
        for pid in [supervisor, worker] + spares { try await isGone(pid) }
        try Data("another boot\n".utf8).write(to: URL(fileURLWithPath: "\(shard)/unsynced"))
    }

    private var snapshots: [UInt64] {
        RuntimeDirectory.entries(of: "\(shard)/snapshots").compactMap { UInt64($0) }.sorted()
    }

    /// Until the newest snapshot holds everything, and older ones are gone.
    private func waitForSnapshot() async throws {
        let version = try ShardReader.read(shard).fence?.version
        try await eventually("a snapshot of version \(version ?? 0)") {
            snapshots
        } is: {
            $0.last == version && $0.count <= 2
        }
    }

    private func ledger() throws -> [LedgerEntry] {
        let registry = try RegistryStore(RuntimeLayout(directory: directory), readOnly: true)
        defer { registry.close() }
        return try registry.ledger(newest: 100)
    }

    @Test func `a damaged file gives way to the newest snapshot, and the ledger and inspect say so`() async throws {
        let before = try await start(snapshotInterval: .milliseconds(10))
        let counter = try await before.getOrCreate(Counter.self, name: "counter", options: Self.options)
        for expected in 1...20 { #expect(try await counter.add(1) == expected) }
        try await waitForSnapshot()
        let version = try #require(snapshots.last)
        try await crash(before, counter)
        var bytes = try Data(contentsOf: data)
        bytes.replaceSubrange(8192..<bytes.count, with: Data(repeating: 0x5a, count: bytes.count - 8192))
        try bytes.write(to: data)

        let after = try await start(snapshotInterval: .seconds(60))
        let same = try await after.getActor(Counter.self, name: "counter")
        #expect(try await same.add(1) == 21)
        #expect(try Data(contentsOf: URL(fileURLWithPath: "\(shard)/damaged-1.mdb")) == bytes)
        try await eventually("the ledger has the notice") {
            try ledger().compactMap(\.notice)
        } is: {
            $0.count == 1
        }
        let notice = try #require(try ledger().compactMap(\.notice).first)
        #expect(notice.contains("version \(version)") && notice.contains("damaged-1.mdb"), "\(notice)")
        try await eventually("the notice is not told twice") {
            RuntimeDirectory.entries(of: shard)
        } is: {
            !$0.contains("notice")
        }
        let shown = try Tool.run("inspect", directory)
        #expect(shown.contains("fell back to the snapshot of"), "\(shown)")
        let json = try Tool.run("inspect", directory, "--json")
        #expect(json.contains("\"notice\""), "\(json)")
        try await after.kill(same)
        #expect(!FileManager.default.fileExists(atPath: shard), "snapshots and damaged files go with the actor")
        await after.shutdown()
    }

    @Test func `an undamaged file is kept with everything that was acknowledged`() async throws {
        let before = try await start(snapshotInterval: .milliseconds(10))
        let counter = try await before.getOrCreate(Counter.self, name: "counter", options: Self.options)
        for expected in 1...20 { #expect(try await counter.add(1) == expected) }
        try await waitForSnapshot()
        try await crash(before, counter)
        try await ActorRuntime.withRuntime(directory: directory) { runtime in
            let same = try await runtime.getActor(Counter.self, name: "counter")
            #expect(try await same.read() == 20)
            #expect(try ledger().allSatisfy { $0.notice == nil })
            try await runtime.kill(same)
        }
    }

    @Test func `without a snapshot a damaged file quarantines the actor and stays as it is`() async throws {
        let before = try await start(snapshotInterval: .seconds(60))
        let counter = try await before.getOrCreate(Counter.self, name: "counter", options: Self.options)
        #expect(try await counter.add(1) == 1)
        try await crash(before, counter)
        let bytes = try Data(contentsOf: data).prefix(8192)
        try bytes.write(to: data)
        try await ActorRuntime.withRuntime(directory: directory) { runtime in
            let same = try await runtime.getActor(Counter.self, name: "counter")
            let error = await failure { _ = try await same.read() }
            #expect(error?.code == .quarantined, "\(String(describing: error))")
            #expect(error?.message.contains("there is no snapshot") == true, "\(String(describing: error))")
            #expect(try Data(contentsOf: data) == bytes)
            try await runtime.kill(same)
        }
    }

    @Test func `a notice that the ledger did not get is brought again by the next life`() async throws {
        let before = try await start(snapshotInterval: .seconds(60))
        let counter = try await before.getOrCreate(Counter.self, name: "counter", options: Self.options)
        #expect(try await counter.add(1) == 1)
        try Data("something happened".utf8).write(to: URL(fileURLWithPath: "\(shard)/notice"))
        kill(try await before.process(of: counter), SIGKILL)
        #expect(try await counter.read() == 1)
        try await eventually("the ledger has the notice") {
            try ledger().compactMap(\.notice)
        } is: {
            $0 == ["something happened"]
        }
        try await before.kill(counter)
        await before.shutdown()
    }

    @Test func `a worker that nobody adopts ends with everything flushed`() async throws {
        var configuration = RuntimeConfiguration()
        configuration.gracePeriod = .milliseconds(100)
        let runtime = try await ActorRuntime.start(directory: directory, configuration: configuration)
        let counter = try await runtime.getOrCreate(Counter.self, name: "counter", options: Self.options)
        #expect(try await counter.add(3) == 3)
        #expect(FileManager.default.fileExists(atPath: "\(shard)/unsynced"))
        let (supervisor, worker) = (try #require(runtime.supervisorProcessID), try await runtime.process(of: counter))
        await runtime.shutdown()
        kill(supervisor, SIGKILL)
        try await isGone(worker)
        #expect(!FileManager.default.fileExists(atPath: "\(shard)/unsynced"))
        #expect(try ShardCheck.version(of: shard) > 0)
        try await ActorRuntime.withRuntime(directory: directory) { again in
            let same = try await again.getActor(Counter.self, name: "counter")
            #expect(try await same.read() == 3)
            try await again.kill(same)
        }
    }

    @Test func `kills while snapshots are taken lose nothing and leave only whole snapshots`() async throws {
        let runtime = try await start(snapshotInterval: .milliseconds(10))
        let archive = try await runtime.getOrCreate(Archive.self, name: "archive", options: Self.options)
        #expect(try await archive.fill(3000) == 3000)
        for round in 1...25 {
            for number in 1...10 { _ = try await archive.put("\(round) \(number)", round) }
            kill(try await runtime.process(of: archive), SIGKILL)
        }
        #expect(try await archive.all().count == 3250)
        try await waitForSnapshot()
        for version in snapshots { #expect(try ShardCheck.version(of: "\(shard)/snapshots/\(version)") >= version) }
        try await crash(runtime, archive)
        try Data().write(to: data)
        try await ActorRuntime.withRuntime(directory: directory) { again in
            let same = try await again.getActor(Archive.self, name: "archive")
            #expect(try await same.all().count == 3250)
            #expect(try await same.value("25 10") == [25])
            try await again.kill(same)
        }
    }

    @Test func `on a disk that is too small for snapshots every acknowledged change is kept all the same`() async throws
    {
        try #require(geteuid() == 0, "this test mounts a small file system, which only root may")
        let mount = scratch.file("small")
        #expect(mkdir(mount, 0o700) == 0)
        try SmallDisk.run("mount", "-t", "tmpfs", "-o", "size=6m,mode=0700", "durable-test", mount)
        defer { try? SmallDisk.run("umount", "-l", mount) }
        var configuration = RuntimeConfiguration()
        configuration.snapshotInterval = .milliseconds(10)
        try await ActorRuntime.withRuntime(directory: "\(mount)/data", configuration: configuration) { runtime in
            let hoarder = try await runtime.spawn(Hoarder.self, options: Self.options)
            var (kept, refusals) = (0, 0)
            for round in 1...40 {
                let wanted = round * 60_000
                do {
                    kept = try await hoarder.keep(wanted)
                } catch let error as ActorError {
                    #expect(error.code == .storageFull, "\(error)")
                    refusals += 1
                }
                #expect(try await hoarder.kept() == kept)
            }
            #expect(refusals > 0, "the disk was too large for this test")
            kill(try await runtime.process(of: hoarder), SIGKILL)
            #expect(try await hoarder.kept() == kept)
            try await eventually("there is room for less") {
                let error = await failure { kept = try await hoarder.keep(1000) }
                #expect(error == nil || error?.code == .storageFull, "\(String(describing: error))")
                return kept
            } is: {
                $0 == 1000
            }
            #expect(try await hoarder.kept() == 1000)
        }
    }

    @Test(arguments: [Duration.zero, .milliseconds(9), .seconds(86_401), .seconds(-1)])
    func `a snapshot interval that is not allowed is refused with what is`(interval: Duration) async {
        var configuration = RuntimeConfiguration()
        configuration.snapshotInterval = interval
        let error = await failure { _ = try await ActorRuntime.start(configuration: configuration) }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.contains("0.01 seconds to a day") == true)
    }
}

/// Programs that make a small file system and take it away.
enum SmallDisk {
    static func run(_ arguments: String...) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = arguments
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "\(arguments) failed")
    }
}

/// The command-line tool, run to its end.
enum Tool {
    /// What it prints.
    static func run(_ arguments: String...) throws -> String {
        let executable = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let process = Process()
        process.executableURL = URL(fileURLWithPath: executable).deletingLastPathComponent()
            .appendingPathComponent("durable")
        process.arguments = arguments
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let printed = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return String(decoding: printed, as: UTF8.self)
    }
}
