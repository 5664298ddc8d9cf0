#if SEEDED_BUGS
internal import SeededBugs
#endif

/// How far a session has come with an actor, and what follows from that for a call that arrives.
package struct SessionProgress: Sendable, Hashable {
    /// What a call may be.
    package enum OnArrival: Sendable, Hashable {
        /// Its caller has had the outcome, and the record is gone: a copy of the frame was late, and must not run.
        case stale
        /// There may be a record of it.
        case mayBeRecorded
        /// There is no record of it.
        case new
    }

    /// The highest call with a completion record.
    package var highest: UInt64 = 0
    /// The caller has had the outcomes of all calls below this number; their records are gone or may go.
    package var frontier: UInt64 = 0
    /// The shard's time of the last call, as its worker knows it.
    package var lastSeen: UInt64 = 0

    package init() {}

    /// A call arrived at this time of the shard.
    package mutating func arrived(_ call: CallFrame, at time: UInt64) -> OnArrival {
        frontier = max(frontier, call.firstIncomplete)
        lastSeen = time
        #if SEEDED_BUGS
        if SeededBug.staleCopyRuns.isActive { frontier = 0 }
        #endif
        guard call.id.sequence >= frontier else { return .stale }
        return call.deduplication != nil || call.id.sequence <= highest ? .mayBeRecorded : .new
    }

    /// The outcome of a call of the session is stored under its id.
    package mutating func recorded(_ sequence: UInt64) { highest = max(highest, sequence) }

    /// The call that the caller of a new one still waits for, when that is so far back that the new one must not run:
    /// a session's records reach from the first call that it still waits for to its last one.
    package static func blocker(of call: CallFrame, _ progress: SessionProgress?) -> UInt64? {
        let frontier = max(1, progress?.frontier ?? call.firstIncomplete)
        guard call.id.sequence - min(call.id.sequence, frontier) >= Limits.unacknowledgedCallsMax else { return nil }
        return frontier
    }

    /// The age of a call that has no record, when that could be gone by now: whether it has run is not known.
    /// - Parameters:
    ///   - kept: How long records are kept.
    ///   - now: The time since the machine's start, as callers tell it.
    package static func unknowableAge(of call: CallFrame, kept: UInt64, now: UInt64) -> UInt64? {
        let age = now - min(now, call.firstSent)
        return call.firstSent > 0 && age >= kept ? age : nil
    }
}
