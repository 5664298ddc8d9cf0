import CBOR
import DurableChaos
import DurableCore
import Testing

@testable import DurableStore

/// An actor whose stored state is changed at random, with a record of what it was after each version.
private final class Keeper {
    struct Contents: Equatable {
        var fields: [String: StoredField]
        var entries: [String: [StoredEntry]]
    }

    let directory: String
    var generator: SeededGenerator
    private(set) var contents: [UInt64: Contents] = [:]
    private let policy: HistoryPolicy
    private var present: UInt64 = 0

    init(_ directory: String, seed: UInt64, _ policy: HistoryPolicy) throws {
        self.directory = directory
        generator = SeededGenerator(seed: seed)
        self.policy = policy
        try withShard(directory) { store, _ in
            try store.register(Sample.actor, as: Sample.record, state: nil)
        }
        try note()
    }

    /// Some commits by one owner.
    func work(_ commits: Int) throws {
        for _ in 0..<commits {
            let before = try read()
            try withShard(directory) { store, _ in
                store.history[Sample.actor] = policy
                var changes: [WriteSet.Change] = []
                for _ in 0..<Int.random(in: 1...3, using: &generator) { changes = try change(before, store) + changes }
                try store.commit([WriteSet(actor: Sample.actor, changes: changes)])
                while try store.sweepDiscarded(limit: 7) {}
            }
            try note()
        }
    }

    func putBack(to version: UInt64) throws {
        try ShardHistory.putBack(Sample.actor, to: version, in: directory)
        try note()
    }

    var version: UInt64 {
        get throws { try #require(try ShardReader.read(directory).fence).version }
    }

    func read() throws -> Contents {
        let actor = try #require(try ShardReader.read(directory, entriesMax: 1000).actors.first)
        return Contents(fields: actor.fields, entries: actor.entries)
    }

    private func note() throws {
        present = try version
        contents[present] = try read()
    }

    /// One change of one property, whatever the others in the same commit do: each has properties of its own.
    private func change(_ before: Contents, _ store: ShardStore) throws -> [WriteSet.Change] {
        let encoder = CBOREncoder()
        switch Int.random(in: 0..<6, using: &generator) {
        case 0:
            return [.property("number", .value(try encoder.encode(Int.random(in: 0...9, using: &generator))))]
        case 1:
            let letter = ["a", "b", "c"].randomElement(using: &generator) ?? ""
            return [.property("large", .value(try encoder.encode(String(repeating: letter, count: 300_000))))]
        case 2:
            return [.removeProperty(["number", "large"].randomElement(using: &generator) ?? "")]
        case 3:
            return try replacement(before, store)
        default:
            return try edit(before)
        }
    }

    private func replacement(_ before: Contents, _ store: ShardStore) throws -> [WriteSet.Change] {
        guard replaced.insert(present).inserted else { return [] }
        let rows = store.makeRows()
        let count = Int.random(in: 0...3, using: &generator)
        var changes = try (0..<count).map { try entry(rows, UInt8($0)) }
        if case .collection(let old) = before.fields["table"]?.property { changes.append(.discard(old.rows)) }
        return changes + [.property("table", .collection(CollectionHeader(kind: .set, rows: rows, count: count)))]
    }

    private func edit(_ before: Contents) throws -> [WriteSet.Change] {
        guard case .collection(var header) = before.fields["table"]?.property, replaced.insert(present).inserted else {
            return []
        }
        let key = UInt8.random(in: 0...5, using: &generator)
        let exists = before.entries["table"]?.contains { $0.key == [key] } == true
        if exists, Bool.random(using: &generator) {
            header.count -= 1
            return [.removeEntry(header.rows, key: [key]), .property("table", .collection(header))]
        }
        if !exists { header.count += 1 }
        return [try entry(header.rows, key), .property("table", .collection(header))]
    }

    private func entry(_ rows: RowSetID, _ key: UInt8) throws -> WriteSet.Change {
        let length = Bool.random(using: &generator) ? 3 : 280_000
        let text = String(repeating: "\(key)", count: length)
        return .entry(rows, key: [key], payload: try CBOREncoder().encode(text + "\(generator.next() % 4)"))
    }

    /// Versions whose commit has changed the table already.
    private var replaced: Set<UInt64> = []
}

@Suite("Earlier states")
struct HistoryTests {
    private func require(sound directory: String, _ context: String) {
        let report = ShardVerifier.verify(directory)
        #expect(report.findings.isEmpty, "\(context)")
    }

    @Test("an actor can be put back to any state that is kept, and forward again", arguments: [1, 2, 3] as [UInt64])
    func goesBackAndForth(seed: UInt64) throws {
        let folder = try Folder()
        let keeper = try Keeper(folder.shard, seed: seed, .last(12))
        for round in 0..<12 {
            try keeper.work(Int.random(in: 1...6, using: &keeper.generator))
            let (commits, present) = try ShardHistory.commits(of: Sample.actor, in: folder.shard)
            #expect(commits.count <= 13, "seed \(seed), round \(round)")
            guard let oldest = commits.first?.version, oldest - 1 < present else { continue }
            let wanted = UInt64.random(in: (oldest - 1)..<present, using: &keeper.generator)
            guard commits.contains(where: { $0.version > wanted }) else { continue }
            try keeper.putBack(to: wanted)
            #expect(try keeper.read() == keeper.contents[wanted], "seed \(seed), round \(round), version \(wanted)")
            require(sound: folder.shard, "seed \(seed), round \(round)")
        }
        // When nothing of it is kept any more, nothing of it is left.
        try withShard(folder.shard) { store, _ in
            try store.commit([WriteSet(actor: Sample.actor, changes: [.removeActor])])
            while try store.sweepDiscarded(limit: 1000) {}
        }
        for database in ["history", "entries", "state", "actors", "discarded"] {
            #expect(try RawShard(directory: folder.shard).rows(of: database).isEmpty, "seed \(seed): \(database)")
        }
    }

    @Test("only as many states are kept as asked for, and none when nobody asks")
    func keepsTheLast() throws {
        let folder = try Folder()
        try withShard(folder.shard) { store, _ in
            try store.register(Sample.actor, as: Sample.record, state: Sample.set(["a": [0]]))
            for value in 1...5 { try store.commit([Sample.set(["a": [UInt8(value)]])]) }
        }
        #expect(try ShardHistory.commits(of: Sample.actor, in: folder.shard).commits.isEmpty)
        #expect(try RawShard(directory: folder.shard).rows(of: "history").isEmpty)
        try withShard(folder.shard) { store, _ in
            store.history[Sample.actor] = .last(3)
            for value in 6...9 {
                try store.commit([
                    Sample.set(["a": [UInt8(value)]], of: Sample.actor, Sample.completion(Sample.call(UInt64(value))))
                ])
            }
        }
        let (commits, version) = try ShardHistory.commits(of: Sample.actor, in: folder.shard)
        #expect(commits.map(\.version) == [version - 2, version - 1, version])
        #expect(commits.map(\.properties) == [["a"], ["a"], ["a"]])
        #expect(commits.last?.entry.calls == ["\(Sample.session)/9"])
        let early = storeError { try ShardHistory.putBack(Sample.actor, to: version - 4, in: folder.shard) }
        #expect(early?.description.contains("the states of versions \(version - 3) to \(version) are kept") == true)
        let late = storeError { try ShardHistory.putBack(Sample.actor, to: version + 1, in: folder.shard) }
        #expect(late?.code == .failed)
        let differences = try ShardHistory.difference(
            of: Sample.actor,
            from: version - 3,
            to: version,
            in: folder.shard
        )
        #expect(differences.map(\.property) == ["a"] && differences.first?.before == [6])
        #expect(differences.first?.after == [9])
    }

    @Test("states are dropped by their age when the next commit comes")
    func dropsTheOld() throws {
        let folder = try Folder()
        try withShard(folder.shard) { store, _ in
            try store.register(Sample.actor, as: Sample.record, state: nil)
            store.history[Sample.actor] = .last(100)
            for value in 1...5 { try store.commit([Sample.set(["a": [UInt8(value)]])]) }
        }
        #expect(try ShardHistory.commits(of: Sample.actor, in: folder.shard).commits.count == 5)
        let last = try #require(try ShardHistory.commits(of: Sample.actor, in: folder.shard).commits.last)
        try withShard(folder.shard) { store, _ in
            store.history[Sample.actor] = .within(.milliseconds(1))
            // The wall clock must have moved on by more than the age.
            while WallClock.milliseconds <= last.entry.milliseconds + 1 {}
            try store.commit([Sample.set(["a": [6]])])
        }
        #expect(try ShardHistory.commits(of: Sample.actor, in: folder.shard).commits.count == 1)
    }

    @Test("a worker whose actor was put back can commit no more, and its calls keep their outcomes")
    func fences() throws {
        let folder = try Folder()
        var store = try ShardStore.open(directory: folder.shard, durability: .process)
        let first = try store.claim(pid: 1, incarnation: 1)
        try store.register(Sample.actor, as: Sample.record, state: Sample.set(["a": [0]]))
        store.history[Sample.actor] = .last(3)
        try store.commit([Sample.set(["a": [1]], of: Sample.actor, Sample.completion(Sample.call(1), value: 9))])
        store.close()
        let (_, version) = try ShardHistory.commits(of: Sample.actor, in: folder.shard)
        try ShardHistory.putBack(Sample.actor, to: version - 1, in: folder.shard)
        store = try ShardStore.open(directory: folder.shard, durability: .process)
        // Not claimed: an owner with the epoch of before.
        store.fence.epoch = first
        #expect(storeError { try store.commit([Sample.set(["a": [7]])]) }?.code == .fenced)
        #expect(storeError { try store.verifyOwnership() }?.code == .fenced)
        #expect(try store.claim(pid: 2, incarnation: 2) == first + 2)
        #expect(try store.load(Sample.actor)?.fields.values == ["a": [0]])
        #expect(try store.completion(of: Sample.call(1), for: Sample.actor)?.outcome == .returned([9]))
        store.close()
    }
}
