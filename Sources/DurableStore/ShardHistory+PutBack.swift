package import DurableCore
internal import DurableLMDB
internal import Glibc

extension ShardHistory {
    /// Gives an actor the state again that it had after an earlier version.
    ///
    /// One transaction, which becomes the newest version, so it can be undone like any other. It also raises the epoch:
    /// a worker that has the shard can commit nothing more and answers no read; its successor begins with the state.
    /// Outcomes of calls stay as they are: a call that was answered is not run again.
    /// - Returns: The version that this made.
    @discardableResult
    package static func putBack(
        _ actor: ActorID,
        to version: UInt64,
        in directory: String,
        now: Int64 = WallClock.milliseconds
    ) throws(StoreError) -> UInt64 {
        try change(directory) { databases, transaction in
            let log = try StoredCommit.all(of: actor, databases, transaction)
            let present = try self.version(of: actor, databases, transaction)
            try check(version, log, present: present)
            let undone = log.filter { $0.version > version }
            guard !undone.isEmpty else {
                throw StoreError(.failed, "the state of version \(version) is the present one")
            }
            var fence = try raisedFence(databases, transaction)
            fence.version += 1
            let contents = try transaction.get(ShardLayout.contentsKey, in: databases.meta).map {
                try ContentsSum(decoding: $0)
            }
            var writer = RowWriter(databases: databases, fence: fence, contents: contents)
            let state = HistoricState(after: version, of: actor, log, databases)
            var undo = UndoLog(firstNewRows: fence.nextRows)
            var (left, reached): (Set<RowSetID>, Set<RowSetID>) = ([], [])
            for (place, rows) in state.replaced {
                let database = place == .state ? databases.state : databases.entries
                for (key, old) in rows {
                    let current = try transaction.get(key, in: database)
                    undo.add(place, key, old: current)
                    if let current, let rows = try RowReader.rows(of: current) { left.insert(rows) }
                    if let old, let rows = try RowReader.rows(of: old) { reached.insert(rows) }
                    if let old {
                        try writer.store(key, old, in: database, &transaction)
                    } else {
                        try writer.delete(key, in: database, &transaction)
                    }
                }
            }
            undo.discards = left.subtracting(reached).sorted()
            try keep(reached, of: undone, actor, &writer, &transaction)
            let entry = HistoryEntry(undo, milliseconds: now, putBackTo: version)
            try writer.store(undo, entry, of: actor, &transaction)
            try transaction.put(ShardLayout.fenceKey, fence.encoded(), in: databases.meta)
            try writer.storeContents(&transaction)
            return fence.version
        }
    }

    /// Row sets that are part of the state again must not go when the commit that had discarded them is forgotten:
    /// the commit that discards them the next time sees to it.
    private static func keep(
        _ reached: Set<RowSetID>,
        of undone: [StoredCommit],
        _ actor: ActorID,
        _ writer: inout RowWriter,
        _ transaction: inout WriteTransaction
    ) throws {
        for commit in undone where !reached.isDisjoint(with: commit.entry.discards) {
            var entry = commit.entry
            entry.discards.removeAll { reached.contains($0) }
            let key = ShardLayout.historyKey(actor, commit.version, 0)
            try writer.store(key, try entry.encoded(), in: writer.databases.history, &transaction)
        }
    }

    /// Raises a shard's epoch, so that no former owner can commit to it.
    /// - Returns: The new epoch; `nil` when nobody ever owned the shard.
    @discardableResult
    package static func raiseEpoch(of directory: String) throws(StoreError) -> Epoch? {
        try change(directory) { databases, transaction in
            guard try transaction.contains(ShardLayout.fenceKey, in: databases.meta) else { return nil }
            let fence = try raisedFence(databases, transaction)
            try transaction.put(ShardLayout.fenceKey, fence.encoded(), in: databases.meta)
            return fence.epoch
        }
    }

    private static func raisedFence(
        _ databases: ShardDatabases,
        _ transaction: borrowing WriteTransaction
    ) throws -> Fence {
        guard let stored = try transaction.get(ShardLayout.fenceKey, in: databases.meta) else {
            throw StoreError(.failed, "nobody ever owned the shard")
        }
        var fence = try Fence(decoding: stored)
        fence.epoch += 1
        fence.pid = getpid()
        return fence
    }

    /// One durable transaction on a shard that exists, whoever owns it.
    private static func change<Result>(
        _ directory: String,
        _ body: (ShardDatabases, inout WriteTransaction) throws -> Result
    ) throws(StoreError) -> Result {
        do {
            var options = EnvironmentOptions(format: ShardLayout.format, databases: ShardLayout.databases)
            options.createsIfMissing = false
            let environment = try Environment.open(directory: directory, options: options)
            defer { environment.close() }
            let databases = ShardDatabases(environment)
            return try environment.tryWrite { transaction throws in try body(databases, &transaction) }
        } catch {
            throw ShardStore.convert(error, "changing the shard", directory)
        }
    }
}
