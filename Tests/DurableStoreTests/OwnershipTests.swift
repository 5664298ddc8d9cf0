import CBOR
import DurableCore
import DurableLMDB
import DurableStore
import Foundation
import Testing

@Suite(.timeLimit(.minutes(2)))
struct OwnershipTests {
    private let folder: Folder

    init() throws { folder = try Folder() }

    @Test func eachClaimRaisesTheEpochByOne() throws {
        for expected: Epoch in 1...4 { try withShard(folder.shard) { _, epoch in #expect(epoch == expected) } }
        try withShard(folder.shard) { store, _ throws in #expect(try store.claim(pid: 5, incarnation: 6) == 6) }
    }

    @Test func anOwnerThatLostItsShardToAnotherProcessCommitsNothingAndKnows() throws {
        try withShard(folder.shard) { store, epoch throws in
            try store.register(Sample.actor, as: Sample.record, state: Sample.set(["a": [1]]))
            try store.verifyOwnership()
            #expect(try Child.run("claim", folder.shard).lines == ["epoch \(epoch + 1)", "done"])
            let set = Sample.set(["a": [2]], Sample.completion(Sample.call(1)))
            for _ in 0..<2 {
                #expect(storeError { try store.commit([set]) }?.code == .fenced)
                #expect(storeError { try store.verifyOwnership() }?.code == .fenced)
            }
            let registration = storeError {
                try store.register(ActorID(high: 7, low: 7), as: Sample.record, state: nil)
            }
            #expect(registration?.code == .fenced)
            #expect(registration?.callerError(for: Sample.actor).code == .unavailable)
        }
        try withShard(folder.shard) { store, epoch throws in
            #expect(epoch == 3)
            #expect(try store.load(Sample.actor)?.fields.values == ["a": [1]])
            #expect(try store.load(ActorID(high: 7, low: 7)) == nil)
            #expect(try store.completion(of: Sample.call(1), for: Sample.actor) == nil)
            #expect(store.fence.version == 1, "a fenced commit is no version")
        }
    }

    /// The old owner has looked at everything that it can look at before its transaction, and waits for the writer's lock
    /// in which its successor claims the shard.
    @Test func anOwnerThatLosesItsShardWhileItsCommitWaitsCommitsNothing() throws {
        try withShard(folder.shard) { store, _ throws in
            try store.register(Sample.actor, as: Sample.record, state: Sample.set(["a": [1]]))
            let input = Pipe()
            let child = try Child.start("claim-when-told", folder.shard, input: input)
            let said = child.output.fileHandleForReading.availableData
            #expect(said == Data("inside\n".utf8))
            let waiter = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/thread-self")
            Thread.detachNewThread {
                var sightings = 0
                while sightings < 20 {
                    sightings = waitsForALock(waiter) ? sightings + 1 : 0
                    usleep(500)
                }
                input.fileHandleForWriting.write(Data("\n".utf8))
            }
            #expect(storeError { try store.commit([Sample.set(["a": [2]])]) }?.code == .fenced)
            child.process.waitUntilExit()
        }
        try withShard(folder.shard) { store, _ throws in
            #expect(try store.load(Sample.actor)?.fields.values == ["a": [1]])
        }
    }

    @Test func anOwnerWithoutAClaimCommitsNothing() throws {
        let store = try ShardStore.open(directory: folder.shard, durability: .process)
        defer { store.close() }
        #expect(storeError { try store.commit([Sample.set(["a": [1]])]) }?.code == .fenced)
        #expect(storeError { try store.verifyOwnership() }?.code == .fenced)
    }

    @Test func aSecondOpenInOneProcessIsRefused() throws {
        try withShard(folder.shard) { store, _ throws in
            let error = storeError {
                try ShardStore.open(directory: folder.shard, durability: .process).close()
            }
            #expect(error?.code == .failed)
            try store.verifyOwnership()
        }
    }

    @Test func aToolReadsTheShardWhileItIsInUse() throws {
        let value = try CBOREncoder().encode("text")
        let expected = [
            "fence 1 2 1", "actor \(Sample.actor) T name completions 1", "field a [1]", "field b \(value)", "done",
        ]
        try withShard(folder.shard) { store, _ throws in
            try store.register(Sample.actor, as: Sample.record, state: Sample.set(["a": [1]]))
            try store.commit([Sample.set(["b": value], Sample.completion(Sample.call(1)))])
            #expect(try Child.run("read", folder.shard).lines == expected)
            try store.verifyOwnership()
            try store.commit([Sample.set(["b": value])])
        }
        let (fence, actors) = try ShardReader.read(folder.shard)
        #expect(fence.map { [$0.epoch, $0.version, UInt64($0.pid), $0.incarnation] } == [1, 3, 1, 1])
        #expect(actors.map(\.id) == [Sample.actor])
        #expect(actors.first?.actor == Sample.record)
        #expect(actors.first?.fields.values == ["a": [1], "b": value])
    }

    @Test func readingWhereThereIsNoShardFailsAndCreatesNone() throws {
        #expect(throws: StoreError.self) { try ShardReader.read(folder.shard) }
        #expect(try Child.run("read", folder.shard).lines.first?.hasPrefix("failed") == true)
        #expect(throws: StoreError.self) { try ShardReader.read(folder.shard) }
    }
}

@Suite(.timeLimit(.minutes(2)))
struct DamageTests {
    private let folder: Folder

    init() throws {
        folder = try Folder()
        try withShard(folder.shard) { store, _ throws in
            let state = Sample.set(["balance": [1, 2, 3], "owner": [4]], Sample.completion(Sample.call(1)))
            try store.register(Sample.actor, as: Sample.record, state: state)
        }
    }

    /// Flips a bit in the value of a row and returns the row.
    private func damage(_ database: String, at place: Int, where isWanted: ([UInt8]) -> Bool = { _ in true }) throws
        -> (key: [UInt8], value: [UInt8])
    {
        let raw = RawShard(directory: folder.shard)
        let row = try #require(try raw.rows(of: database).first { isWanted($0.key) })
        var value = row.value
        value[place] ^= 0x10
        try raw.put(row.key, value, in: database)
        return (row.key, value)
    }

    private var balanceKey: [UInt8] { Sample.actor.bytes + Array("balance".utf8) }

    @Test(arguments: 0..<16) func aDamagedPropertyIsNamedAndItsBytesAreKept(place: Int) throws {
        let damaged = try damage("state", at: place) { $0 == balanceKey }
        try withShard(folder.shard) { store, _ throws in
            let error = storeError { _ = try store.load(Sample.actor) }
            #expect(error?.code == .unreadable)
            #expect(error?.description.contains("property \"balance\" of actor \(Sample.actor)") == true)
            #expect(error?.callerError(for: Sample.actor).code == .quarantined)
        }
        #expect(throws: StoreError.self) { try ShardReader.read(folder.shard) }
        let rows = try RawShard(directory: folder.shard).rows(of: "state")
        #expect(rows[damaged.key] == damaged.value)
        #expect(rows.count == 2)
    }

    @Test func aTruncatedPropertyIsUnreadable() throws {
        try RawShard(directory: folder.shard).put(balanceKey, [1, 0], in: "state")
        try withShard(folder.shard) { store, _ throws in
            let error = storeError { _ = try store.load(Sample.actor) }
            #expect(error?.code == .unreadable)
        }
    }

    @Test func anActorsRecordOfAnotherShapeIsUnreadable() throws {
        // An empty map, in a whole envelope: trying again would not mend it.
        try RawShard(directory: folder.shard).put(Sample.actor.bytes, StoredValue.seal([0xA0]), in: "actors")
        try withShard(folder.shard) { store, _ throws in
            #expect(storeError { _ = try store.load(Sample.actor) }?.code == .unreadable)
            #expect(storeError { _ = try store.record(of: Sample.actor) }?.code == .unreadable)
        }
    }

    @Test func aDamagedFenceLetsNobodyClaim() throws {
        let damaged = try damage("meta", at: 15) { $0 == Array("fence".utf8) }
        let store = try ShardStore.open(directory: folder.shard, durability: .process)
        #expect(storeError { _ = try store.claim(pid: 1, incarnation: 1) }?.code == .unreadable)
        store.close()
        #expect(try RawShard(directory: folder.shard).rows(of: "meta")[damaged.key] == damaged.value)
    }

    @Test func aDamagedCompletionRecordIsUnreadableAndNotForgotten() throws {
        let damaged = try damage("done", at: 14) { $0.last == 1 }
        try withShard(folder.shard) { store, _ throws in
            let error = storeError {
                _ = try store.completion(of: Sample.call(1), for: Sample.actor)
            }
            #expect(error?.code == .unreadable)
            #expect(try store.progress(of: Sample.session, with: Sample.actor).highest == 1)
        }
        #expect(try RawShard(directory: folder.shard).rows(of: "done")[damaged.key] == damaged.value)
    }

    @Test(arguments: [("durable-shard", 2), ("other", 1)])
    func aStoreOfANewerOrForeignFormatIsRefusedAndLeftAlone(name: String, version: Int) throws {
        let directory = folder.path + "/foreign"
        let format = StoreFormat(name: name, version: version)
        let options = EnvironmentOptions(format: format, databases: ["meta", "actors", "state", "done"])
        try Environment.open(directory: directory, options: options).close()
        let error = storeError {
            try ShardStore.open(directory: directory, durability: .disk).close()
        }
        #expect(error?.code == .unreadable)
        try Environment.open(directory: directory, options: options).close()
    }
}

/// Whether a thread, by its path below `/proc`, waits in a futex.
private func waitsForALock(_ thread: String) -> Bool {
    #if arch(x86_64)
    let futex = 202
    #else
    let futex = 98
    #endif
    let call = try? String(contentsOfFile: "/proc/\(thread)/syscall", encoding: .utf8)
    return call?.split(separator: " ").first.flatMap { Int($0) } == futex
}
