import DurableCore
import DurableStore
import Testing

/// What is special about many write sets in one commit.
@Suite(.timeLimit(.minutes(2)))
struct GroupTests {
    private let folder: Folder
    private let other = ActorID(high: 0, low: 9)

    init() throws { folder = try Folder() }

    /// Two actors whose calls take turns. Each call gives `a` another value, every third one also `b`.
    private func calls(_ count: UInt8) -> [WriteSet] {
        (1...count).map { number in
            let fields: [String: [UInt8]] = number % 3 == 0 ? ["a": [number], "b": [number]] : ["a": [number]]
            let completion = Sample.completion(Sample.call(UInt64(number)), value: number)
            return Sample.set(fields, of: number % 2 == 0 ? Sample.actor : other, completion)
        }
    }

    @Test(arguments: [Durability.disk, .process])
    func `the last value of each property and the outcome of each call are stored`(durability: Durability) throws {
        try withShard(folder.shard, durability) { store, _ throws in
            try store.register(Sample.actor, as: Sample.record, state: Sample.set(["a": [0]]))
            try store.register(other, as: Sample.record, state: nil)
            try store.commit(calls(20))
            #expect(try store.load(Sample.actor)?.fields.values == ["a": [20], "b": [18]])
            #expect(try store.load(other)?.fields.values == ["a": [19], "b": [15]])
            for number: UInt8 in 1...20 {
                let call = Sample.call(UInt64(number))
                let actor = number % 2 == 0 ? Sample.actor : other
                #expect(try store.completion(of: call, for: actor) == Sample.completion(call, value: number))
            }
        }
        if durability == .process { #expect(try ShardCheck.version(of: folder.shard) == 3) }
    }

    @Test func `its history has what was there before the group`() throws {
        let version = try withShard(folder.shard) { store, _ throws in
            try store.register(Sample.actor, as: Sample.record, state: Sample.set(["a": [7]]))
            try store.register(other, as: Sample.record, state: nil)
            store.history[Sample.actor] = .last(3)
            let version = store.fence.version
            try store.commit(calls(20))
            return version
        }
        try ShardHistory.putBack(Sample.actor, to: version, in: folder.shard)
        try withShard(folder.shard) { store, _ throws in
            #expect(try store.load(Sample.actor)?.fields.values == ["a": [7]])
        }
    }

    @Test func `a property that is removed and made again within a group is what it became`() throws {
        try withShard(folder.shard) { store, _ throws in
            try store.register(Sample.actor, as: Sample.record, state: Sample.set(["a": [0], "b": [0]]))
            var removal = Sample.set(["a": [1]])
            removal.changes.append(.removeProperty("a"))
            removal.changes.append(.removeProperty("b"))
            try store.commit([Sample.set(["a": [2], "b": [2]]), removal, Sample.set(["b": [3]])])
            #expect(try store.load(Sample.actor)?.fields.values == ["b": [3]])
        }
    }

    @Test(arguments: [Durability.disk, .process])
    func `records that callers need no more are gone with the commit that says so`(durability: Durability) throws {
        let second = SessionID(high: 0, low: 1)
        try withShard(folder.shard, durability) { store, _ throws in
            try store.register(Sample.actor, as: Sample.record, state: nil)
            try store.commit((1...5).map { Sample.set([:], Sample.completion(Sample.call($0))) })
            try store.commit((1...2).map { Sample.set([:], Sample.completion(Sample.call($0, second))) })
            try store.commit([
                Sample.set([:], Sample.completion(Sample.call(6), below: 3)),
                Sample.set([:], Sample.completion(Sample.call(3, second), below: 2)),
                Sample.set([:], Sample.completion(Sample.call(7), below: 5)),
            ])
            func kept(_ session: SessionID) throws -> [UInt64] {
                try (1...7).filter { try store.completion(of: Sample.call($0, session), for: Sample.actor) != nil }
            }
            #expect(try kept(Sample.session) == [5, 6, 7])
            #expect(try kept(second) == [2, 3])
            #expect(try store.progress(of: Sample.session, with: Sample.actor).frontier == 5)
            #expect(try store.progress(of: second, with: Sample.actor).frontier == 2)
        }
        #expect(try RawShard(directory: folder.shard).rows(of: "done").count == 7, "five records, two sessions")
        if durability == .process { #expect(try ShardCheck.version(of: folder.shard) == 4) }
    }

    @Test func `what was discarded is deleted a few rows at a time, and its neighbours stay`() throws {
        try withShard(folder.shard) { store, _ throws in
            try store.register(Sample.actor, as: Sample.record, state: nil)
            let (given, kept) = (store.makeRows(), store.makeRows())
            for rows in [given, kept] {
                let entries = (0..<20).map { WriteSet.Change.entry(rows, key: [$0], payload: [$0]) }
                try store.commit([WriteSet(actor: Sample.actor, changes: entries)])
            }
            try store.commit([WriteSet(actor: Sample.actor, changes: [.discard(given)])])
            var sweeps = 1
            while try store.sweepDiscarded(limit: 6) { sweeps += 1 }
            #expect(sweeps > 3)
            #expect(try store.entries(from: [], of: given, limit: 100) == [])
            #expect(try store.entries(from: [], of: kept, limit: 100).map(\.key) == (0..<20).map { [$0] })
        }
    }

    @Test func `an actor that ends leaves nothing of the calls in its last group`() throws {
        try withShard(folder.shard) { store, _ throws in
            try store.register(Sample.actor, as: Sample.record, state: nil)
            try store.register(other, as: Sample.record, state: nil)
            try store.commit(calls(4) + [WriteSet(actor: Sample.actor, changes: [.removeActor])])
        }
        let rows = try RawShard(directory: folder.shard).rows(of: "done")
        #expect(rows.count == 3, "two records and the session of the one that stays")
        #expect(rows.keys.allSatisfy { $0.prefix(16).elementsEqual(other.bytes) })
    }
}
