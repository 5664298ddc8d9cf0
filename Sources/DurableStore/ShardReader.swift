internal import CBOR
package import DurableCore
internal import DurableLMDB

/// Reads a shard from outside its worker, without the actors' types and also while it is in use.
package enum ShardReader {
    /// An actor as it is stored.
    package struct StoredState: Sendable, Hashable {
        /// The actor.
        package var id: ActorID
        /// Its type, name and incarnation.
        package var actor: StoredActor
        /// Its checkpointed properties, CBOR.
        package var fields: [String: [UInt8]]
        /// How many completion records it keeps.
        package var completions: Int
    }

    /// Reads all that a shard holds, in one transaction.
    /// - Parameter directory: The shard's directory.
    /// - Throws: `StoreError`; the files are not changed.
    package static func read(_ directory: String) throws(StoreError) -> (fence: Fence?, actors: [StoredState]) {
        do {
            var options = EnvironmentOptions(format: ShardLayout.format, databases: ShardLayout.databases)
            options.readOnly = true
            let environment = try Environment.open(directory: directory, options: options)
            defer { environment.close() }
            return try environment.tryRead { transaction throws in try read(environment, transaction) }
        } catch {
            throw ShardStore.convert(error, "reading the shard", directory)
        }
    }

    private static func read(
        _ environment: Environment,
        _ transaction: borrowing ReadTransaction
    ) throws -> (fence: Fence?, actors: [StoredState]) {
        let meta = environment.database(ShardLayout.meta)
        let fence = try transaction.get(ShardLayout.fenceKey, in: meta).map { try Fence(decoding: $0) }
        var rows: [(ActorID, [UInt8])] = []
        try transaction.forEach(prefix: [], in: environment.database(ShardLayout.actors)) { key, value in
            if let id = ActorID(bytes: key) { rows.append((id, Array(value))) }
            return true
        }
        let state = environment.database(ShardLayout.state)
        let done = environment.database(ShardLayout.done)
        let actors = try rows.map { id, row in
            let actor = try CBORDecoder().decode(StoredActor.self, from: StoredValue.open(row).payload)
            let fields = try fields(of: id, in: state, transaction)
            var completions = 0
            try transaction.forEach(prefix: id.bytes, in: done) { key, _ in
                // Number 0 is the session's frontier.
                if !key.suffix(8).allSatisfy({ $0 == 0 }) { completions += 1 }
                return true
            }
            return StoredState(id: id, actor: actor, fields: fields, completions: completions)
        }
        return (fence, actors)
    }

    static func fields(
        of actor: ActorID,
        in state: Database,
        _ transaction: borrowing ReadTransaction
    ) throws -> [String: [UInt8]] {
        var rows: [(name: String, value: [UInt8])] = []
        try transaction.forEach(prefix: actor.bytes, in: state) { key, value in
            rows.append((String(decoding: key.dropFirst(16), as: UTF8.self), Array(value)))
            return true
        }
        var fields: [String: [UInt8]] = [:]
        for row in rows {
            do {
                fields[row.name] = Array(try StoredValue.open(row.value).payload)
            } catch {
                throw MalformedBytes("property \"\(row.name)\" of actor \(actor): \(error)")
            }
        }
        return fields
    }
}
