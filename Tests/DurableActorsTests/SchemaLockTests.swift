import DurableActors
import DurableCore
import Foundation
import Testing

/// Values of every kind that a layout tells apart.
distributed actor Catalogue: DurableActor {
    struct Item: Codable {
        var name: String
        var price: Int?
        var tags: [String: [Double]]
        var parent: [Item]
        private var secret = Secret()

        private struct Secret: Codable { var level: UInt8 = 0 }
    }

    enum Color: String, Codable { case red, green }

    enum Shape: Codable { case circle(radius: Double), square }

    final class Box: Codable { var width = 0 }

    @Checkpointed var count = 0
    @Checkpointed var color = Color.red
    @Checkpointed var shape: Shape? = .square
    @Checkpointed var made = Date(timeIntervalSince1970: 0)
    @Checkpointed var bytes: [UInt8] = []
    @Checkpointed var box = Box()
    @Checkpointed var items = CheckpointedDictionary<String, Item>()
    @Checkpointed(renamedFrom: "ids", "numbers") var members: CheckpointedSet<Int> = []
    @Checkpointed var log = CheckpointedArray<[Int?]>()

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }
}

/// The lock file of stored layouts.
@Suite(.serialized) struct SchemaLockTests {
    static let locked = """
        actor DurableActorsTests.Catalogue, schema version 1
            box: struct
            box.width: Int
            bytes: Array
            bytes[element]: UInt8
            color: DurableActorsTests.Catalogue.Color as String
            count: Int
            items: CheckpointedDictionary
            items[key]: String
            items[value]: struct
            items[value].name: String
            items[value].parent: Array
            items[value].parent[element]: DurableActorsTests.Catalogue.Item
            items[value].price: Int?
            items[value].secret: struct
            items[value].secret.level: UInt8
            items[value].tags: Dictionary
            items[value].tags[key]: String
            items[value].tags[value]: Array
            items[value].tags[value][element]: Double
            log: CheckpointedArray
            log[element]: Array
            log[element][element]: Int?
            made: Date
            members: CheckpointedSet  (renamed from ids, numbers)
            members[member]: Int
            shape: DurableActorsTests.Catalogue.Shape?

        """

    @Test func `the lock lists each property and the parts of its value, and reads itself`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            _ = try await runtime.spawn(Catalogue.self)
            let lock = try await runtime.schemaLock()
            let text = lock.text.split(separator: "\n", omittingEmptySubsequences: false)
                .filter { !$0.hasPrefix("#") }.drop { $0.isEmpty }.joined(separator: "\n")
            #expect(text == Self.locked)
            #expect(try SchemaLock(parsing: lock.text) == lock)
        }
    }

    @Test func `a test fails when a type changed incompatibly without a version step`() async throws {
        let scratch = ScratchDirectory()
        let file = scratch.file("schema.lock")
        try await ActorRuntime.withRuntime { runtime in
            _ = try await runtime.spawn(Catalogue.self)
            let missing = await failure { try await SchemaLock.check(runtime, file: file) }
            #expect(missing?.code == .invalidArgument && missing?.message.contains(file) == true)
            #expect(try await SchemaLock.check(runtime, file: file, update: true).isCurrent)
            #expect(try await SchemaLock.check(runtime, file: file, exact: true).isCurrent)

            try write(Self.locked.replacing("count: Int\n", with: "count: String\n"), to: file)
            let mismatch = await #expect(throws: SchemaLock.Mismatch.self) {
                try await SchemaLock.check(runtime, file: file)
            }
            #expect(
                mismatch?.comparison.incompatible == ["DurableActorsTests.Catalogue: count was String and is Int"]
            )
            #expect(mismatch?.description.contains("raise schemaVersion") == true)

            try write(Self.locked.replacing("    count: Int\n", with: ""), to: file)
            #expect(try await SchemaLock.check(runtime, file: file).isCurrent == false)
            await #expect(throws: SchemaLock.Mismatch.self) {
                try await SchemaLock.check(runtime, file: file, exact: true)
            }
        }
    }

    @Test func `a quarantined actor fails the check with its own message`() async throws {
        let builds = StoredBuilds()
        try await builds.serve(Wallet1.self) { try await $0.put(1) }
        let message = try await builds.refusal(WalletOfOtherValue.self) { wallet in
            _ = try await wallet.actorSystem.schemaLock()
        }
        #expect(message.contains("this build expects Int"))
    }

    /// Lines of the old and of the new build, and whether the new one reads what the old one has stored.
    static let changes: [(old: [String], new: [String], isCompatible: Bool)] = [
        (["a: Int"], ["a: String"], false),
        (["a: Int"], ["a: Int", "b: String"], true),
        (["a: Int", "b: String"], ["a: Int"], true),
        (["a: Int"], ["b: Int"], true),
        (["a: Int"], ["b: Int  (renamed from a)"], true),
        (["a: Int"], ["b: String  (renamed from a)"], false),
        (["a: struct", "a.x: Int"], ["b: struct  (renamed from a)", "b.x: String"], false),
        (["b: Int  (renamed from a)"], ["b: Int"], false),
        (["b: Int  (renamed from a)"], [], true),
        (["a: Int"], ["a: Int?"], true),
        (["a: Int?"], ["a: Int"], false),
        (["a: Int32"], ["a: Int64"], true),
        (["a: UInt32"], ["a: Int"], true),
        (["a: Int64"], ["a: Int32"], false),
        (["a: UInt64"], ["a: Int"], false),
        (["a: Int32?"], ["a: Int?"], true),
        (["a: Int"], ["a: Double"], false),
        (["a: struct", "a.x: Int"], ["a: struct", "a.x: Int", "a.y: Int?"], true),
        (["a: struct", "a.x: Int"], ["a: struct", "a.x: Int", "a.y: Int"], false),
        (["a: struct", "a.x: Int", "a.y: Int"], ["a: struct", "a.x: Int"], true),
        (["a: struct", "a.x: Int"], ["a: struct?", "a.x: Int"], true),
        (["a: struct", "a.x: Int"], ["a: struct?", "a.x: String"], false),
        (["a: struct", "a.x: Int"], ["a: Int"], false),
        (["a: Int"], ["a: Int", "b: struct", "b.x: Int"], true),
        (["a: struct", "a.x: Int"], ["a: struct", "a.x: Int", "a.y: struct?", "a.y.z: Int"], true),
        (["a: CheckpointedDictionary"], ["a: CheckpointedArray"], false),
        (["a: CheckpointedSet", "a[member]: Int"], ["a: CheckpointedSet", "a[member]: String"], false),
        (["a: Dictionary"], ["a: CheckpointedDictionary"], false),
    ]

    @Test(arguments: changes.indices) func `changes of a layout are told apart`(index: Int) throws {
        let (old, new, isCompatible) = Self.changes[index]
        let comparison = try lock(1, old).comparison(with: lock(1, new))
        #expect(comparison.incompatible.isEmpty == isCompatible, "\(comparison)")
        #expect(!comparison.isCurrent)
        // With a version step, the migration answers for it; back again, nobody does.
        #expect(try lock(1, old).comparison(with: lock(2, new)).incompatible.isEmpty)
        #expect(try !lock(2, old).comparison(with: lock(1, new)).incompatible.isEmpty)
        #expect(try lock(1, old).comparison(with: lock(1, old)).isCurrent)
    }

    @Test func `an incompatible change is reported once, where it is`() throws {
        let old = try lock(1, ["a: struct", "a.x: struct", "a.x.y: Int"])
        let comparison = old.comparison(with: try lock(1, ["a: struct", "a.x: Array", "a.x[element]: Int"]))
        #expect(comparison.incompatible == ["M.A: a.x was struct and is Array"])
        #expect(comparison.compatible.isEmpty)
    }

    @Test(arguments: ["a: Int", "actor A", "actor A, schema version x", "actor A, schema version 1\n  a: Int"])
    func `a line that is none is named`(text: String) throws {
        let error = #expect(throws: ActorError.self) { try SchemaLock(parsing: "# a\n\n" + text) }
        #expect(error?.message.contains("line ") == true)
    }

    private func lock(_ version: Int, _ lines: [String]) throws -> SchemaLock {
        try SchemaLock(parsing: "actor M.A, schema version \(version)\n" + lines.map { "    \($0)\n" }.joined())
    }

    private func write(_ text: String, to file: String) throws {
        try text.write(toFile: file, atomically: true, encoding: .utf8)
    }
}
