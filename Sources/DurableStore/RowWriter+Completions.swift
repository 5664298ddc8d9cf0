internal import DurableCore
internal import DurableLMDB

#if SEEDED_BUGS
internal import SeededBugs
#endif

/// When a commit happens, for what expires.
struct CommitTime {
    /// The shard's time.
    var now: UInt64
    /// How old the note of a session's last change may be.
    var refresh: UInt64

    func after(_ milliseconds: UInt64) -> UInt64 {
        #if SEEDED_BUGS
        if SeededBug.keyExpiresAtOnce.isActive { return now }
        #endif
        let (sum, overflows) = now.addingReportingOverflow(milliseconds)
        return overflows ? .max : sum
    }
}

/// What the records of one transaction change of a session: its row is read and written once, however many they are.
struct SessionChange {
    let actor: ActorID
    let session: SessionID
    /// The row as it was, or as it would be made.
    var row: SessionRow
    /// Whether there is a row, or will be.
    var isKnown: Bool
    /// Whether the row must be written.
    var isChanged = false
    /// Records below this number are needed no more.
    var firstIncomplete: UInt64 = 0
}

/// The sessions whose records one transaction stores.
struct SessionChanges {
    private struct Name: Hashable {
        var actor: ActorID
        var session: SessionID
    }

    var all: [SessionChange] = []
    private var places: [Name: Int] = [:]

    /// Where a session is in `all`. Mostly it is the one that was asked for last.
    func place(of session: SessionID, _ actor: ActorID) -> Int? {
        if let last = all.last, last.session == session, last.actor == actor { return all.count - 1 }
        return all.count < 2 ? nil : places[Name(actor: actor, session: session)]
    }

    mutating func add(_ change: SessionChange) {
        if let first = all.first, places.isEmpty { places[Name(actor: first.actor, session: first.session)] = 0 }
        if !all.isEmpty { places[Name(actor: change.actor, session: change.session)] = all.count }
        all.append(change)
    }

    mutating func forget(_ actor: ActorID) {
        guard all.contains(where: { $0.actor == actor }) else { return }
        let kept = all.filter { $0.actor != actor }
        self = SessionChanges()
        for change in kept { add(change) }
    }
}

/// Completion records.
extension RowWriter {
    /// Stores a call's outcome.
    mutating func record(
        _ completion: Completion,
        of actor: ActorID,
        at time: CommitTime,
        _ transaction: inout WriteTransaction
    ) throws {
        let place = try place(of: completion.id.session, actor, at: time, transaction)
        if sessions.all[place].isKnown || completion.deduplication == nil {
            let firstIncomplete = max(sessions.all[place].firstIncomplete, completion.firstIncomplete)
            sessions.all[place].firstIncomplete = firstIncomplete
        }
        if let keyed = completion.deduplication {
            let row = KeyedRow(expires: time.after(keyed.retentionMilliseconds), completion: completion)
            let key = ShardLayout.keyedKey(actor, keyed.key)
            try store(key, payload: row.payload(), in: databases.keyed, &transaction)
        } else {
            let age = time.now - min(time.now, sessions.all[place].row.lastSeen)
            if !sessions.all[place].isKnown || age >= time.refresh { sessions.all[place].isChanged = true }
            sessions.all[place].isKnown = true
            let key = ShardLayout.doneKey(actor, completion.id)
            try store(key, payload: completion.payload(), in: databases.done, &transaction)
        }
    }

    /// Forgets the records that their callers need no more, after all of the transaction are stored.
    mutating func finishSessions(at time: CommitTime, _ transaction: inout WriteTransaction) throws {
        for var change in sessions.all {
            #if SEEDED_BUGS
            if SeededBug.recordForgottenEarly.isActive { change.firstIncomplete += 1 }
            #endif
            if change.firstIncomplete > change.row.frontier, try forget(change, &transaction) {
                // What is forgotten must not be run again: the frontier says up to where.
                change.row.frontier = change.firstIncomplete
                change.isChanged = true
            }
            guard change.isChanged else { continue }
            change.row.lastSeen = time.now
            let key = ShardLayout.frontierKey(change.actor, change.session)
            try store(key, payload: change.row.payload(), in: databases.done, &transaction)
        }
        sessions = SessionChanges()
    }

    /// The actor is gone, and its records with it.
    mutating func forgetSessions(of actor: ActorID) { sessions.forget(actor) }

    private mutating func place(
        of session: SessionID,
        _ actor: ActorID,
        at time: CommitTime,
        _ transaction: borrowing WriteTransaction
    ) throws -> Int {
        if let place = sessions.place(of: session, actor) { return place }
        let stored = try transaction.get(ShardLayout.frontierKey(actor, session), in: databases.done)
        let row = try stored.map { try SessionRow(decoding: $0) } ?? SessionRow(frontier: 0, lastSeen: time.now)
        sessions.add(SessionChange(actor: actor, session: session, row: row, isKnown: stored != nil))
        return sessions.all.count - 1
    }

    /// Deletes the records of a session that are needed no more, and says whether there were any.
    private mutating func forget(_ change: SessionChange, _ transaction: inout WriteTransaction) throws -> Bool {
        // The session's own row has number 0 and stays.
        let first = ShardLayout.doneKey(change.actor, CallID(session: change.session, sequence: 1))
        let needed = CallID(session: change.session, sequence: change.firstIncomplete)
        let end = ShardLayout.doneKey(change.actor, needed)
        return try delete(from: first, upTo: end, in: databases.done, &transaction) > 0
    }
}
