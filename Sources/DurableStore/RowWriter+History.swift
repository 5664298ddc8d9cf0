internal import DurableCore
internal import DurableLMDB

/// The history: what commits replaced, newest states first to be undone, oldest first to be dropped.
extension RowWriter {
    /// Notes a row that is about to be replaced, if the actor's history is kept.
    mutating func note(
        _ key: [UInt8],
        _ actor: ActorID,
        in database: Database,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) {
        guard !undo.isEmpty else { return }
        let place: UndoLog.Row.Place = database == databases.state ? .state : .entries
        guard undo[actor]?.wants(place, key) == true else { return }
        undo[actor]?.add(place, key, old: try transaction.get(key, in: database))
    }

    /// Stores what the transaction replaced, and drops the states that are too old.
    /// - Returns: The states that are kept from here on.
    mutating func keepHistory(
        _ policies: [ActorID: HistoryPolicy],
        _ known: [ActorID: HistoryMarks],
        now: Int64,
        _ transaction: inout WriteTransaction
    ) throws -> [ActorID: HistoryMarks] {
        var known = known
        for actor in forgotten { known[actor] = nil }
        for (actor, log) in undo {
            guard let policy = policies[actor], !log.rows.isEmpty || !log.discards.isEmpty else { continue }
            var marks = try known[actor] ?? marks(of: actor, transaction)
            try store(log, HistoryEntry(log, milliseconds: now), of: actor, &transaction)
            marks.append(fence.version, now)
            try drop(policy, actor, &marks, now, &transaction)
            known[actor] = marks
        }
        return known
    }

    /// Stores an entry of the history under the version that the transaction makes.
    mutating func store(
        _ log: UndoLog,
        _ entry: HistoryEntry,
        of actor: ActorID,
        _ transaction: inout WriteTransaction
    ) throws {
        let key = ShardLayout.historyKey(actor, fence.version, 0)
        try store(key, try entry.encoded(), in: databases.history, &transaction)
        for (index, row) in log.rows.enumerated() {
            let key = ShardLayout.historyKey(actor, fence.version, UInt32(index + 1))
            try store(key, row.encoded(), in: databases.history, &transaction)
        }
    }

    /// Forgets all earlier states of an actor.
    mutating func forgetHistory(of actor: ActorID, _ transaction: inout WriteTransaction) throws {
        guard try transaction.first(prefix: actor.bytes, in: databases.history) != nil else { return }
        forgotten.insert(actor)
        var marks = try marks(of: actor, transaction)
        while let oldest = marks.first {
            try drop(oldest.version, of: actor, &transaction)
            marks.removeFirst()
        }
    }

    private mutating func drop(
        _ policy: HistoryPolicy,
        _ actor: ActorID,
        _ marks: inout HistoryMarks,
        _ now: Int64,
        _ transaction: inout WriteTransaction
    ) throws {
        let (seconds, attoseconds) = policy.age?.components ?? (Int64.max / 2000, 0)
        let age = seconds * 1000 + attoseconds / 1_000_000_000_000_000
        var dropped = 0
        while let oldest = marks.first, dropped < Limits.historyDropsPerCommit {
            guard marks.count > policy.states || now - oldest.milliseconds > age else { break }
            try drop(oldest.version, of: actor, &transaction)
            marks.removeFirst()
            dropped += 1
        }
    }

    private mutating func drop(
        _ version: UInt64,
        of actor: ActorID,
        _ transaction: inout WriteTransaction
    ) throws {
        let head = try transaction.get(ShardLayout.historyKey(actor, version, 0), in: databases.history)
        if let head {
            for rows in try HistoryEntry(decoding: head).discards { try discardNow(rows, &transaction) }
        }
        try deletePrefix(ShardLayout.historyPrefix(actor, version), in: databases.history, &transaction)
    }

    private func marks(
        of actor: ActorID,
        _ transaction: borrowing WriteTransaction
    ) throws -> HistoryMarks {
        var heads: [(UInt64, [UInt8])] = []
        try transaction.forEach(prefix: actor.bytes, in: databases.history) { key, value in
            guard key.count == 28, key.suffix(4).allSatisfy({ $0 == 0 }) else { return true }
            heads.append((UInt64(bigEndian: key.dropFirst(16)), Array(value)))
            return true
        }
        var marks = HistoryMarks()
        for (version, head) in heads { marks.append(version, try HistoryEntry(decoding: head).milliseconds) }
        return marks
    }
}
