internal import CBOR
package import DurableCore
internal import DurableLMDB
internal import Glibc

/// Copies one actor's state into a shard of its own, under another identity.
package enum ShardClone {
    private static let rowsPerTransaction = 1_000

    /// Copies an actor: its present state, without outcomes of calls, which belong to the original, and without
    /// earlier states. From one view of the shard, also while a worker has it.
    /// - Parameters:
    ///   - actor: The original.
    ///   - directory: The original's shard.
    ///   - target: Where the new shard is made; does not exist yet.
    ///   - copy: The new identity.
    ///   - name: The new name.
    /// - Throws: When something cannot be read or written; then what is at `target` is incomplete.
    package static func make(
        of actor: ActorID,
        in directory: String,
        at target: String,
        as copy: ActorID,
        name: String?
    ) throws(StoreError) {
        do {
            var options = EnvironmentOptions(format: ShardLayout.format, databases: ShardLayout.databases)
            let new = try Environment.open(directory: target, options: options)
            defer { new.close() }
            options.readOnly = true
            let original = try Environment.open(directory: directory, options: options)
            defer { original.close() }
            let (databases, newDatabases) = (ShardDatabases(original), ShardDatabases(new))
            try original.tryRead { transaction throws in
                guard let row = try transaction.get(actor.bytes, in: databases.actors),
                    let stored = try transaction.get(ShardLayout.fenceKey, in: databases.meta)
                else { throw StoreError(.failed, "nothing is stored of actor \(actor)") }
                var record = try CBORDecoder().decode(StoredActor.self, from: StoredValue.open(row).payload)
                record.name = name
                // The registry knows those of an actor that has its shard for itself.
                (record.arguments, record.options, record.createdIn) = (nil, nil, nil)
                var fence = try Fence(decoding: stored)
                (fence.epoch, fence.pid, fence.incarnation) = (1, getpid(), 0)
                var rows: [RowSetID] = []
                let properties = try transaction.entries(prefix: actor.bytes, in: databases.state)
                for (_, value) in properties { rows += try RowReader.rows(of: value).map { [$0] } ?? [] }
                while let set = rows.popLast() {
                    rows += try copyRows(ShardLayout.rowsPrefix(set), databases, transaction, to: new, newDatabases)
                }
                let sealed = StoredValue.seal(try CBOREncoder().encode(record))
                try new.tryWrite { transaction throws in
                    for (key, value) in properties {
                        try transaction.put(copy.bytes + key.dropFirst(16), value, in: newDatabases.state)
                    }
                    try transaction.put(copy.bytes, sealed, in: newDatabases.actors)
                    try transaction.put(ShardLayout.fenceKey, fence.encoded(), in: newDatabases.meta)
                }
            }
        } catch {
            throw ShardStore.convert(error, "copying actor \(actor)", directory)
        }
    }

    /// Copies a row set, and returns those that its rows refer to.
    private static func copyRows(
        _ prefix: [UInt8],
        _ databases: ShardDatabases,
        _ transaction: borrowing ReadTransaction,
        to new: Environment,
        _ newDatabases: ShardDatabases
    ) throws -> [RowSetID] {
        var nested: [RowSetID] = []
        var copied: [UInt8]?
        while true {
            var batch: [(key: [UInt8], value: [UInt8])] = []
            try transaction.forEach(from: copied ?? prefix, in: databases.entries) { key, value in
                guard key.starts(with: prefix), batch.count < rowsPerTransaction else { return false }
                if let copied, key.elementsEqual(copied) { return true }
                batch.append((Array(key), Array(value)))
                return true
            }
            guard let last = batch.last else { return nested }
            for (_, value) in batch { nested += try RowReader.rows(of: value).map { [$0] } ?? [] }
            try new.tryWrite { transaction throws in
                for (key, value) in batch { try transaction.put(key, value, in: newDatabases.entries) }
            }
            copied = last.key
        }
    }
}
