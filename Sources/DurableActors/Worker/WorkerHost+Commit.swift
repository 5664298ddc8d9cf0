internal import DurableCore
internal import DurableProcess
internal import DurableStore
internal import DurableTransport

/// The commit group and the output gate.
extension WorkerHost {
    /// Commits what finished turns changed, then lets their replies go. At the end of each batch of the loop.
    func flush() {
        guard store != nil || !isStored, let group = gate.take() else { return }
        let incarnation = assignment.incarnation
        do {
            if let store, group.writeSets.isEmpty {
                // A read is only worth something while the shard is ours.
                try store.verifyOwnership()
            } else if let store {
                faults.passes(.workerBeforeCommit, incarnation: incarnation)
                try store.commit(group.writeSets)
                faults.passes(.workerAfterCommit, incarnation: incarnation)
            }
        } catch {
            commitFailed(group, error)
            return
        }
        activation?.committed()
        for set in group.writeSets {
            guard let id = set.completion?.id else { continue }
            sessions[id.session, default: SessionProgress()].highest.raise(to: id.sequence)
        }
        for held in group.replies {
            open[held.call.frame.id] = nil
            held.call.answer(reply(to: held.call, held.outcome))
        }
        count(turns: group.replies.count)
        sweepSoon()
        if !group.writeSets.isEmpty { snapshotSoon() }
    }

    /// Deletes discarded rows, a few at a time, when the calls that are there have been answered.
    func sweepSoon() {
        guard store?.hasDiscarded == true, !isSweeping else { return }
        isSweeping = true
        loop.schedule(after: .milliseconds(5)) { [self] in
            isSweeping = false
            guard let store else { return }
            do throws(StoreError) {
                if try store.sweepDiscarded(limit: Limits.discardedRowsPerSweep) { sweepSoon() }
            } catch {
                if error.code == .fenced { fenced(error) }
                // They stay discarded; the next commit tries again.
                WorkerMain.log("discarded rows could not be deleted: \(error)")
            }
        }
    }

    /// Nothing of the group is stored: its calls fail, and the memory that ran ahead of the disk is dropped.
    private func commitFailed(_ group: OutputGate<HeldReply>.Group, _ error: StoreError) {
        if error.code == .fenced { fenced(error) }
        WorkerMain.log("a commit failed: \(error)")
        let failure = error.callerError(for: actor)
        for held in group.replies { refuse(held.call, failure) }
        dropActivation(reopening: error.code != .full)
    }

    /// Drops an instance whose memory is ahead of the disk, and builds it again.
    func dropActivation(reopening: Bool) {
        generation += 1
        activation = nil
        mailbox.pause()
        rebuild(reopening: reopening)
    }

    /// Builds the actor again from what is stored; calls that arrive meanwhile wait.
    private func rebuild(reopening: Bool) {
        // Ends when the actor is built, or with the process; it is the only one, because no turn runs meanwhile.
        Task(executorPreference: loop) { [self] in
            do {
                if reopening {
                    store?.close()
                    store = nil
                    try takeShard()
                }
                try await build()
            } catch let error as StoreError where error.code == .full || error.code == .failed {
                WorkerMain.log("the state cannot be read again, the next attempt is in half a second: \(error)")
                loop.schedule(after: .milliseconds(500)) { [self] in rebuild(reopening: true) }
                return
            } catch let error as StoreError {
                if error.code == .fenced { fenced(error) }
                refuse(.quarantined(message: error.description))
                return
            } catch {
                refuse(.constructorThrew(message: "\(error)"))
                return
            }
            let waiting = parked
            parked = []
            for call in waiting {
                for connection in call.connections { admit(call, on: connection) }
            }
            if let next = mailbox.finished() { begin(next) }
        }
    }
}

extension UInt64 {
    fileprivate mutating func raise(to other: UInt64) { self = Swift.max(self, other) }
}
