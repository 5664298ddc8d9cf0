internal import CBOR
internal import DurableCore
internal import DurableStore

/// Marks a property of a ``DurableActor`` as state that survives: it is stored before the caller of the method that
/// changed it sees the reply, and it is back after `kill -9`.
///
/// The value changes in place. A turn that did not touch the property does not store it; one that did stores it whole.
/// For state that grows use a ``CheckpointedDictionary``, ``CheckpointedArray`` or ``CheckpointedSet``, of which only
/// the touched entries are stored.
@propertyWrapper
public struct Checkpointed<Value> {
    let cell: CheckpointedCell<Value>

    /// Starts with this value, in the actor's first life.
    public init(wrappedValue: Value) where Value: Codable { cell = ValueCell(wrappedValue) }

    /// Starts with this collection's entries, in the actor's first life.
    public init(wrappedValue: Value) where Value: CheckpointedCollection { cell = CollectionCell(wrappedValue) }

    /// Starts with this value, in the actor's first life. State that an older build stored under another name is found.
    ///
    /// The stored property takes its new name when it is stored next. If a former name belongs to a property again, the
    /// actor is quarantined; write a migration then.
    /// - Parameters:
    ///   - wrappedValue: The value.
    ///   - formerNames: Names that the property had in older builds, the newest first.
    public init(wrappedValue: Value, renamedFrom formerNames: String...) where Value: Codable {
        cell = ValueCell(wrappedValue)
        cell.formerNames = formerNames
    }

    /// Starts with this collection's entries, in the actor's first life. Entries that an older build stored under
    /// another name are found, without being read or moved.
    /// - Parameters:
    ///   - wrappedValue: The collection.
    ///   - formerNames: Names that the property had in older builds, the newest first.
    public init(wrappedValue: Value, renamedFrom formerNames: String...) where Value: CheckpointedCollection {
        cell = CollectionCell(wrappedValue)
        cell.formerNames = formerNames
    }

    /// The value as the running turn sees it.
    public var wrappedValue: Value {
        get { cell.value }
        nonmutating _modify {
            cell.isDirty = true
            yield &cell.value
        }
        nonmutating set {
            cell.isDirty = true
            cell.value = newValue
        }
    }
}

/// A collection whose entries are stored one by one: ``CheckpointedDictionary``, ``CheckpointedArray`` or
/// ``CheckpointedSet``. Not to be adopted by other types.
public protocol CheckpointedCollection: AnyObject {
    /// How it is stored.
    var storage: CollectionStorage { get }
}

/// How a collection is stored; for the framework only.
public struct CollectionStorage {
    let table: any StoredTable
}

/// Holds a checkpointed value and whether it changed since it was stored. Belongs to one actor, on one thread.
class CheckpointedCell<Value> {
    final var value: Value
    final var isDirty = true
    final var name = ""
    final var formerNames: [String] = []

    init(_ value: Value) { self.value = value }
}

/// A checkpointed property whatever its type, as the worker finds and stores it.
protocol AnyCheckpointedCell: AnyObject {
    var typeDescription: String { get }
    /// The property's name.
    var name: String { get set }
    /// Names that it had in older builds.
    var formerNames: [String] { get }
    /// Adds how it is stored.
    func describe(in layout: inout LayoutDescription)
    /// Takes what is stored; `nil` when the property never was, and its constructor's value is kept.
    /// - Throws: When it is no value of this type.
    func restore(_ stored: StoredProperty?, _ access: StateAccess) throws
    /// Adds what changed since the last time, which counts as stored from here on.
    func takeChanges(as name: String, _ access: StateAccess, into changes: inout [WriteSet.Change]) throws
    /// What was taken is committed.
    func committed()
}

/// Finds the cell in a property's storage.
protocol CheckpointedStorage {
    var anyCell: (any AnyCheckpointedCell)? { get }
}

extension Checkpointed: CheckpointedStorage {
    var anyCell: (any AnyCheckpointedCell)? { cell as? any AnyCheckpointedCell }
}

/// A property that is stored whole.
private final class ValueCell<Value: Codable>: CheckpointedCell<Value>, AnyCheckpointedCell {
    var typeDescription: String { String(describing: Value.self) }

    func restore(_ stored: StoredProperty?, _ access: StateAccess) throws {
        isDirty = false
        switch stored {
        case .value(let bytes): value = try access.decoder.decode(Value.self, from: bytes)
        case .collection: throw MalformedBytes("a collection of entries is no single value")
        case nil: break
        }
    }

    func describe(in layout: inout LayoutDescription) { layout.add(Value.self, at: name) }

    func takeChanges(as name: String, _ access: StateAccess, into changes: inout [WriteSet.Change]) throws {
        guard isDirty else { return }
        changes.append(.property(name, .value(try CBOREncoder().encode(value))))
        isDirty = false
    }

    func committed() {}
}

/// A property whose entries are stored one by one.
private final class CollectionCell<Value: CheckpointedCollection>: CheckpointedCell<Value>, AnyCheckpointedCell {
    /// What is attached to the store; another one when the property was assigned since.
    private var attached: (any StoredTable)?

    var typeDescription: String { String(describing: Value.self) }

    func restore(_ stored: StoredProperty?, _ access: StateAccess) throws {
        let table = value.storage.table
        switch stored {
        case .collection(let header):
            try table.attach(header, as: name, access)
            attached = table
        case .value: throw MalformedBytes("a single value is no collection of entries")
        case nil: table.keepAsIs()
        }
    }

    func describe(in layout: inout LayoutDescription) { value.storage.table.describe(name, in: &layout) }

    func takeChanges(as name: String, _ access: StateAccess, into changes: inout [WriteSet.Change]) throws {
        let table = value.storage.table
        if let attached, attached !== table {
            // Another collection was assigned to the property: it replaces all that was stored.
            if let rows = attached.rows { changes.append(.discard(rows)) }
            table.detach()
        }
        attached = table
        try table.takeChanges(as: name, access, into: &changes)
    }

    func committed() { attached?.committed() }
}
