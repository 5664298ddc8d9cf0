internal import CBOR
package import DurableCore
internal import DurableLMDB

/// Writing.
extension ShardStore {
    /// Commits write sets together, if the shard is still ours. When it throws, nothing of them is stored.
    package func commit(_ writeSets: [WriteSet]) throws(StoreError) {
        try commit(writeSets) { _ throws(LMDBError) in }
    }

    /// Records which actor lives here; with its first state, in one transaction.
    package func register(_ actor: ActorID, as stored: StoredActor, state: WriteSet?) throws(StoreError) {
        let row: [UInt8]
        do {
            row = StoredValue.seal(try CBOREncoder().encode(stored))
        } catch {
            throw StoreError(.failed, "encoding the record of \(actor): \(error)")
        }
        let actors = databases.actors
        try commit(state.map { [$0] } ?? []) { transaction throws(LMDBError) in
            try transaction.put(actor.bytes, row, in: actors)
        }
    }

    /// Deletes some of the rows that were discarded.
    /// - Parameter limit: How many at most.
    /// - Returns: Whether rows are left; then call again.
    package func sweepDiscarded(limit: Int) throws(StoreError) -> Bool {
        guard hasDiscarded else { return false }
        let databases = databases
        let isLeft = try write("deleting discarded rows") { transaction throws in
            let stored = try transaction.get(ShardLayout.fenceKey, in: databases.meta).map { try Fence(decoding: $0) }
            guard stored?.epoch == self.fence.epoch else { throw self.fencedError(stored) }
            var room = limit
            while room > 0, let (rows, _) = try transaction.first(in: databases.discarded) {
                var keys: [[UInt8]] = []
                var nested: [[UInt8]] = []
                try transaction.forEach(prefix: rows, in: databases.entries) { key, value in
                    keys.append(Array(key))
                    if value.first == StoredValue.Kind.portions.rawValue { nested.append(Array(value)) }
                    return keys.count < room
                }
                for key in keys { try transaction.delete(key, in: databases.entries) }
                // A large value among the entries has portions of its own.
                for value in nested {
                    let portions = try PortionsReference(decoding: StoredValue.openAny(value).payload)
                    let key = ShardLayout.rowsPrefix(portions.rows)
                    try transaction.put(key, StoredValue.seal([]), in: databases.discarded)
                }
                room -= keys.count
                if room > 0 { try transaction.delete(rows, in: databases.discarded) }
                room -= 1
            }
            return try transaction.first(in: databases.discarded) != nil
        }
        hasDiscarded = isLeft
        return isLeft
    }

    private func commit(
        _ writeSets: [WriteSet],
        _ more: (inout WriteTransaction) throws(LMDBError) -> Void
    ) throws(StoreError) {
        let databases = databases
        let time = commitTime
        let (written, discards) = try write("committing") { transaction throws in
            let stored = try transaction.get(ShardLayout.fenceKey, in: databases.meta).map { try Fence(decoding: $0) }
            guard var next = stored, next.epoch == self.fence.epoch else { throw self.fencedError(stored) }
            next.version += 1
            next.nextRows = max(next.nextRows, self.fence.nextRows)
            var writer = RowWriter(databases: databases, fence: next)
            for set in writeSets {
                for change in set.changes { try writer.apply(change, of: set, &transaction) }
                guard let completion = set.completion else { continue }
                try writer.record(completion, of: set.actor, at: time, &transaction)
            }
            try more(&transaction)
            try transaction.put(ShardLayout.fenceKey, writer.fence.encoded(), in: databases.meta)
            self.beforeCommit()
            return (writer.fence, writer.hasDiscarded)
        }
        fence = written
        if discards { hasDiscarded = true }
    }
}
