internal import CBOR
internal import Distributed
internal import DurableCore
internal import DurableStore
@_spi(Reflection) internal import Swift

/// One instance of an actor in memory: made by its constructor, overlaid with its last committed state.
///
/// Used on the worker's loop only, which is also the actor's executor.
final class Activation {
    let instance: any DurableActor
    let type: TypeSchema
    let cells: [any AnyCheckpointedCell]
    /// Where renamed properties are stored that were not stored since, by their names now.
    private var formerRows: [String: FormerRow] = [:]
    private var access: StateAccess?

    private init(_ instance: any DurableActor) throws(StoreError) {
        self.instance = instance
        type = try TypeSchema(Swift.type(of: instance))
        cells = Self.findCells(in: instance)
        try Self.checkNames(cells, type)
    }

    /// Runs the constructor.
    /// - Throws: Whatever the constructor throws.
    // Inlined into its caller it crashes the optimiser of Swift 6.3.1, while that splits the caller's coroutine.
    @inline(never)
    static func construct(
        _ type: any DurableActor.Type,
        _ arguments: [UInt8],
        runtime: ActorRuntime
    ) async throws -> Activation {
        try Activation(await make(type, arguments, runtime))
    }

    private static func make<Act: DurableActor>(
        _ type: Act.Type,
        _ recorded: [UInt8],
        _ runtime: ActorRuntime
    ) async throws -> any DurableActor {
        let arguments: Act.Arguments
        do {
            arguments = try runtime.decoder.decode(Act.Arguments.self, from: recorded)
        } catch {
            throw ActorError(
                .serialization,
                "the recorded arguments cannot be read as \(Act.Arguments.self)",
                cause: "\(error)"
            )
        }
        return try await Act(arguments, actorSystem: runtime)
    }

    /// Puts the last committed values in place of the constructor's. Properties that were never stored keep theirs;
    /// stored ones that this build does not know stay on disk as they are.
    func restore(_ stored: [String: StoredField], _ access: StateAccess) throws(StoreError) {
        self.access = access
        for cell in cells {
            let row = Self.row(of: cell, in: stored)
            do {
                try cell.restore(row?.field.property, access)
            } catch {
                guard let row else { throw StoreError(.unreadable, "property \"\(cell.name)\": \(error)") }
                let what = "property \"\(row.name)\""
                let form = StoredForm.of(row.field)
                throw access.mismatch(what, form, row.field.schema, cell.typeDescription, error)
            }
            if let row, row.name != cell.name {
                formerRows[cell.name] = FormerRow(name: row.name, property: row.field.property)
            }
        }
    }

    /// What the constructor made is the first state.
    func begin(_ access: StateAccess) { self.access = access }

    /// What changed since the last time, and counts as stored from here on.
    func takeChanges() throws -> [WriteSet.Change] {
        guard let access else { return [] }
        var changes: [WriteSet.Change] = []
        guard !formerRows.isEmpty else {
            for cell in cells { try cell.takeChanges(as: cell.name, access, into: &changes) }
            return changes
        }
        for cell in cells {
            var own: [WriteSet.Change] = []
            try cell.takeChanges(as: cell.name, access, into: &own)
            if !own.isEmpty, let former = formerRows.removeValue(forKey: cell.name) {
                own = Self.moving(cell.name, from: former, own)
            }
            changes += own
        }
        return changes
    }

    /// What was taken is committed.
    func committed() {
        for cell in cells { cell.committed() }
    }

    private static func findCells(in instance: any DurableActor) -> [any AnyCheckpointedCell] {
        var cells: [any AnyCheckpointedCell] = []
        // Not its mirror: that shows what people are to see. Classes are looked at only when asked for: option 1.
        let object = UnsafeRawPointer(Unmanaged.passUnretained(instance as AnyObject).toOpaque())
        _ = _forEachField(of: Swift.type(of: instance), options: _EachFieldOptions(rawValue: 1)) {
            label,
            offset,
            type,
            _ in
            if let type = type as? any CheckpointedStorage.Type,
                let cell = storage(type, at: object + offset).anyCell
            {
                // A wrapper's storage has the property's name with an underscore before it.
                cell.name = String(String(cString: label).dropFirst())
                cells.append(cell)
            }
            return true
        }
        withExtendedLifetime(instance) {}
        return cells
    }

    /// A stored property of an object, by its declared type.
    private static func storage<Storage: CheckpointedStorage>(
        _ type: Storage.Type,
        at place: UnsafeRawPointer
    ) -> any CheckpointedStorage {
        place.load(as: type)
    }
}
