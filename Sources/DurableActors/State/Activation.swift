internal import CBOR
internal import Distributed
internal import DurableCore
internal import DurableStore

/// One instance of an actor in memory: made by its constructor, overlaid with its last committed state.
///
/// Used on the worker's loop only, which is also the actor's executor.
final class Activation {
    let instance: any DurableActor
    private let cells: [(name: String, cell: any AnyCheckpointedCell)]
    private let actor: ActorID
    private var access: StateAccess?

    private init(_ instance: any DurableActor, actor: ActorID) throws(StoreError) {
        self.instance = instance
        self.actor = actor
        cells = Self.findCells(in: instance)
        let longest = ShardLayout.fieldNameBytesMax
        for (name, _) in cells where name.utf8.count > longest {
            throw StoreError(.failed, "the property name \(name.prefix(40))… is longer than \(longest) bytes")
        }
    }

    /// Runs the constructor.
    /// - Throws: Whatever the constructor throws.
    static func construct(
        _ type: any DurableActor.Type,
        _ arguments: [UInt8],
        actor: ActorID,
        runtime: ActorRuntime
    ) async throws -> Activation {
        try Activation(await make(type, arguments, runtime), actor: actor)
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
        for (name, cell) in cells {
            do {
                try cell.restore(stored[name]?.property, access)
            } catch {
                let found = stored[name].map(Self.describe) ?? "nothing"
                throw StoreError(
                    .unreadable,
                    "property \"\(name)\" is stored as \(found), which is no \(cell.typeDescription): \(error)"
                )
            }
        }
    }

    /// What the constructor made is the first state.
    func begin(_ access: StateAccess) { self.access = access }

    /// What changed since the last time, and counts as stored from here on.
    func takeChanges() throws -> [WriteSet.Change] {
        guard let access else { return [] }
        var changes: [WriteSet.Change] = []
        for (name, cell) in cells { try cell.takeChanges(as: name, access, into: &changes) }
        return changes
    }

    /// What was taken is committed.
    func committed() {
        for (_, cell) in cells { cell.committed() }
    }

    private static func describe(_ field: StoredField) -> String {
        switch field.property {
        case .value(let bytes):
            String(((try? CBORDiagnostic.json(bytes, pretty: false)) ?? "\(bytes.count) bytes").prefix(200))
        case .collection(let header):
            "a \(header.kind) of \(header.count) entries"
        }
    }

    private static func findCells(in instance: any DurableActor) -> [(String, any AnyCheckpointedCell)] {
        var cells: [(String, any AnyCheckpointedCell)] = []
        for child in Mirror(reflecting: instance).children {
            // A wrapper's storage has the property's name with an underscore before it.
            if let label = child.label, let storage = child.value as? any CheckpointedStorage,
                let cell = storage.anyCell
            {
                cells.append((String(label.dropFirst()), cell))
            }
        }
        return cells
    }
}
