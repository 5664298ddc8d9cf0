package import DurableCore
internal import DurableLMDB

#if SEEDED_BUGS
internal import SeededBugs
#endif

/// Writing.
extension ShardStore {
    /// Commits write sets together, if the shard is still ours. When it throws, nothing of them is stored.
    package func commit(_ writeSets: [WriteSet]) throws(StoreError) {
        let databases = databases
        let now = history.isEmpty ? 0 : readClocks().wallMilliseconds
        let time = commitTime
        let group = WriteGroup(writeSets)
        var fenceRow: [UInt8] = []
        #if SEEDED_BUGS
        if SeededBug.epochCheckedOutside.isActive { try verifyOwnership() }
        #endif
        let (written, marks) = try write("committing") { transaction throws in
            let stored = try self.ownedFence(transaction)
            let firstNewRows = stored.nextRows
            let next = stored.committed(by: self.fence)
            var writer = RowWriter(databases: databases, fence: next, contents: self.contents)
            for place in group.places {
                let set = group[place]
                // The first state replaces none.
                if !history.isEmpty, history[set.actor] != nil, writer.undo[set.actor] == nil,
                    try transaction.contains(set.actor.bytes, in: databases.actors)
                {
                    writer.undo[set.actor] = UndoLog(firstNewRows: firstNewRows)
                }
                for change in set.changes where !group.isReplaced(change, at: place) {
                    try writer.apply(change, of: set, &transaction)
                }
                guard let completion = set.completion else { continue }
                if !writer.undo.isEmpty { writer.undo[set.actor]?.calls.append(completion.id) }
                try writer.record(completion, of: set.actor, at: time, &transaction)
            }
            try writer.finishSessions(at: time, &transaction)
            let marks = try writer.keepHistory(history, self.historyMarks, now: now, &transaction)
            fenceRow = writer.fence.encoded()
            try transaction.put(ShardLayout.fenceKey, fenceRow, in: databases.meta)
            try writer.storeContents(&transaction)
            self.passes(.workerInsideCommit)
            return (writer, marks)
        }
        fence = written.fence
        committedFence = (fenceRow, written.fence)
        contents = written.contents
        historyMarks = marks
        if written.hasDiscarded { hasDiscarded = true }
        if fence.version % Limits.commitsPerReaderCheck == 0 {
            // The commit is done, whatever becomes of this; the next look comes soon.
            _ = try? environment.checkReaders()
        }
    }

    /// What is stored of the shard's owner.
    /// - Throws: When that is another worker by now.
    private func ownedFence(_ transaction: borrowing WriteTransaction) throws -> Fence {
        var isOurs = false
        try transaction.lend(ShardLayout.fenceKey, in: databases.meta) { row in
            isOurs = row.elementsEqual(committedFence.row)
        }
        // What this process has written itself needs no reading.
        if isOurs { return committedFence.fence }
        let stored = try transaction.get(ShardLayout.fenceKey, in: databases.meta).map { try Fence(decoding: $0) }
        #if SEEDED_BUGS
        if SeededBug.epochUnchecked.isActive || SeededBug.epochCheckedOutside.isActive { return stored ?? fence }
        #endif
        guard let stored, stored.isOwned(by: fence) else { throw fencedError(stored) }
        return stored
    }

    /// Records which actor lives here; with its first state, in one transaction.
    package func register(_ actor: ActorID, as stored: StoredActor, state: WriteSet?) throws(StoreError) {
        var set = state ?? WriteSet(actor: actor, changes: [])
        set.changes.insert(.actor(stored), at: 0)
        try commit([set])
    }

    /// Deletes some of the rows that were discarded.
    /// - Parameter limit: How many at most.
    /// - Returns: Whether rows are left; then call again.
    package func sweepDiscarded(limit: Int) throws(StoreError) -> Bool {
        guard hasDiscarded else { return false }
        let databases = databases
        let (isLeft, contents) = try write("deleting discarded rows") { transaction throws in
            let stored = try transaction.get(ShardLayout.fenceKey, in: databases.meta).map { try Fence(decoding: $0) }
            guard stored?.isOwned(by: self.fence) == true else { throw self.fencedError(stored) }
            var writer = RowWriter(databases: databases, fence: self.fence, contents: self.contents)
            var room = limit
            while room > 0, let (rows, _) = try transaction.first(in: databases.discarded) {
                #if SEEDED_BUGS
                if SeededBug.sweepTakesTooMuch.isActive {
                    try writer.deletePrefix(Array(rows.dropLast()), in: databases.entries, &transaction)
                }
                #endif
                var keys: [[UInt8]] = []
                var nested: [[UInt8]] = []
                try transaction.forEach(prefix: rows, in: databases.entries) { key, value in
                    keys.append(Array(key))
                    if value.first == StoredValue.Kind.portions.rawValue { nested.append(Array(value)) }
                    return keys.count < room
                }
                for key in keys { try writer.delete(key, in: databases.entries, &transaction) }
                // A large value among the entries has portions of its own.
                for value in nested {
                    let portions = try PortionsReference(decoding: StoredValue.openAny(value).payload)
                    try writer.discardNow(portions.rows, &transaction)
                }
                room -= keys.count
                if room > 0 { try writer.delete(rows, in: databases.discarded, &transaction) }
                room -= 1
            }
            try writer.storeContents(&transaction)
            self.passes(.workerInsideSweep)
            return (try transaction.first(in: databases.discarded) != nil, writer.contents)
        }
        self.contents = contents
        hasDiscarded = isLeft
        return isLeft
    }
}
