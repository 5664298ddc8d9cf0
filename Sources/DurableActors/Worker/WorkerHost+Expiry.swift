internal import DurableCore
internal import DurableStore
internal import DurableTransport

/// What the removal of records that nobody needs any more keeps in memory.
struct ExpiryState {
    /// Records whose callers need them no more, deleted by the next commit.
    var released: [ActorID: [CallKey]] = [:]
    var releasedCount = 0
    /// Whether the timer runs; it goes on when the shard is opened again.
    var isStarted = false
}

/// Records that nobody needs any more.
extension WorkerHost {
    /// Looks for expired records now and then, off the path of calls.
    func startExpiry() {
        guard !expiry.isStarted else { return }
        expiry.isStarted = true
        expire(after: min(expiryPeriod, Limits.firstExpirySweep))
    }

    private var expiryPeriod: Duration { .milliseconds(Int64(clamping: sessionLeaseMilliseconds / 8)) }

    private func expire(after delay: Duration) {
        loop.schedule(after: delay) { [self] in
            let isFinished = sweepExpired()
            expire(after: isFinished ? expiryPeriod : .milliseconds(20))
        }
    }

    /// Removes some expired records. Returns whether everything has been looked at.
    private func sweepExpired() -> Bool {
        flush()
        guard let store else { return true }
        let now = store.now
        let forgotten = now - min(now, sessionLeaseMilliseconds)
        do throws(StoreError) {
            let released = takeReleased()
            if !released.isEmpty { try store.commit(released) }
            let sweep = try store.sweepExpired(limit: Limits.expiredRowsPerSweep)
            if !sweep.sessions.isEmpty || !sweep.keyed.isEmpty { passes(.workerAfterExpiry) }
            for (actor, session) in sweep.sessions { actors[actor]?.sessions[session] = nil }
            for actor in sweep.keyed { actors[actor]?.keyedCount? -= 1 }
            if sweep.isFinished {
                for actor in actors.values { actor.forgetSessions(unseenSince: forgotten) }
            }
            return sweep.isFinished
        } catch {
            if error.code == .fenced { fenced(error) }
            // They stay; the next round tries again.
            WorkerMain.log("expired records could not be removed: \(error)")
            return true
        }
    }

    /// Records of an actor that their caller needs no more. Deleting them is not worth a commit of its own.
    func released(_ frame: ReleaseFrame) {
        // Beyond the bound they stay until they expire.
        guard actors[frame.actor] != nil, expiry.releasedCount + frame.keys.count <= Limits.releasedRecordsMax else {
            return
        }
        expiry.released[frame.actor, default: []] += frame.keys
        expiry.releasedCount += frame.keys.count
    }

    /// What was released since the last commit, to be deleted by the next.
    func takeReleased() -> [WriteSet] {
        guard expiry.releasedCount > 0 else { return [] }
        let sets = expiry.released.map { actor, keys in
            actors[actor]?.keyedCount? -= keys.count
            return WriteSet(actor: actor, changes: keys.map { .release($0) })
        }
        expiry.released = [:]
        expiry.releasedCount = 0
        return sets
    }

    /// Tells other actors that the records of what a turn called there are needed no more.
    func release(_ keys: [ActorID: [CallKey]]) {
        for (actor, keys) in keys { runtime.calls.channel(to: actor).release(keys) }
    }
}

extension ActorHost {
    /// Sessions that have not called for so long are not kept in memory; what is stored of them is.
    func forgetSessions(unseenSince time: UInt64) {
        sessions = sessions.filter { $0.value.lastSeen >= time }
        // Counted anew by the next call with a key: what was released may have been gone already.
        keyedCount = nil
    }
}
