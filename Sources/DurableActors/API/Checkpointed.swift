internal import CBOR
internal import DurableCore

/// Marks a property of a ``DurableActor`` as state that survives: it is stored before the caller of the method that
/// changed it sees the reply, and it is back after `kill -9`.
///
/// The value changes in place. A turn that did not touch the property does not store it.
@propertyWrapper
public struct Checkpointed<Value: Codable> {
    let cell: CheckpointedCell<Value>

    /// Starts with this value, in the actor's first life.
    public init(wrappedValue: Value) { cell = CheckpointedCell(wrappedValue) }

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

/// Holds a checkpointed value and whether it changed since it was stored. Belongs to one actor, on one thread.
final class CheckpointedCell<Value: Codable>: AnyCheckpointedCell {
    var value: Value
    var isDirty = true

    init(_ value: Value) { self.value = value }

    func encoded() throws -> [UInt8] { try CBOREncoder().encode(value) }

    func restore(_ bytes: [UInt8], with decoder: CBORDecoder) throws {
        value = try decoder.decode(Value.self, from: bytes)
        isDirty = false
    }

    var typeDescription: String { String(describing: Value.self) }
}

/// A checkpointed property whatever its type, as the worker finds and stores it.
protocol AnyCheckpointedCell: AnyObject {
    /// Whether it changed since it was stored.
    var isDirty: Bool { get set }
    var typeDescription: String { get }
    func encoded() throws -> [UInt8]
    func restore(_ bytes: [UInt8], with decoder: CBORDecoder) throws
}

/// Finds the cell in a property's storage.
protocol CheckpointedStorage {
    var anyCell: any AnyCheckpointedCell { get }
}

extension Checkpointed: CheckpointedStorage {
    var anyCell: any AnyCheckpointedCell { cell }
}
