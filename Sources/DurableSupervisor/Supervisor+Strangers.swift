internal import DurableCore
internal import DurableProcess
internal import DurableTransport

#if SEEDED_BUGS
internal import SeededBugs
#endif

/// Workers of a former supervisor that the registry does not name: spares, and those that were given a shard in its
/// last moment, before that was stored.
///
/// One of those may host the very life that is to be started. Without stored state no epoch keeps two of them apart, so
/// no life follows a former supervisor's before all strangers are known or gone.
extension Supervisor {
    /// Looks for strangers, and starts what need not wait for them.
    func findStrangers() {
        for found in WorkerSearch.workers(writingTo: layout.stderr) where pool.workers[found.pid] == nil {
            guard let serial = UInt64(found.name) else { continue }
            let identity = WorkerIdentity(pid: found.pid, startTime: found.startTime, serial: serial)
            guard stranger(identity) != nil else { continue }
            strangers.insert(found.pid)
        }
        #if SEEDED_BUGS
        if SeededBug.strangersNotAwaited.isActive { strangers = [] }
        #endif
        guard !strangers.isEmpty else { return releaseRestarts() }
        // Spares end with their supervisor, and the others return at once, unless they stand still.
        loop.schedule(after: Limits.workerReturnTimeout) { [self] in
            for pid in strangers { pool.workers[pid]?.kill() }
        }
    }

    /// It is assigned now, or was killed: then its end is waited for.
    func strangerIsKnown(_ worker: WorkerProcess) {
        if case .assigned = worker.phase { strangerIsGone(worker.identity.pid) }
    }

    /// One stranger less.
    func strangerIsGone(_ pid: Int32) {
        guard strangers.remove(pid) != nil, strangers.isEmpty else { return }
        releaseRestarts()
    }

    private func releaseRestarts() {
        let restarts = restartsHeldUp
        restartsHeldUp = []
        for restart in restarts {
            let box = LoopConfined(value: restart)
            loop.execute { box.value() }
        }
    }
}
