#if SEEDED_BUGS
internal import SeededBugs
#endif

/// The stored outcome of a call; a retry gets it back instead of running again.
package struct Completion: Sendable, Hashable {
    /// The call.
    package var id: CallID
    /// The caller has the outcomes of all its calls below this number.
    package var firstIncomplete: UInt64
    /// The checksum of method and arguments.
    package var fingerprint: UInt32
    /// How it ended.
    package var outcome: CallOutcome
    /// The key under which it is kept, instead of its id.
    package var deduplication: Deduplication?

    package init(
        id: CallID,
        firstIncomplete: UInt64,
        fingerprint: UInt32,
        outcome: CallOutcome,
        deduplication: Deduplication? = nil
    ) {
        self.deduplication = deduplication
        self.id = id
        self.firstIncomplete = firstIncomplete
        self.fingerprint = fingerprint
        self.outcome = outcome
    }
}

/// What is kept of a session beside its records.
package struct SessionRow: Hashable, Sendable {
    /// Calls below it were answered, and their records are gone.
    package var frontier: UInt64
    /// The shard's time of its last change, or somewhat before.
    package var lastSeen: UInt64

    package init(frontier: UInt64, lastSeen: UInt64) {
        self.frontier = frontier
        self.lastSeen = lastSeen
    }

    /// Whether a session that was last seen then has expired: nothing is kept of it then.
    /// - Parameter age: What it may be old.
    package static func isExpired(lastSeen: UInt64, now: UInt64, age: UInt64) -> Bool {
        now - min(now, lastSeen) >= age
    }
}

/// When a commit happens, for what expires.
package struct CommitTime: Sendable {
    /// The shard's time.
    package var now: UInt64
    /// How old the note of a session's last change may be.
    package var refresh: UInt64

    package init(now: UInt64, refresh: UInt64) {
        self.now = now
        self.refresh = refresh
    }

    /// The time so much later.
    package func after(_ milliseconds: UInt64) -> UInt64 {
        #if SEEDED_BUGS
        if SeededBug.keyExpiresAtOnce.isActive { return now }
        #endif
        let (sum, overflows) = now.addingReportingOverflow(milliseconds)
        return overflows ? .max : sum
    }
}

/// What the records of one transaction change of a session: its row is read and written once, however many they are.
package struct SessionChange: Sendable {
    /// The actor that is called.
    package let actor: ActorID
    /// Whose calls they are.
    package let session: SessionID
    /// The row as it was, or as it would be made.
    private var row: SessionRow
    /// Whether there is a row, or will be.
    private var isKnown: Bool
    /// Whether the row must be written.
    private var isChanged = false
    /// Records below this number are needed no more.
    private var firstIncomplete: UInt64 = 0

    /// - Parameter stored: The session's row, if it has one.
    package init(actor: ActorID, session: SessionID, stored: SessionRow?, at time: CommitTime) {
        self.actor = actor
        self.session = session
        row = stored ?? SessionRow(frontier: 0, lastSeen: time.now)
        isKnown = stored != nil
    }

    /// The transaction stores the outcome of a call.
    package mutating func recorded(_ completion: Completion, at time: CommitTime) {
        if isKnown || completion.deduplication == nil {
            firstIncomplete = max(firstIncomplete, completion.firstIncomplete)
        }
        // A record with a key is none of the session's.
        guard completion.deduplication == nil else { return }
        if !isKnown || time.now - min(time.now, row.lastSeen) >= time.refresh { isChanged = true }
        isKnown = true
    }

    /// Below which number the session's records go, once all of the transaction are stored; `nil` when none do.
    package var forgotten: UInt64? {
        #if SEEDED_BUGS
        if SeededBug.recordForgottenEarly.isActive { return firstIncomplete + 1 }
        #endif
        return firstIncomplete > row.frontier ? firstIncomplete : nil
    }

    /// Records below that number were there, and are gone.
    package mutating func forgot() {
        // What is forgotten must not be run again: the frontier says up to where.
        row.frontier = firstIncomplete
        isChanged = true
    }

    /// The row to store at the end of the transaction; `nil` when it stays as it is.
    package func finished(at time: CommitTime) -> SessionRow? {
        isChanged ? SessionRow(frontier: row.frontier, lastSeen: time.now) : nil
    }
}
