internal import CBOR
internal import DurableCore
internal import DurableProcess
internal import DurableTransport
internal import Glibc

/// News of workers.
extension Supervisor {
    /// A spawned worker is initialised.
    func workerReady(_ worker: WorkerProcess) {
        spawnFailures = 0
        assignWaiting()
    }

    /// A worker said something.
    func workerReported(_ worker: WorkerProcess, _ report: WorkerReport, _ descriptors: [OwnedDescriptor]) {
        switch report {
        case .serving(let shard, let incarnation, _):
            guard let hosted = hosted[shard], hosted.worker === worker else { return }
            faults.passes(.supervisorAfterServing, incarnation: incarnation)
            if incarnation == hosted.slot.incarnation { served(hosted) }
            perform(hosted.slot.served(incarnation, now: now), on: shard)
            sendLateRemovals(of: hosted)
            endActors(registry.leftBehind(by: hosted.actor, in: incarnation), because: .ownerDied)
            // It has yet to answer those who wait; then there is time to warm the next spare.
            let executable = worker.executable
            loop.schedule(after: Limits.recoveryPause) { [self] in refill(executable) }
        case .refused(let shard, let incarnation, let cause):
            guard let hosted = hosted[shard], hosted.worker === worker else { return }
            perform(hosted.slot.refused(incarnation, cause: cause), on: shard)
        case .memberRefused(let id, let cause):
            memberRefused(id, cause)
        case .memberServing(let id, let incarnation):
            endActors(registry.leftBehind(by: id, in: incarnation), because: .ownerDied)
        case .membersRemoved(let ids):
            membersRemoved(ids)
        case .noticed(let shard, let incarnation, let text):
            guard let hosted = hosted[shard], hosted.worker === worker else { return }
            enter(text, of: worker, hosted, incarnation, shard)
        case .fenced:
            // It ends by itself; its exit code says why.
            break
        case .injected:
            if !worker.faultWaiters.isEmpty { worker.faultWaiters.removeFirst()() }
        case .handover(let hosting):
            takeOver(worker, hosting, descriptors)
        }
    }

    /// The notice goes when the ledger has it; until then each life of the actor brings it again.
    private func enter(
        _ notice: String,
        of worker: WorkerProcess,
        _ hosted: Hosted,
        _ incarnation: Incarnation,
        _ shard: ShardNumber
    ) {
        guard var record = registry.records[hosted.actor] else { return }
        record.incarnation = incarnation
        let entry = LedgerEntry(
            record: record,
            pid: worker.identity.pid,
            notice: notice,
            milliseconds: wallClockMilliseconds
        )
        changes.ledger.append(entry)
        guard persist() == nil else { return }
        unlink(layout.shardNotice(shard))
    }

    /// Ends the lives of actors whose workers have been silent for longer than the actors allow.
    func endSilentWorkers() {
        for (shard, hosted) in hosted {
            guard let worker = hosted.worker, !worker.isKilledByUs, let signs = worker.page?.signs,
                let limit = registry.records[hosted.actor]?.options.unresponsiveLimit,
                let cause = worker.silence.look(signs, limit: limit, now: now)
            else { continue }
            log("process \(worker.identity.pid) of \(hosted.actor) is killed: \(cause)")
            worker.verdict = cause
            perform(hosted.slot.killLife(because: cause), on: shard)
        }
        loop.schedule(after: Limits.silenceLookInterval) { [self] in endSilentWorkers() }
    }

    /// A worker ended before it had a shard.
    func spareExited(_ worker: WorkerProcess, _ cause: DeathCause) {
        strangerIsGone(worker.identity.pid)
        let tail = worker.stderrTail
        unlink(layout.stderrFile(worker.identity.serial))
        guard !isEnding, !worker.isKilledByUs, worker.phase != .unknown else { return }
        guard worker.phase == .starting else {
            refill(worker.executable)
            return
        }
        spawnFailures += 1
        let message = "\(cause); \(tail.suffix(500))"
        guard spawnFailures <= 5 else {
            log("no worker of \(worker.executable) gets ready: \(message)")
            // Who has lived may wait for whatever ends them to stop.
            failWaiting(of: worker.executable, because: message, isShortage: true)
            if !waiting.isEmpty { assignLater() }
            return
        }
        loop.schedule(after: .milliseconds(20 << spawnFailures)) { [self] in assignWaiting() }
    }

    /// No worker can be had: the actors that wait for one end. In a shortage, which passes, only those do that have not
    /// lived yet and have nothing to lose.
    func failWaiting(of executable: String, because message: String, isShortage: Bool = false) {
        for shard in waiting {
            guard let hosted = hosted[shard], registry.records[hosted.actor]?.executable == executable else { continue }
            let incarnation = hosted.slot.incarnation
            if isShortage, incarnation > 1 { continue }
            perform(hosted.slot.refused(incarnation, cause: .spawnFailed(message: message)), on: shard)
        }
    }
}
