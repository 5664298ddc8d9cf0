import CBOR
import DurableCore
import DurableStore
import Foundation

@testable import DurableActors

/// One checkpointed property over a real shard, without a worker around it: turns, commits, and lives that end.
final class StoredPropertyModel<Value: CheckpointedCollection> {
    private let path: String
    private let actor = ActorID(high: 1, low: 1)
    private let make: () -> Value
    private var store: ShardStore
    private var changes: [WriteSet.Change] = []
    private(set) var property: Checkpointed<Value>

    init(_ make: @escaping () -> Value) throws {
        path = "\(NSTemporaryDirectory())property-test-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        self.make = make
        store = try ShardStore.open(directory: "\(path)/shard", durability: .process)
        property = Checkpointed(wrappedValue: make())
        _ = try store.claim(pid: getpid(), incarnation: 1)
        try store.register(actor, as: StoredActor(type: "T", typeName: "1T", name: nil), state: nil)
        try endTurn()
        try commit()
    }

    deinit {
        store.close()
        try? FileManager.default.removeItem(atPath: path)  // a leftover in the temporary directory harms nobody
    }

    private var access: StateAccess {
        StateAccess(store, CBORDecoder(), actor: actor) { error in fatalError("\(error)") }
    }

    private var cell: any AnyCheckpointedCell {
        guard let cell = property.anyCell else { fatalError("the property has no cell") }
        return cell
    }

    /// What changed goes into the commit group.
    func endTurn() throws {
        try cell.takeChanges(as: "property", access, into: &changes)
    }

    /// Commits the turns that have ended.
    func commit() throws {
        try store.commit([WriteSet(actor: actor, changes: changes)])
        changes = []
        cell.committed()
        _ = try store.sweepDiscarded(limit: 7)
    }

    /// The process dies: a new instance gets what was committed.
    func crash() throws {
        store.close()
        changes = []
        store = try ShardStore.open(directory: "\(path)/shard", durability: .process)
        _ = try store.claim(pid: getpid(), incarnation: 1)
        property = Checkpointed(wrappedValue: make())
        try cell.restore(try store.load(actor)?.fields["property"]?.property, access)
    }

    /// Deletes discarded rows to the end, and counts what is stored.
    func rowsLeft() throws -> Int {
        while try store.sweepDiscarded(limit: 1000) {}
        store.close()
        defer { reopen() }
        let stored = try ShardReader.read("\(path)/shard", entriesMax: .max).actors.first
        return stored?.entries["property"]?.count ?? 0
    }

    private func reopen() {
        guard let store = try? ShardStore.open(directory: "\(path)/shard", durability: .process),
            (try? store.claim(pid: getpid(), incarnation: 1)) != nil
        else { fatalError("the shard cannot be opened again") }
        self.store = store
    }
}
