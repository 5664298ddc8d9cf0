import CBOR
import DurableChaos
import DurableCore
import DurableLMDB
import Foundation
import Testing

@testable import DurableStore

@Suite("Verification of shards")
struct VerifierTests {
    private static let databases = ["meta", "actors", "state", "entries", "done", "discarded", "history"]

    /// A shard with everything that one can have: plain and large values, collections, outcomes, earlier states.
    private func makeShard(_ directory: String) throws {
        let encoder = CBOREncoder()
        try withShard(directory) { store, _ in
            try store.register(Sample.actor, as: Sample.record, state: nil)
            store.history[Sample.actor] = .last(5)
            let (table, list) = (store.makeRows(), store.makeRows())
            for round in 0..<8 {
                let value = try encoder.encode(["round": round, "more": round * 7])
                let large = try encoder.encode(String(repeating: "\(round)", count: 270_000))
                var changes: [WriteSet.Change] = [
                    .property("value", .value(value)), .property("note \(round % 3)", .value(value)),
                    .property("table", .collection(CollectionHeader(kind: .set, rows: table, count: 40 * (round + 1)))),
                    .property("list", .collection(CollectionHeader(kind: .array, rows: list, count: round + 1))),
                ]
                if round % 4 == 0 { changes.append(.property("large", .value(large))) }
                for number in 0..<40 {
                    let key = Array("key \(round) \(number)".utf8)
                    changes.append(.entry(table, key: key, payload: try encoder.encode("entry \(number)")))
                }
                let position = CollectionHeader.middle + UInt64(round)
                let key = withUnsafeBytes(of: position.bigEndian) { Array($0) }
                changes.append(.entry(list, key: key, payload: try encoder.encode("element")))
                let call = Sample.completion(Sample.call(UInt64(round + 1)), below: UInt64(round / 2))
                try store.commit([WriteSet(actor: Sample.actor, changes: changes, completion: call)])
            }
        }
    }

    private func rows(of directory: String) throws -> [[[UInt8]: [UInt8]]] {
        try Self.databases.map { try RawShard(directory: directory).rows(of: $0) }
    }

    private func values(_ rows: [[UInt8]: [UInt8]]) -> [[UInt8]: Int] {
        Dictionary(rows.values.map { ($0, 1) }, uniquingKeysWith: +)
    }

    @Test("a shard with everything in it is sound, with a lock file and without")
    func findsNothing() throws {
        let folder = try Folder()
        try makeShard(folder.shard)
        let used = ShardVerifier.verify(folder.shard)
        #expect(used.findings.isEmpty)
        #expect(used.actors == [Sample.actor])
        #expect(used.fence?.version == 9)
        #expect(used.rows > 400)
        try FileManager.default.removeItem(atPath: folder.shard + "/lock.mdb")
        #expect(ShardVerifier.verify(folder.shard) == used)
        #expect(!FileManager.default.fileExists(atPath: folder.shard + "/lock.mdb"), "nothing is left behind")
    }

    @Test("a flipped bit is found, or changes no value that anybody reads", arguments: [1, 2, 3, 4] as [UInt64])
    func findsFlips(seed: UInt64) throws {
        let folder = try Folder()
        try makeShard(folder.shard)
        let original = try rows(of: folder.shard)
        let bytes = try [UInt8](Data(contentsOf: URL(fileURLWithPath: folder.shard + "/data.mdb")))
        // Half of the flips go where something is written on a page of small things.
        let dense = bytes.indices.filter { bytes[$0] != 0 && bytes[$0 / 4096 * 4096 + 10] & 3 != 0 }
        var generator = SeededGenerator(seed: seed)
        var found = 0
        for round in 0..<80 {
            let isAnywhere = round % 2 == 0
            let position =
                isAnywhere
                ? Int.random(in: bytes.indices, using: &generator)
                : try #require(dense.randomElement(using: &generator))
            var flipped = bytes
            flipped[position] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            let copy = folder.path + "/flipped"
            try FileManager.default.createDirectory(atPath: copy, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(atPath: copy) }
            try Data(flipped).write(to: URL(fileURLWithPath: copy + "/data.mdb"))
            let report = ShardVerifier.verify(copy)
            if !report.findings.isEmpty {
                found += 1
                continue
            }
            // Keys have no checksum: one may have become another one between the same neighbours.
            let page = position / 4096
            let read = try rows(of: copy)
            #expect(
                read == original || read.map(values) == original.map(values),
                "seed \(seed): unseen at \(position % 4096) of page \(page), of kind \(bytes[page * 4096 + 10])"
            )
        }
        #expect(found > 20, "seed \(seed)")
    }

    @Test("what belongs together and does not fit is found")
    func findsContradictions() throws {
        let folder = try Folder()
        try makeShard(folder.shard)
        let raw = RawShard(directory: folder.shard)
        let other = ActorID(high: 8, low: 8)
        try raw.put(ShardLayout.stateKey(other, field: "x"), StoredValue.seal([0]), in: "state")
        let record = StoredValue.seal(Sample.completion(Sample.call(1)).payload())
        try raw.put(ShardLayout.doneKey(other, Sample.call(1)), record, in: "done")
        try raw.put(ShardLayout.entryKey(77, [1]), StoredValue.seal([0]), in: "entries")
        let header = try CBOREncoder().encode(CollectionHeader(kind: .set, rows: 1, count: 3))
        let key = ShardLayout.stateKey(Sample.actor, field: "table")
        try raw.put(key, StoredValue.seal(header, kind: .collection), in: "state")
        let findings = ShardVerifier.verify(folder.shard).findings
        for part in [
            "there is no such actor", "was for \(other), which is not there",
            "row set 77 with 1 rows belongs to nothing",
            "says it has 3 entries and has 320",
        ] {
            #expect(findings.contains { $0.contains(part) }, "\(part) is not among \(findings)")
        }
    }

    @Test("files that are missing, empty, of another program or newer are findings")
    func findsForeignFiles() throws {
        let folder = try Folder()
        try FileManager.default.createDirectory(atPath: folder.shard, withIntermediateDirectories: true)
        let file = URL(fileURLWithPath: folder.shard + "/data.mdb")
        #expect(ShardVerifier.verify(folder.shard).findings.count == 1)
        for content in [Data(), Data("text".utf8), Data(repeating: 0x5a, count: 100_000)] {
            try content.write(to: file)
            #expect(ShardVerifier.verify(folder.shard).findings.count == 1)
            #expect(try Data(contentsOf: file) == content)
        }
        try FileManager.default.removeItem(at: file)
        for format in [StoreFormat(name: "other", version: 1), StoreFormat(name: "durable-shard", version: 99)] {
            let directory = folder.path + "/\(format.name)"
            try Environment.open(directory: directory, options: EnvironmentOptions(format: format, databases: []))
                .close()
            #expect(ShardVerifier.verify(directory).findings.count == 1)
        }
    }

    @Test("a reader that dies, as a killed backup, makes the file grow for a while only")
    func outlivesReaders() throws {
        let folder = try Folder()
        try withShard(folder.shard) { store, _ in
            func size() throws -> Int {
                try FileManager.default.attributesOfItem(atPath: folder.shard + "/data.mdb")[.size] as? Int ?? 0
            }
            func commit(_ count: Int) throws {
                for number in 0..<count {
                    let value = [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: 10_000)
                    try store.commit([Sample.set(["value": value])])
                }
            }
            try store.register(Sample.actor, as: Sample.record, state: nil)
            try commit(10)
            let child = try Child.run("die-reading", folder.shard)
            #expect(child.isSignal && child.status == 9, "\(child)")
            try commit(600)
            let grown = try size()
            try commit(1_000)
            #expect(try size() == grown)
        }
    }

    @Test("actors that come and go leave no bigger file, and no page behind")
    func reusesSpace() throws {
        let folder = try Folder()
        let encoder = CBOREncoder()
        var sizes: [Int] = []
        try withShard(folder.shard) { store, _ in
            for round in 0..<200 {
                let actor = ActorID(high: 5, low: UInt64(round))
                let rows = store.makeRows()
                let header = CollectionHeader(kind: .set, rows: rows, count: 50)
                var changes: [WriteSet.Change] = [
                    .property("large", .value(try encoder.encode(String(repeating: "x", count: 300_000)))),
                    .property("table", .collection(header)),
                ]
                for key in 0..<UInt8(50) {
                    let text = String(repeating: "y", count: 500)
                    changes.append(.entry(rows, key: [key], payload: try encoder.encode(text)))
                }
                store.history[actor] = .last(3)
                try store.register(actor, as: Sample.record, state: WriteSet(actor: actor, changes: changes))
                for number in 1...3 {
                    let call = Sample.completion(Sample.call(UInt64(number)))
                    let value = try encoder.encode(String(repeating: "\(number)", count: 280_000))
                    let change = WriteSet.Change.property("large", .value(value))
                    try store.commit([WriteSet(actor: actor, changes: [change], completion: call)])
                }
                try store.commit([WriteSet(actor: actor, changes: [.removeActor])])
                store.history[actor] = nil
                while try store.sweepDiscarded(limit: 2_000) {}
                let path = folder.shard + "/data.mdb"
                sizes.append(try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? 0)
            }
        }
        #expect(sizes[199] == sizes[20], "\(sizes)")
        let report = ShardVerifier.verify(folder.shard)
        #expect(report.findings.isEmpty)
        #expect(report.actors.isEmpty)
        #expect(report.rows == 3, "the fence, the clock and the checksum over no rows alone are left")
    }
}
