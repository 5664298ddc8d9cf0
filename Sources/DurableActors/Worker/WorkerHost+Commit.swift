internal import DurableCore
internal import DurableProcess
internal import DurableStore
internal import DurableTransport

#if SEEDED_BUGS
internal import SeededBugs
#endif

/// The commit group and the output gate.
extension WorkerHost {
    /// Commits what finished turns changed, then lets their replies go. At the end of each batch of the loop.
    func flush() {
        forgetTime()
        guard isOpen, let group = gate.take() else { return }
        do throws(StoreError) {
            #if SEEDED_BUGS
            if SeededBug.replyBeforeCommit.isActive { for held in group.replies { held.actor.answerAtOnce(held) } }
            if SeededBug.completionApart.isActive {
                let changes = group.writeSets.map { WriteSet(actor: $0.actor, changes: $0.changes, schema: $0.schema) }
                if !changes.isEmpty { try store?.commit(changes) }
            }
            if SeededBug.turnInPieces.isActive {
                for set in group.writeSets {
                    for change in set.changes {
                        try store?.commit([WriteSet(actor: set.actor, changes: [change], schema: set.schema)])
                    }
                }
            }
            #endif
            if let store, group.writeSets.isEmpty {
                // A read is only worth something while the shard is ours.
                try store.verifyOwnership()
            } else if let store {
                passes(.workerBeforeCommit)
                let released = takeReleased()
                let begun = ContinuousClock.now
                try store.commit(released.isEmpty ? group.writeSets : group.writeSets + released)
                // Mostly a commit takes as long for many changes as for few. Nobody waits when there is nothing to do.
                loop.allowBatches(of: (ContinuousClock.now - begun) * Limits.batchTimePerCommitTime)
                passes(.workerAfterCommit)
            }
        } catch {
            commitFailed(group, error)
            return
        }
        var actor: ActorHost?
        for set in group.writeSets {
            if actor?.id != set.actor { actor = actors[set.actor] }
            actor?.committed(set)
        }
        for held in group.replies {
            passes(.workerBeforeReply)
            held.actor.answer(held)
            release(held.released)
        }
        passes(.workerAfterReplies)
        count(turns: group.replies.count)
        sweepSoon()
        if !group.writeSets.isEmpty { snapshotSoon() }
    }

    /// Commits what the open turns of an actor have changed so far, and the turns that had finished before.
    func checkpoint(_ id: ActorID) async throws {
        let turn = Turn.current
        try await onLoop { [self] in try commitOpenTurns(of: id, for: turn) }
    }

    /// Makes finished turns durable before the running one shows anything to the outside.
    /// - Throws: When they cannot be stored: what the running turn has seen is not true then.
    func flushFinishedTurns() async throws {
        let turn = Turn.current
        try await onLoop { [self] in
            #if SEEDED_BUGS
            if SeededBug.callBeforeCommit.isActive { return }
            #endif
            flush()
            guard let turn, turn.isObsolete else { return }
            let message = "an earlier change could not be stored, so this turn may not show what it has seen"
            throw ActorError(.storageFailed, message, actor: turn.actor.id)
        }
    }

    /// Waits until replies that were let go have been handed to the kernel, as far as their callers take them.
    func repliesLeave() async {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            // They are written at the end of the loop's batch, and timers run in the next one.
            loop.execute { [self] in loop.schedule(after: .zero) { continuation.resume() } }
        }
    }

    /// A call may come from a task that left the loop; what touches the host runs there.
    func onLoop(_ body: @escaping @Sendable () throws -> Void) async throws {
        if loop.isCurrent { return try body() }
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            loop.execute { continuation.resume(with: Result { try body() }) }
        }
    }

    private func commitOpenTurns(of id: ActorID, for turn: Turn?) throws {
        guard let actor = actors[id], let activation = actor.activation else {
            throw ActorError(.storageFailed, "there is no state to commit: the actor is being built", actor: id)
        }
        if let turn, turn.actor === actor, turn.isObsolete {
            let message = "the state that this turn has changed was dropped, because it could not be stored"
            throw ActorError(.storageFailed, message, actor: id)
        }
        let changes: [WriteSet.Change]
        do {
            changes = try activation.takeChanges()
        } catch {
            actor.cannotEncode(error)
            throw ActorError(.serialization, "what changed cannot be encoded", actor: id, cause: "\(error)")
        }
        let set = WriteSet(actor: id, changes: changes, schema: activation.type.version)
        if !changes.isEmpty { gate.hold(set, reply: nil) }
        flush()
        guard actor.activation === activation else {
            throw ActorError(.storageFailed, "the changes could not be stored; nothing was changed", actor: id)
        }
    }

    /// Nothing of the group is stored: its calls fail, and the memory that ran ahead of the disk is dropped.
    private func commitFailed(_ group: OutputGate<HeldReply>.Group, _ error: StoreError) {
        if error.code == .fenced { fenced(error) }
        WorkerMain.log("a commit failed: \(error)")
        for held in group.replies {
            // What a record says was stored before, and stays true.
            if held.isFromRecord {
                held.actor.answer(held)
            } else {
                held.actor.refuse(held.call, error.callerError(for: held.actor.id))
            }
        }
        let isFull = error.code == .full
        #if SEEDED_BUGS
        if isFull, SeededBug.failedCommitStays.isActive { return }
        #endif
        let changed = Set(group.writeSets.map(\.actor))
        let dropped = actors.values.filter { !isFull || changed.contains($0.id) }
        for actor in dropped { actor.drop(error.callerError(for: actor.id)) }
        guard isFull else { return reopen() }
        for actor in dropped { actor.build() }
    }

    /// Opens the shard again after it failed; its actors have been dropped, and calls that arrive meanwhile wait.
    private func reopen() {
        store?.close()
        store = nil
        do throws(StoreError) {
            try takeShard()
        } catch {
            guard error.code == .full || error.code == .failed else { return shardFailed(error) }
            WorkerMain.log("the shard cannot be opened again, the next attempt is in half a second: \(error)")
            reopenSoon(after: error)
            return
        }
        for actor in actors.values where !isShared || actor.hasWork { actor.build() }
    }

    /// An actor's state could not be read, or its first state not be stored.
    func cannotBuild(_ actor: ActorHost, _ error: StoreError) {
        WorkerMain.log("\(actor.id) cannot be built, the next attempt is in half a second: \(error)")
        guard error.code != .failed else { return reopenSoon(after: error) }
        loop.schedule(after: .milliseconds(500)) { actor.build() }
    }

    /// Opens the shard again in half a second, unless that has happened by then: what runs on the new one must not be
    /// dropped for an error of the old one.
    private func reopenSoon(after error: StoreError) {
        guard !isReopening else { return }
        isReopening = true
        let failed = openings
        loop.schedule(after: .milliseconds(500)) { [self] in
            isReopening = false
            guard store == nil || openings == failed else { return }
            for actor in actors.values { actor.drop(error.callerError(for: actor.id)) }
            reopen()
        }
    }

    /// Deletes discarded rows, a few at a time, when the calls that are there have been answered.
    func sweepSoon() {
        guard store?.hasDiscarded == true, !isSweeping else { return }
        isSweeping = true
        loop.schedule(after: .milliseconds(5)) { [self] in
            isSweeping = false
            guard let store else { return }
            do throws(StoreError) {
                passes(.workerBeforeSweep)
                if try store.sweepDiscarded(limit: Limits.discardedRowsPerSweep) { sweepSoon() }
                passes(.workerAfterSweep)
            } catch {
                if error.code == .fenced { fenced(error) }
                // They stay discarded; the next commit tries again.
                WorkerMain.log("discarded rows could not be deleted: \(error)")
            }
        }
    }
}

extension ActorHost {
    /// A write set of this actor is stored.
    func committed(_ set: WriteSet) {
        activation?.committed()
        guard let completion = set.completion else { return }
        let id = completion.id
        if completion.deduplication != nil {
            keyedCount? += 1
        } else {
            sessions[id.session, default: SessionProgress()].recorded(id.sequence)
        }
    }

    /// Lets a reply go.
    func answer(_ held: WorkerHost.HeldReply) {
        open[held.call.frame.name] = nil
        var reply = reply(to: held.call, held.outcome, isRecorded: held.isRecorded)
        reply.isRepeated = held.isFromRecord
        host.send(reply, to: held.call)
    }

    #if SEEDED_BUGS
    /// Lets a reply go before anything else happens.
    func answerAtOnce(_ held: WorkerHost.HeldReply) {
        answer(held)
        for caller in held.call.callers { caller.connection.flushNow() }
    }
    #endif
}
