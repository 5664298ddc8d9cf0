internal import DurableCore
internal import DurableStore

#if SEEDED_BUGS
internal import SeededBugs
#endif

/// Calls that were made before, and calls of which nobody can tell any more.
extension ActorHost {
    /// Answers a call that was made before from its completion record. False when it has none.
    func answersFromRecord(_ inbound: InboundCall) throws(StoreError) -> Bool {
        guard let store = host.store else { return false }
        let call = inbound.frame
        let id = call.id
        var progress: SessionProgress
        if let known = sessions[id.session] {
            progress = known
        } else {
            progress = try reading { () throws(StoreError) in try store.progress(of: id.session, with: self.id) }
        }
        let arrival = progress.arrived(call, at: host.roughTime)
        sessions[id.session] = progress
        guard arrival != .stale else {
            // Its caller has had the outcome, and the record is gone: a copy of the frame was late.
            let message = "call \(id.sequence) was answered before, and its record is gone; it was not run again"
            refuse(inbound, ActorError(.staleCall, message, actor: self.id))
            return true
        }
        let record: Completion?
        if let key = call.deduplication?.key {
            record = try reading { () throws(StoreError) in try store.completion(of: key, for: self.id) }
        } else if arrival == .mayBeRecorded {
            record = try reading { () throws(StoreError) in try store.completion(of: id, for: self.id) }
        } else {
            record = nil
        }
        guard let record else { return false }
        #if SEEDED_BUGS
        let isSame = SeededBug.reusedIDAnswered.isActive || record.fingerprint == inbound.fingerprint
        #else
        let isSame = record.fingerprint == inbound.fingerprint
        #endif
        guard isSame else {
            refuse(inbound, reused(call))
            return true
        }
        open[call.name] = inbound
        var held = WorkerHost.HeldReply(actor: self, call: inbound, outcome: record.outcome, isRecorded: true)
        held.isFromRecord = true
        host.gate.hold(nil, reply: held)
        return true
    }

    /// Reads what is stored of calls: should the worker crash over it, it was that.
    private func reading<Result>(_ body: () throws(StoreError) -> Result) throws(StoreError) -> Result {
        let note = host.notes.begin(.records(id))
        defer { host.notes.end(note) }
        return try body()
    }

    /// Why a call that has no record must not be run.
    func refusal(of call: CallFrame) throws(StoreError) -> ActorError? {
        #if SEEDED_BUGS
        if SeededBug.expiredCallRuns.isActive { return nil }
        #endif
        let kept = call.deduplication?.retentionMilliseconds ?? host.sessionLeaseMilliseconds
        let now = MachineClock.bootMilliseconds
        if let age = SessionProgress.unknowableAge(of: call, kept: kept, now: now) {
            // Had it run then, its record could be gone by now.
            let age = Duration.milliseconds(Int64(clamping: age))
            let limit = Duration.milliseconds(Int64(clamping: kept))
            let message = """
                the call was first sent \(age) ago, and records are kept for \(limit): whether it has run is not known \
                any more, and it was not run again
                """
            return ActorError(.sessionExpired, message, actor: id)
        }
        guard call.deduplication != nil else { return refusalBeyondWindow(call) }
        let most = host.assignment.configuration.keyedRecordsMax
        guard try keyedRecords() < most else {
            let message = """
                the actor keeps \(most) records of calls with a key, the most that it may; \
                nothing was run; use a shorter retention, or wait until some expire
                """
            return ActorError(.limitExceeded, message, actor: id)
        }
        return nil
    }

    private func refusalBeyondWindow(_ call: CallFrame) -> ActorError? {
        guard let frontier = SessionProgress.blocker(of: call, sessions[call.id.session]) else { return nil }
        let message = """
            call \(call.id.sequence) was not run: its caller still waits for call \(frontier), and outcomes are kept \
            for \(Limits.unacknowledgedCallsMax) calls; take the outcomes of earlier calls first
            """
        return ActorError(.limitExceeded, message, actor: id)
    }

    /// How many records of calls with a key there are, or will be when what runs and waits has ended.
    private func keyedRecords() throws(StoreError) -> Int {
        if let keyedCount { return keyedCount + open.count }
        let count = try reading { () throws(StoreError) in try host.store?.keyedCount(of: id) ?? 0 }
        keyedCount = count
        return count + open.count
    }

    func reused(_ call: CallFrame) -> ActorError {
        let message =
            switch call.name {
            case .key: "the key was used before for a call of another method or with other arguments; nothing was run"
            case .id(let id):
                "call \(id.sequence) of session \(id.session) was made before with another method or arguments"
            }
        return ActorError(.callIdReused, message, actor: id)
    }
}
