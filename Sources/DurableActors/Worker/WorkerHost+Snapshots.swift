internal import DurableCore
internal import DurableStore
internal import DurableTransport

/// Snapshots of a shard whose commits are not flushed, taken on a thread of their own while calls go on.
extension WorkerHost {
    /// What an earlier life committed since the newest snapshot has not got one yet.
    func resumeSnapshots() {
        guard let store, assignment.record.options.durability == .process else { return }
        snapshots.resume(sinceLast: store.secondsSinceSnapshot.map { .seconds($0) }, now: now)
        if store.fence.version > 0 { snapshotSoon() }
    }

    /// Something was committed: it gets into a snapshot as soon as one may be taken.
    func snapshotSoon() {
        guard assignment.record.options.durability == .process, let delay = snapshots.committed(now: now) else {
            return
        }
        loop.schedule(after: delay) { [self] in takeSnapshot() }
    }

    private var now: Duration { ContinuousClock.now - started }

    private func takeSnapshot() {
        guard let job = store?.snapshotJob() else {
            snapshots.skipped()
            return
        }
        passes(.workerBeforeSnapshot)
        let (start, actor) = (now, assignment.record.id)
        // Ends with the copy, or with the process; there is one at a time.
        Task(executorPreference: loop) { [self] in
            do {
                try await onOwnThread { () throws(ActorError) in
                    do throws(StoreError) { try job.run { self.passes(.workerInsideSnapshot) } } catch {
                        throw error.callerError(for: actor)
                    }
                }
            } catch {
                // Nothing depends on it until the machine goes down; the next one is tried in its time.
                WorkerMain.log("no snapshot could be taken: \(error)")
            }
            passes(.workerAfterSnapshot)
            snapshots.ended(begunAt: start, now: now)
            if store?.snapshotJob() != nil { snapshotSoon() }
        }
    }

    /// The process ends by itself: what finished turns changed is committed, and everything is flushed.
    func endCleanly() {
        assertOnLoop()
        flush()
        passes(.workerBeforeCleanEnd)
        do throws(StoreError) {
            try store?.endCleanly()
        } catch {
            // The marker stays, so the next life looks for itself.
            WorkerMain.log("the shard could not be flushed at the end: \(error)")
        }
    }
}
