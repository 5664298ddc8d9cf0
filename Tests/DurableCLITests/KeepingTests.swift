import Dispatch
import DurableActors
import DurableLMDB
import DurableStore
import DurableSupervisor
import Foundation
import Glibc
import Synchronization
import Testing

@testable import durable

@Suite("Backups, restores and clones", .serialized)
struct KeepingTests {
    /// Pairs of accounts; whoever moves an amount takes it from the first and then gives it to the second.
    private func pairs(_ runtime: ActorRuntime, _ count: Int) async throws -> [(Account, Account)] {
        // All of the first ones have lower shard numbers, so that a cut that is none sees them earlier.
        let options = ActorOptions(maxRestarts: .unlimited, maxTaskRetries: .unlimited, durability: .process)
        var accounts: [Account] = []
        for name in ["from", "to"] {
            for number in 0..<count {
                accounts.append(
                    try await runtime.getOrCreate(Account.self, name: "\(name)-\(number)", options: options)
                )
            }
        }
        let pairs = (0..<count).map { (accounts[$0], accounts[count + $0]) }
        return pairs
    }

    @Test("a backup under load is a cut: what was given had been taken, and restored actors go on from there")
    func cutsUnderLoad() async throws {
        let folder = try KeepingFolder()
        let runtime = try await ActorRuntime.start(directory: folder.file("data"))
        let pairs = try await pairs(runtime, 6)
        try await pairs[0].0.write(600_000)
        let isDone = Flag()
        let moved = try await withThrowingTaskGroup(of: Int.self) { group in
            for (from, to) in pairs {
                group.addTask {
                    var count = 0
                    while !isDone.isSet {
                        _ = try await from.add(-1)
                        _ = try await to.add(1)
                        count += 1
                    }
                    return count
                }
            }
            for number in 0..<3 {
                let backup = try await KeepingTool.run("backup", folder.file("data"), folder.file("backup-\(number)"))
                #expect(backup.code == 0, "\(backup.errors)")
                let verify = try await KeepingTool.run("verify", folder.file("data"))
                #expect(verify.code == 0, "\(verify.output) \(verify.errors)")
            }
            isDone.set()
            return try await group.reduce(0, +)
        }
        #expect(moved > 0)
        #expect(folder.names == ["backup-0", "backup-1", "backup-2", "data"], "nothing else is left")
        try await endAll(runtime)
        for number in 0..<3 {
            let restored = folder.file("restored-\(number)")
            let restore = try await KeepingTool.run("restore", folder.file("backup-\(number)"), restored)
            #expect(restore.code == 0, "\(restore.errors)")
            let second = try await ActorRuntime.start(directory: restored)
            for (index, pair) in try await self.pairs(second, 6).enumerated() {
                let (taken, given) = (try await pair.0.read(), try await pair.1.read())
                let open = -taken[0] - given[0]
                #expect((0...1).contains(open), "backup \(number), pair \(index): \(taken[0]) taken, \(given[0]) given")
                #expect(taken[2] == (index == 0 ? 600_000 : 0))
                #expect(try await pair.1.add(5) == given[0] + 5)
            }
            try await endAll(second)
            #expect(try await KeepingTool.run("verify", restored).code == 0)
        }
    }

    @Test("where actors come and go, a verification finds nothing, and a backup can be used")
    func copesWithChange() async throws {
        let folder = try KeepingFolder()
        let runtime = try await ActorRuntime.start(directory: folder.file("data"))
        let stays = try await runtime.getOrCreate(Account.self, name: "stays", options: .resilient)
        _ = try await stays.add(1)
        let isDone = Flag()
        let lives = try await withThrowingTaskGroup(of: Int.self) { group in
            for task in 0..<2 {
                group.addTask {
                    var count = 0
                    while !isDone.isSet {
                        let account = try await runtime.getOrCreate(Account.self, name: "goes-\(task)-\(count)")
                        _ = try await account.add(1)
                        try await runtime.kill(account)
                        count += 1
                    }
                    return count
                }
            }
            for number in 0..<4 {
                let verify = try await KeepingTool.run("verify", folder.file("data"))
                #expect(verify.code == 0, "\(verify.output) \(verify.errors)")
                let backup = try await KeepingTool.run("backup", folder.file("data"), folder.file("backup-\(number)"))
                #expect(backup.code == 0, "\(backup.errors)")
            }
            isDone.set()
            return try await group.reduce(0, +)
        }
        #expect(lives > 0)
        try await endAll(runtime)
        #expect(try DataDirectory(folder.file("data")).shards == [1], "killed actors' shards are gone")
        let restore = try await KeepingTool.run("restore", folder.file("backup-3"), folder.file("new"))
        #expect(restore.code == 0, "\(restore.errors)")
        let second = try await ActorRuntime.start(directory: folder.file("new"))
        #expect(try await second.getActor(Account.self, name: "stays").add(1) == 2)
        try await endAll(second)
    }

    @Test("a restored directory has higher epochs, knows no process of the old one, and ends what was owned")
    func restores() async throws {
        let folder = try KeepingFolder()
        let runtime = try await ActorRuntime.start(directory: folder.file("data"))
        let kept = try await runtime.getOrCreate(Account.self, name: "kept", options: .resilient)
        let owned = try await runtime.spawn(Account.self, options: .resilient)
        _ = try await kept.add(3)
        _ = try await owned.add(4)
        #expect(try await KeepingTool.run("backup", folder.file("data"), folder.file("backup")).code == 0)
        let restore = try await KeepingTool.run("restore", folder.file("backup"), folder.file("new"))
        #expect(restore.code == 0, "\(restore.errors)")
        // Beside the runtime that it comes from, which it leaves alone.
        let second = try await ActorRuntime.start(directory: folder.file("new"))
        let copy = try await second.getActor(Account.self, name: "kept")
        #expect(try await copy.add(10) == 13)
        #expect(try await second.actors().map(\.id) == [copy.id])
        #expect(try await kept.read()[0] == 3)
        #expect(try await owned.add(1) == 5)
        let before = try #require(try ShardReader.read(folder.file("data/shards/1")).fence)
        let after = try #require(try ShardReader.read(folder.file("new/shards/1")).fence)
        #expect(after.epoch == before.epoch + 2, "one for the restore, one for the new worker")
        #expect(!FileManager.default.fileExists(atPath: folder.file("new/shards/2")))
        try await endAll(second)
        try await endAll(runtime)
    }

    @Test("a backup that was changed is refused, and nothing is made of it")
    func refusesChangedBackups() async throws {
        let folder = try KeepingFolder()
        let runtime = try await ActorRuntime.start(directory: folder.file("data"))
        _ = try await runtime.getOrCreate(Account.self, name: "one").add(1)
        try await endAll(runtime)
        #expect(try await KeepingTool.run("backup", folder.file("data"), folder.file("backup")).code == 0)
        let file = URL(fileURLWithPath: folder.file("backup/shards/1/data.mdb"))
        let sound = try Data(contentsOf: file)
        var bytes = sound
        bytes[20_000] ^= 1
        try bytes.write(to: file)
        let restore = try await KeepingTool.run("restore", folder.file("backup"), folder.file("new"))
        #expect(restore.code == 1)
        #expect(restore.errors.contains("shards/1/data.mdb is not what was backed up"), "\(restore.errors)")
        let verify = try await KeepingTool.run("verify", folder.file("backup"), "--json")
        #expect(verify.code == 1)
        #expect(verify.output.contains("\"sound\":false"), "\(verify.output)")
        try sound.write(to: file)
        #expect(try await KeepingTool.run("verify", folder.file("backup")).code == 0)
        let manifest = URL(fileURLWithPath: folder.file("backup/manifest"))
        let text = try String(contentsOf: manifest, encoding: .utf8)
        for (old, new) in [("time 1", "time 2"), ("durable-backup 1", "durable-backup 2"), ("end", "")] {
            try text.replacingOccurrences(of: old, with: new).write(to: manifest, atomically: true, encoding: .utf8)
            let refused = try await KeepingTool.run("restore", folder.file("backup"), folder.file("new"))
            #expect(refused.code == 1)
            #expect(refused.errors.split(separator: "\n").count == 1, "\(refused.errors)")
        }
        #expect(folder.names == ["backup", "data"])
    }

    @Test("what is there is never replaced, and what is no data directory is refused in one line")
    func refuses() async throws {
        let folder = try KeepingFolder()
        let runtime = try await ActorRuntime.start(directory: folder.file("data"))
        _ = try await runtime.getOrCreate(Account.self, name: "one").add(1)
        try await endAll(runtime)
        try FileManager.default.createDirectory(atPath: folder.file("empty"), withIntermediateDirectories: true)
        try Data("text".utf8).write(to: URL(fileURLWithPath: folder.file("text")))
        let (data, missing) = (folder.file("data"), folder.file("missing"))
        let (kept, newer) = (folder.file("kept"), folder.file("newer"))
        #expect(try await KeepingTool.run("backup", data, kept).code == 0)
        let before = RuntimeDirectory.entries(of: "\(kept)/shards/1")
        try FileManager.default.createDirectory(atPath: newer, withIntermediateDirectories: true)
        let format = StoreFormat(name: "durable-registry", version: 99)
        let options = EnvironmentOptions(format: format, databases: [])
        try Environment.open(directory: "\(newer)/supervisor", options: options).close()
        for arguments in [
            ["backup", data, folder.file("empty")], ["backup", data, folder.file("text")],
            ["backup", data, "\(missing)/below"], ["backup", missing, folder.file("b")],
            ["backup", folder.file("empty"), folder.file("b")], ["backup", folder.file("text"), folder.file("b")],
            ["restore", data, folder.file("b")], ["restore", missing, folder.file("b")],
            ["verify", missing], ["verify", folder.file("empty")], ["verify", folder.file("text")],
            ["history", data, "nobody"], ["history", data, "one", "--back-to", "1", "--yes"],
            ["backup", kept, folder.file("b")], ["clone", kept, "--to", folder.file("b")],
            ["clone", kept, "--actor", "one", "--as", "two"], ["history", kept, "one", "--back-to", "1", "--yes"],
            ["backup", newer, folder.file("b")], ["verify", newer], ["history", newer, "one"],
            ["clone", newer, "--actor", "one", "--as", "two"],
            ["clone", data, "--actor", "nobody", "--as", "x"], ["clone", data, "--actor", "one", "--as", "one"],
            ["clone", data, "--actor", "one", "--as", "no name"], ["clone", data, "--to", folder.file("empty")],
        ] {
            let tool = try await KeepingTool.run(arguments)
            #expect(tool.code == 1, "\(arguments)")
            // Findings are what a verification is for.
            let (silent, words) =
                arguments == ["verify", newer] ? (tool.errors, tool.output) : (tool.output, tool.errors)
            #expect(silent.isEmpty, "\(arguments)")
            #expect((1...2).contains(words.split(separator: "\n").count), "\(arguments): \(words)")
        }
        #expect(folder.names == ["data", "empty", "kept", "newer", "text"])
        #expect(RuntimeDirectory.entries(of: "\(kept)/shards/1") == before, "nothing was put into the backup")
        #expect(try await KeepingTool.run("verify", data).code == 0)
    }

    @Test("a backup for which there is no room leaves nothing")
    func leavesNothing() async throws {
        let folder = try KeepingFolder()
        let runtime = try await ActorRuntime.start(directory: folder.file("data"))
        try await runtime.getOrCreate(Account.self, name: "one").write(500_000)
        try await endAll(runtime)
        // No file may grow beyond 128 KiB.
        let limit = "trap '' XFSZ; ulimit -f 256"
        let backup = try await KeepingTool.run("backup", folder.file("data"), folder.file("backup"), shell: limit)
        #expect(backup.code == 1)
        #expect(backup.errors.split(separator: "\n").count == 1, "\(backup.errors)")
        #expect(folder.names == ["data"])
    }

    @Test("when somebody holds a shard and does not go on, the backup gives up and nobody waits any more")
    func givesUp() async throws {
        let folder = try KeepingFolder()
        let runtime = try await ActorRuntime.start(directory: folder.file("data"))
        _ = try await runtime.getOrCreate(Account.self, name: "one").add(1)
        _ = try await runtime.getOrCreate(Account.self, name: "two").add(1)
        try await endAll(runtime)
        let environment = try Environment.open(
            directory: folder.file("data/shards/2"),
            options: EnvironmentOptions(format: StoreFormat(name: "durable-shard", version: 1), databases: ["meta"])
        )
        let (isHeld, mayGo, isOver) = (
            DispatchSemaphore(value: 0), DispatchSemaphore(value: 0), DispatchSemaphore(value: 0)
        )
        Thread.detachNewThread {
            try? environment.write { (_) throws(LMDBError) in
                isHeld.signal()
                mayGo.wait()
            }
            environment.close()
            isOver.signal()
        }
        func wait(_ semaphore: DispatchSemaphore) { semaphore.wait() }
        wait(isHeld)
        let backup = try await KeepingTool.run("backup", folder.file("data"), folder.file("backup"), "--patience", "1")
        #expect(backup.code == 1)
        #expect(backup.errors.contains("no cut within 1 s"), "\(backup.errors)")
        #expect(folder.names == ["data"])
        // The first shard had been held by the tool.
        try ShardHistory.raiseEpoch(of: folder.file("data/shards/1"))
        mayGo.signal()
        wait(isOver)
        #expect(try await KeepingTool.run("backup", folder.file("data"), folder.file("backup")).code == 0)
    }

    @Test("a backup that was killed is no backup, and the next one clears what it left")
    func survivesKills() async throws {
        let folder = try KeepingFolder()
        let runtime = try await ActorRuntime.start(directory: folder.file("data"))
        let account = try await runtime.getOrCreate(Account.self, name: "one")
        try await account.write(3_000_000)
        for round in 0..<5 {
            let tool = try KeepingTool.start("backup", folder.file("data"), folder.file("backup"))
            while tool.isRunning, folder.names == ["data"] {}
            for _ in 0..<round * 20_000 where tool.isRunning {}
            kill(tool.processIdentifier, SIGKILL)
            tool.waitUntilExit()
            #expect(try await account.add(1) == round + 1)
            guard folder.names.contains("backup") else { continue }
            #expect(try await KeepingTool.run("verify", folder.file("backup")).code == 0)
            RuntimeDirectory.remove(folder.file("backup"))
        }
        let last = try await KeepingTool.run("backup", folder.file("data"), folder.file("backup"))
        #expect(last.code == 0, "\(last.errors)")
        #expect(folder.names == ["backup", "data"])
        try await endAll(runtime)
    }

    @Test("a directory that is damaged is not backed up, and says where")
    func refusesDamage() async throws {
        let folder = try KeepingFolder()
        let runtime = try await ActorRuntime.start(directory: folder.file("data"))
        _ = try await runtime.getOrCreate(Account.self, name: "one").add(1)
        try await endAll(runtime)
        let file = URL(fileURLWithPath: folder.file("data/shards/1/data.mdb"))
        var bytes = try Data(contentsOf: file)
        let value = try #require(bytes.range(of: Data("amount".utf8), options: .backwards))
        bytes[value.upperBound + 3] ^= 0xff
        try bytes.write(to: file)
        let verify = try await KeepingTool.run("verify", folder.file("data"))
        #expect(verify.code == 1)
        #expect(verify.output.contains("FOUND  shards/1/data.mdb"), "\(verify.output)")
        let backup = try await KeepingTool.run("backup", folder.file("data"), folder.file("backup"))
        #expect(backup.code == 1)
        #expect(backup.errors.contains("shards/1/data.mdb"), "\(backup.errors)")
        #expect(folder.names == ["data"])
        #expect(try Data(contentsOf: file) == bytes)
    }

    @Test("an actor that runs is put back by the tool, and goes on from there")
    func goesBack() async throws {
        let folder = try KeepingFolder()
        let runtime = try await ActorRuntime.start(directory: folder.file("data"))
        var options = ActorOptions.resilient
        options.history = .last(10)
        let account = try await runtime.getOrCreate(Account.self, name: "one", options: options)
        for _ in 1...20 { _ = try await account.add(1) }
        let list = try await KeepingTool.run("history", folder.file("data"), "one", "--json")
        let lines = list.output.split(separator: "\n")
        #expect(lines.count == 10, "\(list.output)")
        #expect(lines.allSatisfy { $0.contains("\"amount\"") && $0.contains("\"entries\"") })
        let version = try #require(try ShardReader.read(folder.file("data/shards/1")).fence).version
        let diff = try await KeepingTool.run(
            "history",
            folder.file("data"),
            "one",
            "--diff",
            "\(version - 2)",
            "\(version)"
        )
        #expect(diff.output.contains(#"{"after":20,"before":18,"property":"amount"}"#), "\(diff.output)")
        #expect(diff.output.contains(#"{"key":"0","after":20,"before":10,"property":"entries"}"#), "\(diff.output)")
        let unasked = try await KeepingTool.run("history", folder.file("data"), "one", "--back-to", "\(version - 5)")
        #expect(unasked.code == 1, "nobody said yes")
        let back = try await KeepingTool.run(
            "history",
            folder.file("data"),
            "one",
            "--back-to",
            "\(version - 5)",
            "--yes"
        )
        #expect(back.code == 0, "\(back.errors)")
        #expect(try await account.read() == [15, 10, 0])
        #expect(try await account.add(1) == 16)
        #expect(try await KeepingTool.run("verify", folder.file("data")).code == 0)
        let deaths = try RegistryStore(RuntimeLayout(directory: folder.file("data")), readOnly: true).ledger(newest: 5)
        #expect(deaths.map(\.cause) == [.fenced])
        try await endAll(runtime)
    }

    @Test("an actor of a group is put back and cloned alone, and a group is backed up and restored whole")
    func goesBackInGroup() async throws {
        let folder = try KeepingFolder()
        let runtime = try await ActorRuntime.start(directory: folder.file("data"))
        let plain = ActorOptions.resilient.shared("group")
        var options = plain
        options.history = .last(3)
        let account = try await runtime.getOrCreate(Account.self, name: "one", options: options)
        let neighbour = try await runtime.getOrCreate(Account.self, name: "two", options: plain)
        let leaver = try await runtime.getOrCreate(Account.self, name: "three", options: options)
        for _ in 1...6 {
            for each in [account, neighbour, leaver] { _ = try await each.add(1) }
        }
        try await runtime.kill(leaver)
        let list = try await KeepingTool.run("history", folder.file("data"), "one", "--json")
        let versions = list.output.matches(of: /"version":([0-9]+)/).compactMap { UInt64($0.output.1) }
        #expect(versions.count == 3, "\(list.output)")
        let none = try await KeepingTool.run("history", folder.file("data"), "two", "--json")
        #expect(none.output.isEmpty, "\(none.output)")
        let oldest = try #require(versions.first)
        let back = try await KeepingTool.run(
            "history",
            folder.file("data"),
            "one",
            "--back-to",
            "\(oldest)",
            "--yes"
        )
        #expect(back.code == 0, "\(back.errors)")
        #expect(try await account.read()[0] == 4)
        #expect(try await neighbour.read()[0] == 6)
        #expect(try await account.add(1) == 5)
        #expect(try await neighbour.add(1) == 7)
        let verified = try await KeepingTool.run("verify", folder.file("data"))
        #expect(verified.code == 0, "\(verified.output)\(verified.errors)")
        let backup = try await KeepingTool.run("backup", folder.file("data"), folder.file("kept"))
        #expect(backup.code == 0, "\(backup.errors)")
        let restored = try await KeepingTool.run("restore", folder.file("kept"), folder.file("new"))
        #expect(restored.code == 0, "\(restored.errors)")
        try await endAll(runtime)
        let clone = try await KeepingTool.run("clone", folder.file("new"), "--actor", "two", "--as", "twin")
        #expect(clone.code == 0, "\(clone.errors)")
        #expect(try await KeepingTool.run("verify", folder.file("new")).code == 0)
        let second = try await ActorRuntime.start(directory: folder.file("new"))
        for (name, amount) in [("one", 6), ("two", 8), ("twin", 8)] {
            let actor = try await second.getActor(Account.self, name: name)
            #expect(try await actor.add(1) == amount, "\(name)")
        }
        #expect(try await KeepingTool.run("verify", folder.file("new")).code == 0)
        try await endAll(second)
    }

    @Test("a clone has the state, an identity of its own, and leaves the original alone")
    func clones() async throws {
        let folder = try KeepingFolder()
        let runtime = try await ActorRuntime.start(directory: folder.file("data"))
        let original = try await runtime.getOrCreate(Account.self, name: "one", options: .resilient)
        for _ in 1...25 { _ = try await original.add(1) }
        try await original.write(700_000)
        let refused = try await KeepingTool.run("clone", folder.file("data"), "--actor", "one", "--as", "two")
        #expect(refused.code == 1)
        #expect(refused.errors.contains("a runtime is using"), "\(refused.errors)")
        let whole = try await KeepingTool.run("clone", folder.file("data"), "--to", folder.file("copy"))
        #expect(whole.code == 0, "\(whole.errors)")
        #expect(folder.names == ["copy", "data"])
        try await endAll(runtime)
        let clone = try await KeepingTool.run("clone", folder.file("copy"), "--actor", "one", "--as", "two")
        #expect(clone.code == 0, "\(clone.errors)")
        #expect(try await KeepingTool.run("verify", folder.file("copy")).code == 0)
        let second = try await ActorRuntime.start(directory: folder.file("copy"))
        let (one, two) = (
            try await second.getActor(Account.self, name: "one"), try await second.getActor(Account.self, name: "two")
        )
        #expect(one.id == original.id && two.id != original.id)
        #expect(try await two.read() == [25, 10, 700_000])
        #expect(try await two.add(100) == 125)
        #expect(try await one.add(1) == 26)
        // A killed actor's shard goes.
        try await second.kill(two)
        #expect(RuntimeDirectory.entries(of: folder.file("copy/shards")) == ["1"])
        try await endAll(second)
    }
}

/// Says once that something is over.
private final class Flag: Sendable {
    private let state = Mutex(false)

    var isSet: Bool { state.withLock { $0 } }

    func set() { state.withLock { $0 = true } }
}
