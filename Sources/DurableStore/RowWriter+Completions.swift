internal import DurableCore
internal import DurableLMDB

/// When a commit happens, for what expires.
struct CommitTime {
    /// The shard's time.
    var now: UInt64
    /// How old the note of a session's last change may be.
    var refresh: UInt64

    func after(_ milliseconds: UInt64) -> UInt64 {
        let (sum, overflows) = now.addingReportingOverflow(milliseconds)
        return overflows ? .max : sum
    }
}

/// Completion records.
extension RowWriter {
    /// Stores a call's outcome, and forgets those that its caller needs no more.
    mutating func record(
        _ completion: Completion,
        of actor: ActorID,
        at time: CommitTime,
        _ transaction: inout WriteTransaction
    ) throws {
        let session = completion.id.session
        let frontierKey = ShardLayout.frontierKey(actor, session)
        let known = try transaction.get(frontierKey, in: databases.done).map { try SessionRow(decoding: $0) }
        var next = known ?? SessionRow(frontier: 0, lastSeen: time.now)
        var isChanged = false
        if completion.firstIncomplete > next.frontier, known != nil || completion.deduplication == nil {
            let isForgotten = try forget(below: completion.firstIncomplete, session, actor, &transaction)
            // What is forgotten must not be run again: the frontier says up to where.
            if isForgotten { next.frontier = completion.firstIncomplete }
            isChanged = isForgotten
        }
        if let keyed = completion.deduplication {
            let row = KeyedRow(expires: time.after(keyed.retentionMilliseconds), completion: completion)
            try store(ShardLayout.keyedKey(actor, keyed.key), row.encoded(), in: databases.keyed, &transaction)
        } else {
            isChanged = isChanged || known == nil || time.now - min(time.now, next.lastSeen) >= time.refresh
            try store(ShardLayout.doneKey(actor, completion.id), completion.encoded(), in: databases.done, &transaction)
        }
        guard isChanged else { return }
        next.lastSeen = time.now
        try store(frontierKey, next.encoded(), in: databases.done, &transaction)
    }

    /// Deletes the records below a number, and says whether there were any.
    private mutating func forget(
        below sequence: UInt64,
        _ session: SessionID,
        _ actor: ActorID,
        _ transaction: inout WriteTransaction
    ) throws -> Bool {
        let frontier = ShardLayout.frontierKey(actor, session)
        var stale: [[UInt8]] = []
        try transaction.forEach(prefix: ShardLayout.donePrefix(actor, session), in: databases.done) { key, _ in
            guard key.suffix(8).reduce(0, { $0 << 8 | UInt64($1) }) < sequence else { return false }
            if !key.elementsEqual(frontier) { stale.append(Array(key)) }
            return true
        }
        for key in stale { try delete(key, in: databases.done, &transaction) }
        return !stale.isEmpty
    }
}
