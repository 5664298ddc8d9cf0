internal import DurableCore
internal import DurableLMDB

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
        sessions.all[place].recorded(completion, at: time)
        if let keyed = completion.deduplication {
            let row = KeyedRow(expires: time.after(keyed.retentionMilliseconds), completion: completion)
            let key = ShardLayout.keyedKey(actor, keyed.key)
            try store(key, payload: row.payload(), in: databases.keyed, &transaction)
        } else {
            let key = ShardLayout.doneKey(actor, completion.id)
            try store(key, payload: completion.payload(), in: databases.done, &transaction)
        }
    }

    /// Forgets the records that their callers need no more, after all of the transaction are stored.
    mutating func finishSessions(at time: CommitTime, _ transaction: inout WriteTransaction) throws {
        for var change in sessions.all {
            if let end = change.forgotten, try forget(change, below: end, &transaction) { change.forgot() }
            guard let row = change.finished(at: time) else { continue }
            let key = ShardLayout.frontierKey(change.actor, change.session)
            try store(key, payload: row.payload(), in: databases.done, &transaction)
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
        let row = try stored.map { try SessionRow(decoding: $0) }
        sessions.add(SessionChange(actor: actor, session: session, stored: row, at: time))
        return sessions.all.count - 1
    }

    /// Deletes the records of a session that are needed no more, and says whether there were any.
    private mutating func forget(
        _ change: SessionChange,
        below end: UInt64,
        _ transaction: inout WriteTransaction
    ) throws -> Bool {
        // The session's own row has number 0 and stays.
        let first = ShardLayout.doneKey(change.actor, CallID(session: change.session, sequence: 1))
        let needed = ShardLayout.doneKey(change.actor, CallID(session: change.session, sequence: end))
        return try delete(from: first, upTo: needed, in: databases.done, &transaction) > 0
    }
}
