internal import DurableCore
internal import DurableLMDB

/// Shards whose commits are not flushed: snapshots, and the end that leaves nothing to check.
extension ShardStore {
    /// A snapshot to be taken of what is committed now; `nil` when there is no need: commits are flushed, or the
    /// newest snapshot holds all of them.
    package func snapshotJob() -> SnapshotJob? {
        guard unflushedBoot != nil, ShardSnapshots(shard: path).versions.first != fence.version else { return nil }
        return SnapshotJob(environment: environment, shard: path, version: fence.version)
    }

    /// How many seconds ago, by the wall clock, the shard had its last snapshot or, before the first one, was first
    /// worked on in this run of the machine. Nothing but the time of the next snapshot may depend on it.
    package var secondsSinceSnapshot: Int? {
        let last = ShardSnapshots(shard: path).newestTime ?? UnsyncedMarker(directory: path).time
        return last.map { Int(readClocks().wallMilliseconds / 1000) - $0 }
    }

    /// Flushes every commit and says so, so that nothing has to be checked after a crash of the machine. The store
    /// must not be used any more. Does nothing where commits are flushed anyway.
    package func endCleanly() throws(StoreError) {
        guard unflushedBoot != nil else { return }
        do throws(LMDBError) {
            try environment.sync()
        } catch {
            throw StoreError(error, doing: "flushing the shard")
        }
        let databases = databases
        // Within a write transaction, so that a newer owner has either set the marker again or will.
        try write("ending the shard") { transaction throws in
            let stored = try transaction.get(ShardLayout.fenceKey, in: databases.meta).map { try Fence(decoding: $0) }
            guard stored == self.fence else { throw self.fencedError(stored) }
            try UnsyncedMarker(directory: self.path).clear()
        }
    }
}
