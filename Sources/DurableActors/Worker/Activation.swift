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

    private init(_ instance: any DurableActor, actor: ActorID) throws(StoreError) {
        self.instance = instance
        self.actor = actor
        cells = Self.findCells(in: instance)
        for (name, _) in cells where name.utf8.count > 490 {
            throw StoreError(.failed, "the property name \(name.prefix(40))… is longer than 490 bytes")
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
    func restore(_ stored: [String: [UInt8]], _ decoder: CBORDecoder) throws(StoreError) {
        for (name, cell) in cells {
            guard let bytes = stored[name] else {
                cell.isDirty = false
                continue
            }
            do {
                try cell.restore(bytes, with: decoder)
            } catch {
                let found = (try? CBORDiagnostic.json(bytes, pretty: false)) ?? "\(bytes.count) bytes"
                throw StoreError(
                    .unreadable,
                    "property \"\(name)\" is stored as \(found.prefix(200)), which is no \(cell.typeDescription): \(error)"
                )
            }
        }
    }

    /// What changed since the last time, and counts as stored from here on.
    func takeChanges() throws -> [WriteSet.Field] {
        var fields: [WriteSet.Field] = []
        for (name, cell) in cells where cell.isDirty {
            fields.append(WriteSet.Field(name: name, value: try cell.encoded()))
            cell.isDirty = false
        }
        return fields
    }

    private static func findCells(in instance: any DurableActor) -> [(String, any AnyCheckpointedCell)] {
        var cells: [(String, any AnyCheckpointedCell)] = []
        for child in Mirror(reflecting: instance).children {
            // A wrapper's storage has the property's name with an underscore before it.
            if let label = child.label, let storage = child.value as? any CheckpointedStorage {
                cells.append((String(label.dropFirst()), storage.anyCell))
            }
        }
        return cells
    }
}
