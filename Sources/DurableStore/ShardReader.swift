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
        /// Its checkpointed properties. Entries of collections are read with `entries`.
        package var fields: [String: StoredField]
        /// The first entries of its collections.
        package var entries: [String: [StoredEntry]]
        /// How many completion records it keeps.
        package var completions: Int
        /// How its properties are laid out, as the code that served them last said.
        package var schema: StoredSchema?
        /// Its calls that crashed its workers and will not be run again, oldest first.
        package var deadLetters: [DeadLetter]
    }

    /// Reads all that a shard holds, in one transaction. One that a crash of the machine may have damaged, and that no
    /// worker has opened since, is checked before.
    /// - Parameters:
    ///   - directory: The shard's directory.
    ///   - entriesMax: How many entries of each collection are read.
    /// - Throws: `StoreError`; the files are not changed.
    package static func read(
        _ directory: String,
        entriesMax: Int = 0
    ) throws(StoreError) -> (fence: Fence?, actors: [StoredState]) {
        try withReader(directory) { databases, transaction throws in try read(databases, transaction, entriesMax) }
    }

    /// How the actors in a shard lay their state out, as the code that served them last said. No state is read.
    package static func schemas(_ directory: String) throws(StoreError) -> [StoredSchema] {
        try withReader(directory) { databases, transaction throws in
            var actors: [ActorID] = []
            try transaction.forEach(prefix: [], in: databases.actors) { key, _ in
                if let id = ActorID(bytes: key) { actors.append(id) }
                return true
            }
            var schemas: [StoredSchema] = []
            for actor in actors {
                if let schema = try RowReader.schema(of: actor, databases, transaction) { schemas.append(schema) }
            }
            return schemas
        }
    }

    private static func withReader<Result>(
        _ directory: String,
        _ body: (ShardDatabases, borrowing ReadTransaction) throws -> Result
    ) throws(StoreError) -> Result {
        if let left = try UnsyncedMarker(directory: directory).read(), left != .current() {
            _ = try ShardCheck.version(of: directory)
        }
        do {
            var options = EnvironmentOptions(format: ShardLayout.format, databases: ShardLayout.databases)
            options.readOnly = true
            let environment = try Environment.open(directory: directory, options: options)
            defer { environment.close() }
            return try environment.tryRead { transaction throws in try body(ShardDatabases(environment), transaction) }
        } catch {
            throw ShardStore.convert(error, "reading the shard", directory)
        }
    }

    private static func read(
        _ databases: ShardDatabases,
        _ transaction: borrowing ReadTransaction,
        _ entriesMax: Int
    ) throws -> (fence: Fence?, actors: [StoredState]) {
        let fence = try transaction.get(ShardLayout.fenceKey, in: databases.meta).map { try Fence(decoding: $0) }
        var rows: [(ActorID, [UInt8])] = []
        try transaction.forEach(prefix: [], in: databases.actors) { key, value in
            if let id = ActorID(bytes: key) { rows.append((id, Array(value))) }
            return true
        }
        let actors = try rows.map { id, row in
            let actor = try CBORDecoder().decode(StoredActor.self, from: StoredValue.open(row).payload)
            let fields = try RowReader.fields(of: id, databases, transaction)
            var entries: [String: [StoredEntry]] = [:]
            for (name, field) in fields {
                guard case .collection(let header) = field.property else { continue }
                entries[name] = try RowReader.entries(of: header.rows, from: [], entriesMax, databases, transaction)
            }
            var completions = 0
            try transaction.forEach(prefix: id.bytes, in: databases.done) { key, _ in
                // Number 0 is the session's frontier.
                if !key.suffix(8).allSatisfy({ $0 == 0 }) { completions += 1 }
                return true
            }
            try transaction.forEach(prefix: id.bytes, in: databases.keyed) { _, _ in
                completions += 1
                return true
            }
            return StoredState(
                id: id,
                actor: actor,
                fields: fields,
                entries: entries,
                completions: completions,
                schema: try RowReader.schema(of: id, databases, transaction),
                deadLetters: try DeadLetter.all(prefix: id.bytes, databases, transaction)
            )
        }
        return (fence, actors)
    }
}
