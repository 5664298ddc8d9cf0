import DurableActors
import DurableCore
import DurableStore
import DurableSupervisor
import Foundation
import Glibc
import Testing

/// State that an older build's worker has written, in the hands of a newer build, and the other way round.
@Suite(.serialized) struct SchemaTests {
    @Test func `a renamed property is found, and takes its new name when it is stored next`() async throws {
        let builds = StoredBuilds()
        try await builds.serve(Purse1.self) { purse in
            _ = try await purse.add(5)
            _ = try await purse.add(7)
            try await purse.own("ada")
        }
        #expect(try await builds.serve(Purse2.self) { try await $0.read() } == ["12", "100", "new", "5", "7"])
        var stored = try builds.stored()
        #expect(Set(stored.fields.keys) == ["amount", "log", "owner"], "reading changes nothing")
        #expect(try await builds.serve(Purse2.self) { try await $0.add(1) } == 13)
        stored = try builds.stored()
        #expect(Set(stored.fields.keys) == ["total", "log", "owner"])

        // The rows of a collection stay where they are, also when only an entry changed.
        let rows = try collection("log", stored).rows
        try await builds.serve(Purse2.self) { try await $0.rewrite("five") }
        stored = try builds.stored()
        #expect(try collection("journal", stored) == CollectionHeader(kind: .array, rows: rows, count: 2))
        #expect(stored.fields["log"] == nil)
        #expect(try await builds.serve(Purse2.self) { try await $0.read() } == ["13", "100", "new", "five", "7"])
        #expect(try !builds.change { store, _ in try store.sweepDiscarded(limit: 100) })
        #expect(try builds.stored().entries["journal"]?.count == 2, "the sweep spares what was renamed")
    }

    @Test func `a renamed collection that is emptied leaves no rows behind`() async throws {
        let builds = StoredBuilds()
        try await builds.serve(Purse1.self) { _ = try await $0.add(5) }
        let rows = try collection("log", builds.stored()).rows
        try await builds.serve(Purse2.self) { purse in
            try await purse.clear()
            #expect(try await purse.read() == ["5", "100", "new"])
        }
        try builds.change { store, _ in
            while try store.sweepDiscarded(limit: 100) {}
            #expect(try store.entries(from: [], of: rows, limit: 10).isEmpty)
        }
        #expect(try await builds.serve(Purse2.self) { try await $0.read() } == ["5", "100", "new"])
    }

    @Test func `new properties come from init, and older code keeps those that it does not know`() async throws {
        let builds = StoredBuilds()
        try await builds.serve(Purse1.self) { _ = try await $0.add(5) }
        try await builds.serve(Purse2.self) { purse in
            try await purse.tag("x")
            _ = try await purse.add(1)
        }
        // Older code again: it starts without what was renamed, and changes what it knows.
        try await builds.serve(Purse1.self) { purse in
            try await purse.own("eve")
            #expect(try await purse.read() == ["0", "eve", "5"])
        }
        #expect(try await builds.serve(Purse2.self) { try await $0.read() } == ["6", "100", "new", "x", "5"])
        #expect(Set(try builds.stored().fields.keys) == ["total", "log", "owner", "tags"])
    }

    @Test func `of a name and a former one that are both stored, the name counts and nothing is lost`() async throws {
        let builds = StoredBuilds()
        try await builds.serve(Purse1.self) { _ = try await $0.add(5) }
        try await builds.serve(Purse2.self) { _ = try await $0.add(1) }
        try await builds.serve(Purse1.self) { _ = try await $0.add(40) }
        try await builds.serve(Purse2.self) { purse in
            #expect(try await purse.add(0) == 6)
            let log = try await eventualLog(builds, containing: "former name")
            #expect(log.contains("\"total\" is stored, and so is \"amount\""))
        }
        #expect(try value("amount", builds.stored()) == 40)
    }

    @Test func `a former name that leads to two properties is refused, and costs nothing`() async throws {
        let builds = StoredBuilds()
        try await builds.serve(Purse1.self) { _ = try await $0.add(5) }
        let message = try await builds.refusal(PurseTorn.self) { _ = try await $0.read() }
        #expect(message.contains("property \"right\" of PurseTorn was renamed from \"amount\", which \"left\" was"))
        #expect(try await builds.serve(Purse1.self) { try await $0.read() } == ["5", "nobody", "5"])
    }

    @Test func `what nobody knows goes after the grace period, and not before`() async throws {
        let builds = StoredBuilds()
        try await builds.serve(Purse1.self) { purse in
            _ = try await purse.add(5)
            try await purse.own("ada")
        }
        let all: Set = ["amount", "log", "owner"]
        for _ in 0..<2 {
            try await builds.serve(Purse3.self) { purse in
                #expect(try await purse.read() == "ada")
                try await noted(builds) { $0.type != "stale" && Set($0.unknown.keys) == ["amount", "log"] }
            }
            #expect(Set(try builds.stored().fields.keys) == all)
            // Otherwise the next life would have nothing to note, and could not be seen to have looked.
            try builds.change { store, actor in
                var schema = try #require(try store.schema(of: actor))
                schema.type = "stale"
                try store.commit([WriteSet(actor: actor, changes: [.schema(schema)])])
            }
        }
        let rows = try collection("log", builds.stored()).rows
        try builds.change { store, actor in
            var schema = try #require(try store.schema(of: actor))
            schema.unknown = schema.unknown.mapValues { $0 - 3_600_000 }
            try store.commit([WriteSet(actor: actor, changes: [.schema(schema)])])
        }
        // A build that knows them clears the marks, however old they are.
        try await builds.serve(Purse1.self) { purse in
            #expect(try await purse.read() == ["5", "ada", "5"])
            try await noted(builds) { $0.unknown.isEmpty }
        }
        try await builds.serve(Purse3.self) { _ in try await noted(builds) { $0.unknown.count == 2 } }
        #expect(Set(try builds.stored().fields.keys) == all)
        try builds.change { store, actor in
            var schema = try #require(try store.schema(of: actor))
            schema.unknown = schema.unknown.mapValues { $0 - 3_600_000 }
            try store.commit([WriteSet(actor: actor, changes: [.schema(schema)])])
        }
        try await builds.serve(Purse3.self) { purse in
            try await noted(builds) { $0.unknown.isEmpty }
            #expect(try await purse.read() == "ada")
        }
        #expect(Set(try builds.stored().fields.keys) == ["owner"])
        try builds.change { store, _ in
            while try store.sweepDiscarded(limit: 100) {}
            #expect(
                try store.entries(from: [], of: rows, limit: 1).isEmpty,
                "the entries of a removed collection go too"
            )
        }
    }

    @Test(arguments: [3, 16_000]) func `a migration changes values and collections, once`(count: Int) async throws {
        let builds = StoredBuilds()
        try await builds.serve(Wallet1.self) { try await $0.put(count) }
        var expected = WalletContents(
            balance: count * 100,
            entries: Dictionary(uniqueKeysWithValues: (0..<count).map { ($0, WalletEntry(amount: $0 * 100)) }),
            members: (0..<min(count, 1000)).map { "member \($0)" }.sorted(),
            lines: Array(0..<count),
            list: [1, 2],
            note: "kept"
        )
        for _ in 0..<2 {
            #expect(try await builds.serve(Wallet2.self) { try await $0.read() } == expected)
        }
        #expect(try builds.stored().actor.schemaVersion == 2)
        #expect(try builds.stored().fields["note"]?.schema == 1, "what the migration leaves alone is not written")
        try await builds.serve(Wallet2.self) { try await $0.add() }
        expected.entries[-1] = WalletEntry(amount: 1, text: "new")
        expected.lines.insert(-1, at: 0)
        try builds.change { store, _ in while try store.sweepDiscarded(limit: 10_000) {} }
        #expect(try await builds.serve(Wallet2.self) { try await $0.read() } == expected)
        #expect(Set(try builds.stored().fields.keys) == ["cents", "items", "members", "lines", "list", "note"])
    }

    @Test func `a migration whose process dies runs again from the old state`() async throws {
        let builds = StoredBuilds()
        try await builds.serve(Wallet1Dying.self) { try await $0.put(builds.file("attempts"), 50) }
        let expected = ["2"] + (0..<50).map { "key \($0)" }.sorted().map { String($0.dropFirst(4)) }
        #expect(try await builds.serve(Wallet2Dying.self) { try await $0.read() } == expected)
        #expect(Attempts.count(in: builds.file("attempts")) == 3)
        try builds.change { store, _ in while try store.sweepDiscarded(limit: 10_000) {} }
        #expect(try await builds.serve(Wallet2Dying.self) { try await $0.read().count } == 51)
        #expect(Attempts.count(in: builds.file("attempts")) == 3, "it does not run again when it is done")
    }

    /// The migration of a wallet commits four times: three new collections, whose rows nobody sees yet, then itself.
    @Test(arguments: 1...5) func `a kill inside of any commit of a migration leaves old or new`(commit: Int)
        async throws
    {
        let builds = StoredBuilds()
        try await builds.serve(Wallet1.self) { try await $0.put(20) }
        let life = try #require(try ShardReader.read(builds.layout.shard(1)).fence).incarnation + 1
        let fault = FaultSpecification(.workerInsideCommit, occurrence: commit, incarnation: life, action: .kill)
        let lives = try await builds.serve(Wallet2.self, faults: [fault]) { wallet in
            let contents = try await wallet.read()
            #expect(contents.balance == 2000 && contents.entries.count == 20 && contents.members.count == 20)
            #expect(contents.lines == Array(0..<20) && contents.list == [1, 2] && contents.note == "kept")
            return try #require(try ShardReader.read(builds.layout.shard(1)).fence).incarnation
        }
        #expect(lives == life + 1, "the kill met the migration")
        try builds.change { store, _ in while try store.sweepDiscarded(limit: 100) {} }
        let rows = try GoldenFile(shard: builds.layout.shard(1), of: builds.stored().id).rows
        #expect(rows.count { $0.database == "entries" } == 62, "what was begun leaves no rows behind")
        #expect(!rows.contains { $0.database == "discarded" })
    }

    @Test func `a migration that throws quarantines the actor, and its bytes stay as they were`() async throws {
        let builds = StoredBuilds()
        try await builds.serve(Wallet1.self) { try await $0.put(3) }
        let before = try builds.stored()
        let message = try await builds.refusal(Wallet2Throwing.self) { _ = try await $0.read() }
        #expect(message.contains("Wallet2Throwing cannot be migrated from schema 1 to 2"))
        #expect(message.contains("no balance in 1"))
        let wrong = try await builds.refusal(Wallet2Wrong.self) { _ = try await $0.read() }
        #expect(wrong.contains("property \"balance\" of Wallet2Wrong is stored as text \"zero\" (schema 2)"))
        #expect(try builds.stored().fields == before.fields)
        #expect(try builds.stored().entries == before.entries)
        #expect(try await builds.serve(Wallet1.self) { try await $0.read() } == [3, 3, 3, 3])
        #expect(try await builds.serve(Wallet2.self) { try await $0.read().balance } == 300)
    }

    @Test func `older code goes on with newer state, unless the newer code forbids it`() async throws {
        let builds = StoredBuilds()
        try await builds.serve(Wallet1.self) { try await $0.put(3) }
        try await builds.serve(Wallet2.self) { _ = try await $0.read() }
        // Its own property is gone, and it starts with it as its constructor does.
        #expect(try await builds.serve(WalletOfOtherValue.self) { try await $0.read() } == 0)
        #expect(try builds.stored().actor.schemaVersion == 2, "the highest version stays")
        #expect(try await builds.serve(Wallet2Strict.self) { try await $0.read() } == 0)
        let message = try await builds.refusal(WalletOfOtherValue.self) { _ = try await $0.read() }
        #expect(message.contains("lets no code below schema 2 go on with it; this build has schema 1"))
        #expect(try await builds.serve(Wallet2.self) { try await $0.read().entries.count } == 3)
    }

    @Test func `a type that does not fit quarantines with property, stored and expected type`() async throws {
        let builds = StoredBuilds()
        try await builds.serve(Wallet1.self) { try await $0.put(3) }
        let before = try builds.stored()
        func expect(_ parts: String..., in message: String) {
            for part in parts { #expect(message.contains(part), "\(message)") }
        }
        expect(
            "property \"balance\" of WalletOfOtherValue is stored as text \"3\" (schema 1), this build expects Int",
            "keeps its bytes",
            in: try await builds.refusal(WalletOfOtherValue.self) { _ = try await $0.read() }
        )
        expect(
            "property \"entries\" of WalletOfValueForCollection is stored as a dictionary of 3 entries (schema 1)",
            "expects Dictionary<String, Int>",
            in: try await builds.refusal(WalletOfValueForCollection.self) { _ = try await $0.read() }
        )
        expect(
            "property \"list\" of WalletOfCollectionForValue is stored as array [1,2] (schema 1)",
            "expects CheckpointedArray<Int>",
            in: try await builds.refusal(WalletOfCollectionForValue.self) { _ = try await $0.read() }
        )
        expect(
            "property \"members\" of WalletOfOtherCollection is stored as a set of 3 entries (schema 1)",
            "expects CheckpointedArray<Int>",
            in: try await builds.refusal(WalletOfOtherCollection.self) { _ = try await $0.read() }
        )
        // An entry is looked at when it is used.
        let message = try await builds.refusal(WalletOfOtherEntries.self) { wallet in
            #expect(try await wallet.count() == 3)
            _ = try await wallet.read()
        }
        expect("an entry of property \"entries\" of WalletOfOtherEntries is stored as array [\"0\",0]", in: message)
        expect("WalletEntry", in: message)
        #expect(try builds.stored().fields == before.fields)
        #expect(try await builds.serve(Wallet1.self) { try await $0.read() } == [3, 3, 3, 3])
    }

    private func collection(_ name: String, _ stored: ShardReader.StoredState) throws -> CollectionHeader {
        guard case .collection(let header) = stored.fields[name]?.property else {
            throw Refusal(reason: "\(name) is no collection: \(stored.fields[name].debugDescription)")
        }
        return header
    }

    private func value(_ name: String, _ stored: ShardReader.StoredState) throws -> Int {
        guard case .value(let bytes) = stored.fields[name]?.property else { throw Refusal(reason: "\(name): no value") }
        return try CBORDecoder().decode(Int.self, from: bytes)
    }

    /// Waits until the worker has noted the layout, which it does a moment after its first calls.
    private func noted(_ builds: StoredBuilds, _ condition: (StoredSchema) -> Bool) async throws {
        try await eventually("the layout is noted") {
            try builds.stored().schema
        } is: {
            $0.map(condition) ?? false
        }
    }

    /// What workers write to stderr, once it holds a text.
    private func eventualLog(_ builds: StoredBuilds, containing text: String) async throws -> String {
        func log() -> String {
            let directory = "\(builds.layout.supervisor)/stderr"
            return RuntimeDirectory.entries(of: directory).compactMap { name in
                try? String(contentsOfFile: "\(directory)/\(name)", encoding: .utf8)
            }.joined()
        }
        try await eventually("the log names it") {
            log()
        } is: {
            $0.contains(text)
        }
        return log()
    }
}
