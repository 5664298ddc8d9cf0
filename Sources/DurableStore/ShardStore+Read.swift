internal import CBOR
package import DurableCore
internal import DurableLMDB

/// Reading.
extension ShardStore {
    /// What is stored of an actor.
    package struct Stored: Sendable {
        /// Its type, name and schema version.
        package var actor: StoredActor
        /// Its checkpointed properties by name. Entries of collections are read when they are needed.
        package var fields: [String: StoredField]
    }

    /// What a shard says an actor is; `nil` when it has never been stored.
    package func record(of actor: ActorID) throws(StoreError) -> StoredActor? {
        let databases = databases
        return try read("reading the record of \(actor)") { transaction throws in
            try transaction.get(actor.bytes, in: databases.actors).map { row in
                try CBORDecoder().decode(StoredActor.self, from: StoredValue.open(row).payload)
            }
        }
    }

    /// What is stored of an actor; `nil` when it has never been stored.
    package func load(_ actor: ActorID) throws(StoreError) -> Stored? {
        let databases = databases
        return try read("reading the state of \(actor)") { transaction throws in
            guard let row = try transaction.get(actor.bytes, in: databases.actors) else { return nil }
            let stored = try CBORDecoder().decode(StoredActor.self, from: StoredValue.open(row).payload)
            return Stored(actor: stored, fields: try RowReader.fields(of: actor, databases, transaction))
        }
    }

    /// How an actor's properties are laid out, as the code that served them last said.
    package func schema(of actor: ActorID) throws(StoreError) -> StoredSchema? {
        let databases = databases
        return try read("reading the layout of \(actor)") { transaction throws in
            try RowReader.schema(of: actor, databases, transaction)
        }
    }

    /// An entry of a collection, CBOR; `nil` when there is none.
    package func entry(_ key: [UInt8], of rows: RowSetID) throws(StoreError) -> [UInt8]? {
        let databases = databases
        return try read("reading an entry of row set \(rows)") { transaction throws in
            let key = ShardLayout.entryKey(rows, key)
            guard let row = try transaction.get(key, in: databases.entries) else { return nil }
            return try RowReader.payload(row, databases, transaction)
        }
    }

    /// Whether a collection has an entry.
    package func hasEntry(_ key: [UInt8], of rows: RowSetID) throws(StoreError) -> Bool {
        let entries = databases.entries
        return try read("looking for an entry of row set \(rows)") { transaction throws in
            try transaction.contains(ShardLayout.entryKey(rows, key), in: entries)
        }
    }

    /// Entries of a collection in the order of their keys.
    /// - Parameters:
    ///   - start: The key to start at, itself included.
    ///   - limit: How many at most.
    package func entries(from start: [UInt8], of rows: RowSetID, limit: Int) throws(StoreError) -> [StoredEntry] {
        let databases = databases
        return try read("reading entries of row set \(rows)") { transaction throws in
            try RowReader.entries(of: rows, from: start, limit, databases, transaction)
        }
    }

    /// The entry of a collection with the largest key.
    package func lastEntry(of rows: RowSetID) throws(StoreError) -> StoredEntry? {
        let databases = databases
        return try read("reading the last entry of row set \(rows)") { transaction throws in
            let prefix = ShardLayout.rowsPrefix(rows)
            guard let (key, row) = try transaction.last(prefix: prefix, in: databases.entries) else { return nil }
            let payload = try RowReader.payload(row, databases, transaction)
            return StoredEntry(key: Array(key.dropFirst(prefix.count)), payload: payload)
        }
    }

    /// How far a session has come with an actor, by what is stored.
    package func progress(of session: SessionID, with actor: ActorID) throws(StoreError) -> SessionProgress {
        let done = databases.done
        return try read("reading completion records") { transaction throws in
            var progress = SessionProgress()
            if let stored = try transaction.get(ShardLayout.frontierKey(actor, session), in: done) {
                progress.frontier = try SessionRow(decoding: stored).frontier
            }
            let last = try transaction.last(prefix: ShardLayout.donePrefix(actor, session), in: done)
            progress.highest = last.map { $0.key.suffix(8).reduce(0) { $0 << 8 | UInt64($1) } } ?? 0
            return progress
        }
    }

    /// The completion record of a call, if it has one.
    package func completion(of id: CallID, for actor: ActorID) throws(StoreError) -> Completion? {
        let done = databases.done
        return try read("reading a completion record") { transaction throws in
            try transaction.get(ShardLayout.doneKey(actor, id), in: done).map { try Completion(decoding: $0, id: id) }
        }
    }

    /// The completion record of a call with a key, if it has one that has not expired.
    package func completion(of key: CallKey, for actor: ActorID) throws(StoreError) -> Completion? {
        let keyed = databases.keyed
        let now = now
        return try read("reading the record of a call with a key") { transaction throws in
            let row = try transaction.get(ShardLayout.keyedKey(actor, key), in: keyed)
            guard let stored = try row.map({ try KeyedRow(decoding: $0) }), stored.expires > now else { return nil }
            return stored.completion
        }
    }

    /// How many records of calls with a key an actor keeps.
    package func keyedCount(of actor: ActorID) throws(StoreError) -> Int {
        let keyed = databases.keyed
        return try read("counting the records of calls with a key") { transaction throws in
            var count = 0
            try transaction.forEach(prefix: actor.bytes, in: keyed) { _, _ in
                count += 1
                return true
            }
            return count
        }
    }
}
