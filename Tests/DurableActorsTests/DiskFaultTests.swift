import DurableActors
import DurableCore
import DurableStore
import DurableSupervisor
import Foundation
import Glibc
import Testing

/// Disks that fail, run full or write half, and clocks that jump. What was acknowledged is there afterwards, and
/// nothing else; callers are told; the actor goes on by itself when the fault has passed.
@Suite(.serialized) struct DiskFaultTests {
    private static let levels: [Durability] = [.disk, .process]
    private static let faults: [(DiskFaults.Operation, DiskFaults.Outcome)] = [
        (.data, .error(EIO)), (.data, .error(ENOSPC)), (.data, .short), (.data, .doneAndError(EIO)),
        (.meta, .error(EIO)), (.meta, .error(ENOSPC)), (.meta, .short), (.meta, .doneAndError(EIO)),
        (.sync, .error(EIO)), (.sync, .error(ENOSPC)), (.sync, .doneAndError(EIO)),
    ]
    private let scratch = ScratchDirectory()

    private static func options(_ durability: Durability) -> ActorOptions {
        ActorOptions(maxRestarts: .unlimited, maxTaskRetries: .unlimited, durability: durability)
    }

    /// Adds one. True when it was acknowledged; fails the test when the error is not of the storage.
    private func isAdded(to counter: Counter) async throws -> Bool {
        do {
            _ = try await counter.add(1)
            return true
        } catch let error as ActorError {
            #expect([.storageFailed, .storageFull].contains(error.code), "\(error)")
            return false
        }
    }

    /// Adds one as soon as that is possible again.
    private func goesOn(_ counter: Counter) async throws {
        try await eventually("the actor goes on by itself") {
            try await isAdded(to: counter)
        } is: {
            $0
        }
    }

    @Test(arguments: levels)
    func `a fault in a commit fails its call alone, and what was acknowledged is there`(level: Durability) async throws
    {
        let disk = try DiskFaults(scratch)
        defer { disk.end() }
        try await ActorRuntime.withRuntime(directory: disk.directory) { runtime in
            for (operation, outcome) in Self.faults {
                let counter = try await runtime.spawn(Counter.self, options: Self.options(level))
                var acknowledged = 0
                let before = disk.count
                try await goesOn(counter)
                acknowledged += 1
                let process = try await counter.processID()
                for first in 1...3 {
                    disk.arm(operation, outcome, first: first)
                    var failures = 0
                    for _ in 0..<4 {
                        if try await isAdded(to: counter) { acknowledged += 1 } else { failures += 1 }
                    }
                    disk.disarm()
                    #expect(failures <= 1, "\(operation), \(outcome): one fault, \(failures) failed calls")
                    try await goesOn(counter)
                    acknowledged += 1
                    #expect(try await counter.read() == acknowledged, "\(level), \(operation), \(outcome), \(first)")
                }
                let isOnPath = level == .disk || operation != .sync
                #expect((disk.count > before) == isOnPath, "\(operation), \(outcome): \(disk.count - before) faults")
                #expect(try await counter.processID() == process, "no life ended over it")
                kill(process, SIGKILL)
                #expect(try await counter.read() == acknowledged, "\(level), \(operation), \(outcome), after a kill")
                try await runtime.kill(counter)
            }
        }
    }

    @Test func `a turn that began after the shard was opened again is not lost to the error before`() async throws {
        let disk = try DiskFaults(scratch)
        defer { disk.end() }
        try await ActorRuntime.withRuntime(directory: disk.directory) { runtime in
            let fragile = try await runtime.spawn(Fragile.self, .init(), options: Self.options(.disk))
            let other = try await runtime.spawn(Counter.self, options: Self.options(.none))
            #expect(try await fragile.add(1) == 1)
            // This leaves an environment that cannot be read either, so each arrival is an attempt to build the actor.
            var isShown = false
            for round in 1...20 where !isShown {
                let (file, begun) = (scratch.file("file\(round)"), scratch.file("begun\(round)"))
                disk.arm(.meta, .error(ENOSPC))
                await #expect(throws: ActorError.self) { try await fragile.add(1) }
                disk.disarm()
                let turn = fragile.submit { try await $0.wait(for: file, log: begun) }
                for _ in 0..<100 { _ = try await other.read() }
                // On a slow machine the shard can be open again by then, which shows nothing.
                isShown = Attempts.count(in: begun) == 0
                let behind = fragile.submit { try await $0.add(1) }
                let end = ContinuousClock.now + .milliseconds(700)
                while ContinuousClock.now < end { _ = try await other.read() }
                close(open(file, O_CREAT | O_WRONLY, 0o600))
                #expect(try await turn.value == 1)
                #expect(try await behind.value == round + 1)
            }
            #expect(isShown, "the shard was opened too early, twenty times")
        }
    }

    @Test func `a group whose shard cannot be opened again goes on trying, also after a second failure`() async throws {
        let disk = try DiskFaults(scratch)
        defer { disk.end() }
        try await ActorRuntime.withRuntime(directory: disk.directory) { runtime in
            let options = Self.options(.disk).shared("group")
            let one = try await runtime.spawn(Counter.self, options: options)
            let other = try await runtime.spawn(Counter.self, options: options)
            #expect(try await one.add(1) == 1)
            #expect(try await other.add(1) == 1)
            // The first cannot be built again, so the shard is to be opened again in a while. Before that, the second
            // finds out as well, and the attempt that follows fails.
            disk.arm(.meta, .error(ENOSPC))
            #expect(try await !isAdded(to: one))
            disk.arm(.any, .error(EIO), count: 1_000_000)
            let before = disk.count
            #expect(try await !isAdded(to: other))
            try await eventually("it could not be opened") {
                disk.count
            } is: {
                $0 > before
            }
            disk.disarm()
            #expect(try await one.add(1) == 2)
            #expect(try await other.add(1) == 2)
        }
    }

    @Test(arguments: levels)
    func `while the disk fails nothing is acknowledged, and kills in between change nothing`(
        level: Durability
    ) async throws {
        let disk = try DiskFaults(scratch)
        defer { disk.end() }
        try await ActorRuntime.withRuntime(directory: disk.directory) { runtime in
            let counter = try await runtime.spawn(Counter.self, options: Self.options(level))
            for expected in 1...5 { #expect(try await counter.add(1) == expected) }
            let process = try await counter.processID()
            disk.arm(.any, .error(EIO), count: 1_000_000)
            #expect(try await !isAdded(to: counter))
            // These wait for the actor, which cannot be built again yet.
            let refs = (1...3).map { _ in counter.submit { try await $0.add(1) } }
            let before = disk.count
            try await eventually("another attempt has failed") {
                disk.count
            } is: {
                $0 > before + 1
            }
            kill(process, SIGKILL)
            let atDeath = disk.count
            try await eventually("a next life has failed as well") {
                disk.count
            } is: {
                $0 > atDeath
            }
            disk.disarm()
            for (offset, ref) in refs.enumerated() { #expect(try await ref.value == 6 + offset) }
            kill(try await counter.processID(), SIGKILL)
            #expect(try await counter.read() == 8)
        }
    }

    @Test(arguments: levels)
    func `a life that begins on a failing disk waits for it, and uses up no restarts`(level: Durability) async throws {
        let disk = try DiskFaults(scratch)
        defer { disk.end() }
        try await ActorRuntime.withRuntime(directory: disk.directory) { runtime in
            let options = ActorOptions(maxRestarts: 1, maxTaskRetries: .unlimited, durability: level)
            let counter = try await runtime.spawn(Counter.self, options: options)
            for expected in 1...5 { #expect(try await counter.add(1) == expected) }
            let process = try await counter.processID()
            // With `.process`, a life that follows the death of a process flushes nothing.
            disk.arm(level == .disk ? .sync : .data, .error(EIO), count: 1_000_000)
            kill(process, SIGKILL)
            let ref = counter.submit { try await $0.add(1) }
            try await eventually("the next life has failed to open the shard, three times") {
                disk.count
            } is: {
                $0 >= 3
            }
            disk.disarm()
            #expect(try await ref.value == 6)
            #expect(try await runtime.summary(of: counter).restarts == 1)
        }
    }

    @Test func `an actor that is spawned on a failing disk starts when the disk works`() async throws {
        let disk = try DiskFaults(scratch)
        defer { disk.end() }
        try await ActorRuntime.withRuntime(directory: disk.directory) { runtime in
            for operation in [DiskFaults.Operation.data, .meta, .sync] {
                disk.arm(operation, .error(EIO), count: 1_000_000)
                let before = disk.count
                let counter = try await runtime.spawn(Counter.self, options: .resilient)
                let ref = counter.submit { try await $0.add(1) }
                try await eventually("\(operation) has failed") {
                    disk.count
                } is: {
                    $0 > before
                }
                disk.disarm()
                #expect(try await ref.value == 1)
                try await runtime.kill(counter)
            }
        }
    }

    @Test(arguments: faults)
    func `while the registry's disk fails nobody can create an actor, and afterwards everybody can`(
        operation: DiskFaults.Operation,
        outcome: DiskFaults.Outcome
    ) async throws {
        let disk = try DiskFaults(scratch)
        defer { disk.end() }
        try await ActorRuntime.withRuntime(directory: disk.directory) { runtime in
            let counter = try await runtime.spawn(Counter.self, options: .resilient)
            #expect(try await counter.add(1) == 1)
            disk.arm(operation, outcome, count: 1_000_000, isRegistry: true)
            for _ in 0..<3 {
                let error = await failure { _ = try await runtime.getOrCreate(Counter.self, name: "late") }
                #expect([.storageFailed, .storageFull].contains(error?.code), "\(String(describing: error))")
            }
            #expect(disk.count > 0)
            kill(try await counter.processID(), SIGKILL)
            #expect(try await counter.add(1) == 2, "lives that follow do not wait for the registry")
            disk.disarm()
            let late = try await runtime.getOrCreate(Counter.self, name: "late")
            #expect(try await late.add(1) == 1)
            let supervisor = try #require(runtime.supervisorProcessID)
            kill(supervisor, SIGKILL)
            let same = try await runtime.getActor(Counter.self, name: "late")
            #expect(same.id == late.id)
            #expect(try await same.add(1) == 2)
            #expect(try await counter.add(1) == 3)
            try await runtime.kill(same)
        }
    }

    @Test func `a snapshot that fails disturbs no call, leaves nothing, and is taken again`() async throws {
        let disk = try DiskFaults(scratch, snapshotInterval: .milliseconds(10))
        defer { disk.end() }
        try await ActorRuntime.withRuntime(directory: disk.directory) { runtime in
            let counter = try await runtime.spawn(Counter.self, options: Self.options(.process))
            #expect(try await counter.add(1) == 1)
            let snapshots = "\(disk.directory)/shards/1/snapshots"
            // Commits of this level sync nothing, so that only snapshots fail.
            disk.arm(.sync, .error(EIO), count: 1_000_000)
            for expected in 2...50 { #expect(try await counter.add(1) == expected) }
            try await eventually("snapshots have failed") {
                disk.count
            } is: {
                $0 > 2
            }
            let process = try await counter.processID()
            disk.disarm()
            let version = try ShardReader.read("\(disk.directory)/shards/1").fence?.version
            try await eventually("a snapshot of version \(version ?? 0), and nothing half made") {
                RuntimeDirectory.entries(of: snapshots)
            } is: { names in
                names.compactMap { UInt64($0) }.max() == version && names.allSatisfy { UInt64($0) != nil }
            }
            #expect(try await counter.processID() == process)
        }
    }

    @Test func `a wall clock that jumps moves nothing but the times that people read`() async throws {
        let disk = try DiskFaults(scratch, snapshotInterval: .milliseconds(10))
        defer { disk.end() }
        let year = 365 * 86_400
        try await ActorRuntime.withRuntime(directory: disk.directory) { runtime in
            let counter = try await runtime.spawn(Counter.self, options: Self.options(.process))
            var expected = 0
            for offset in [year, -year, 20 * year, 0] {
                disk.clockOffset = offset
                for _ in 0..<20 {
                    expected += 1
                    #expect(try await counter.add(1) == expected)
                }
                kill(try await runtime.process(of: counter), SIGKILL)
                #expect(try await counter.read() == expected)
                try await eventually("a snapshot after a jump of \(offset) s") {
                    RuntimeDirectory.entries(of: "\(disk.directory)/shards/1/snapshots").compactMap { UInt64($0) }.max()
                } is: {
                    $0 == UInt64(expected + 1)
                }
            }
            let registry = RuntimeLayout(directory: disk.directory)
            try await eventually("the ledger has the deaths, in their order") {
                let store = try RegistryStore(registry, readOnly: true)
                defer { store.close() }
                return try store.ledger(newest: 10).map { Int($0.incarnation) }
            } is: {
                $0 == [1, 2, 3, 4]
            }
            let store = try RegistryStore(registry, readOnly: true)
            defer { store.close() }
            let times = try store.ledger(newest: 10).map(\.milliseconds)
            #expect(times[0] > times[1] && times[1] < times[2], "the clock did jump: \(times)")
        }
    }
}
