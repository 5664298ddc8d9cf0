internal import CBOR
internal import DurableCore
internal import DurableProcess
internal import DurableTransport
internal import Glibc

#if SEEDED_BUGS
internal import SeededBugs
#endif

/// What slots decide, done: assignments, kills, ends.
extension Supervisor {
    /// Performs what a slot returned.
    func perform(_ action: Slot.Action, on shard: ShardNumber) {
        guard let hosted = hosted[shard] else { return }
        switch action {
        case .none:
            break
        case .start:
            startNext(shard, hosted)
        case .wait(let delay, let incarnation):
            loop.schedule(after: delay) { [self] in
                guard let hosted = self.hosted[shard] else { return }
                perform(hosted.slot.delayPassed(after: incarnation, now: now), on: shard)
            }
        case .killWorker:
            kill(shard, hosted)
        case .announceEnd(let cause):
            end(shard, hosted, cause)
        }
        notify(hosted)
        endIfUnused()
    }

    /// Gives waiting shards to workers that are ready, and sees that enough are on their way.
    func assignWaiting() {
        var remaining: [ShardNumber] = []
        var wanted: [String: Int] = [:]
        for shard in waiting {
            guard let hosted = hosted[shard], hosted.slot.isRunning, let record = registry.records[hosted.actor] else {
                continue
            }
            if let worker = pool.takeSpare(of: record.executable) {
                assign(shard, hosted, record, to: worker)
            } else {
                wanted[record.executable, default: 0] += 1
                remaining.append(shard)
            }
        }
        waiting = remaining
        for (executable, count) in wanted { refill(executable, waiting: count) }
    }

    /// Keeps enough workers of an executable ready.
    func refill(_ executable: String, waiting count: Int = 0) {
        guard !isEnding else { return }
        do {
            try pool.refill(executable, waiting: count)
        } catch {
            log("no worker of \(executable) can be started: \(error.message)")
            let isShortage = error.code == .resourcesExhausted
            failWaiting(of: executable, because: error.message, isShortage: isShortage)
            if isShortage, !waiting.isEmpty { assignLater() }
        }
    }

    /// Tries again when there may be descriptors, processes and memory.
    func assignLater() {
        guard !isAssignmentScheduled else { return }
        isAssignmentScheduled = true
        loop.schedule(after: Limits.shortageInterval) { [self] in
            isAssignmentScheduled = false
            assignWaiting()
        }
    }

    /// The actor's worker is gone; what follows is the slot's decision.
    func workerExited(_ worker: WorkerProcess) {
        var cause = deathCause(of: worker)
        for waiter in worker.faultWaiters { waiter() }
        worker.faultWaiters = []
        guard case .assigned(let shard, let incarnation) = worker.phase, let hosted = hosted[shard] else {
            spareExited(worker, cause)
            return
        }
        faults.passes(.supervisorAfterDeath, incarnation: incarnation)
        if hosted.worker === worker { hosted.worker = nil }
        releaseRemovals(of: hosted.actor)
        cause = investigate(worker, hosted, incarnation, cause)
        let action = hosted.slot.exited(
            incarnation,
            cause: cause,
            wasProductive: worker.wasProductive,
            now: now,
            jitter: Double.random(in: 0...1)
        )
        // The replacement first: the ledger is not on the path of a recovery.
        let endedAs: DeathCause =
            if case .ended(let final) = hosted.slot.state { final } else { hosted.slot.lastCause ?? cause }
        perform(action, on: shard)
        // The constructor of the next life makes its own.
        removePlacementGroups(ownedBy: .actor(hosted.actor))
        enter(worker, hosted, incarnation, endedAs)
    }

    private func enter(_ worker: WorkerProcess, _ hosted: Hosted, _ incarnation: Incarnation, _ cause: DeathCause) {
        guard var record = registry.records[hosted.actor] else { return }
        record.incarnation = incarnation
        var entry = LedgerEntry(
            record: record,
            pid: worker.identity.pid,
            cause: cause,
            isRestarted: hosted.slot.isRunning,
            milliseconds: wallClockMilliseconds,
            stderrTail: worker.stderrTail
        )
        entry.startTime = worker.identity.startTime
        let identity = worker.identity
        if worker.isStruck || faults.hasStruck(pid: identity.pid, startTime: identity.startTime) {
            entry.isInjected = true
        }
        changes.ledger.append(entry)
        unlink(layout.stderrFile(worker.identity.serial))
        persistSoon()
    }

    private func startNext(_ shard: ShardNumber, _ hosted: Hosted) {
        do {
            if hosted.listener == nil {
                try RuntimeDirectory.make(layout.shard(shard))
                // Somebody may listen there still: a worker whose assignment a former supervisor could not store any
                // more. This supervisor holds the directory's lock, so the address is its own; the epoch fences the
                // worker.
                unlink(layout.shardSocket(shard))
                hosted.listener = try Listener.bind(path: layout.shardSocket(shard), replacing: true)
            }
        } catch {
            let message = (error as? TransportError)?.message ?? "\(error)"
            if hosted.slot.incarnation > 1, (error as? TransportError)?.isShortage == true {
                log("the socket of \(hosted.actor) cannot be made, it is tried again: \(message)")
                return startLater(shard, hosted.slot.incarnation)
            }
            let cause = DeathCause.spawnFailed(message: "its socket cannot be made: \(message)")
            perform(hosted.slot.end(because: cause), on: shard)
            // No worker is there to exit.
            exitWithoutWorker(shard, hosted, cause)
            return
        }
        guard hasResources(shard, hosted) else { return }
        waiting.append(shard)
        assignWaiting()
    }

    /// Tries again when there may be descriptors: an actor that has lived has something to lose.
    private func startLater(_ shard: ShardNumber, _ incarnation: Incarnation) {
        loop.schedule(after: Limits.shortageInterval) { [self] in
            guard let hosted = hosted[shard], hosted.slot.isRunning, hosted.slot.incarnation == incarnation,
                hosted.worker == nil, !waiting.contains(shard)
            else { return }
            startNext(shard, hosted)
        }
    }

    private func assign(_ shard: ShardNumber, _ hosted: Hosted, _ record: ActorRecord, to worker: WorkerProcess) {
        let incarnation = hosted.slot.incarnation
        faults.passes(.supervisorBeforeAssignment, incarnation: incarnation)
        worker.phase = .assigned(shard, incarnation)
        hosted.worker = worker
        let policy = hosted.slot.policy
        let updated = registry.update(record.id) {
            $0.incarnation = incarnation
            $0.worker = worker.identity
            #if SEEDED_BUGS
            if SeededBug.restartsNotStored.isActive { return }
            #endif
            $0.policy = policy
        }
        guard let updated, let listener = hosted.listener, let page = worker.page else { return }
        var assignment = Assignment(
            record: updated,
            incarnation: incarnation,
            directory: layout.directory,
            configuration: configuration.worker,
            drops: registry.removals(in: record.id)
        )
        // A call to an actor that has ended since is answered by its end.
        assignment.deadLetters = hosted.deadLetters.filter { registry.records[$0.actor]?.ended == nil }
        assignment.refusals = refusals(in: record)
        assignment.environment = environment(for: updated)
        if unstoredHoldings.remove(record.id) != nil {
            // Nobody else may be given it, also not by the next supervisor: before the worker can use it, it is stored.
            changes.records.append(updated)
            persist()
        }
        send(.assign(assignment), to: worker, descriptors: [listener.descriptor, page.descriptor])
        // What else there is to do now is not worth a moment of the actor's callers.
        worker.connection?.flushNow()
        changes.records.append(updated)
        persistSoon()
        // Timers fire behind the batch's writes: by then the worker has been told.
        loop.schedule(after: .zero) { [self] in faults.passes(.supervisorAfterAssignment, incarnation: incarnation) }
    }

    func send(_ command: WorkerCommand, to worker: WorkerProcess, descriptors: [Int32] = []) {
        guard let payload = try? CBOREncoder().encode(command),
            worker.connection?.send(Frame(kind: FrameKind.command, payload: payload), descriptors: descriptors) == true
        else {
            // A worker that cannot be told is of no use; its death is handled like any other.
            worker.kill()
            return
        }
    }

    private func kill(_ shard: ShardNumber, _ hosted: Hosted) {
        // What follows is decided then: a worker that nobody knows of may have the actor.
        #if SEEDED_BUGS
        let isHeldUp = hosted.isHeldUp && !SeededBug.killStartsHeldUp.isActive
        #else
        let isHeldUp = hosted.isHeldUp
        #endif
        if isHeldUp { return }
        guard let worker = hosted.worker else {
            waiting.removeAll { $0 == shard }
            exitWithoutWorker(shard, hosted, .killed)
            return
        }
        guard faults.passes(.supervisorKillBeforeReplace, incarnation: hosted.slot.incarnation) else {
            // Fault injection: the worker stays alive and is replaced all the same, as if the kill had not worked.
            worker.phase = .abandoned
            worker.connection?.close()
            hosted.worker = nil
            exitWithoutWorker(shard, hosted, .unresponsive)
            return
        }
        #if SEEDED_BUGS
        if SeededBug.replacedBeforeGone.isActive {
            worker.phase = .abandoned
            hosted.worker = nil
            defer { worker.kill() }
            return exitWithoutWorker(shard, hosted, .unresponsive)
        }
        #endif
        worker.kill()
    }

    private func exitWithoutWorker(_ shard: ShardNumber, _ hosted: Hosted, _ cause: DeathCause) {
        let incarnation = hosted.slot.incarnation
        let action = hosted.slot.exited(
            incarnation,
            cause: cause,
            wasProductive: true,
            now: now,
            jitter: Double.random(in: 0...1)
        )
        perform(action, on: shard)
    }

    private func end(_ shard: ShardNumber, _ hosted: Hosted, _ cause: DeathCause) {
        waiting.removeAll { $0 == shard }
        releaseResources(of: hosted.actor)
        hosted.listener?.close()
        hosted.listener = nil
        unlink(layout.shardSocket(shard))
        if cause.removesState {
            endMembers(registry.members(of: hosted.actor).compactMap { registry.records[$0] }, because: cause)
        }
        // What cannot be read is kept as it is, whoever owned it, until the owner ends or somebody kills it.
        let isKept = registry.records[hosted.actor].map { $0.owner == .detached && !cause.removesState } ?? false
        let keepsState = isKept || cause.isQuarantine
        if !keepsState {
            changes.removed += registry.end(hosted.actor, cause: cause)
            forgetRecord(of: hosted.actor)
            faults.passes(.supervisorBeforeStateRemoval, incarnation: hosted.slot.incarnation)
            RuntimeDirectory.remove(layout.shard(shard))
            faults.passes(.supervisorAfterStateRemoval, incarnation: hosted.slot.incarnation)
        }
        endActors(registry.owned(by: .actor(hosted.actor)), because: .ownerDied)
        removePlacementGroups(ownedBy: .actor(hosted.actor))
        persistSoon()
    }

    /// The registry needs no record of an actor that has ended, unless it can be asked for again.
    func forgetRecord(of id: ActorID) {
        changes.records.removeAll { $0.id == id }
        if let memory = registry.memory(of: id) { changes.records.append(memory) } else { changes.removed.append(id) }
    }

    /// Ends actors for good.
    func endActors(_ ids: [ActorID], because cause: DeathCause) {
        let records = ids.compactMap { registry.records[$0] }.filter { $0.ended == nil }
        endsInProgress += 1
        defer {
            endsInProgress -= 1
            endIfUnused()
        }
        for record in records where record.group == nil {
            let hosted = hosting(record)
            if case .ended = hosted.slot.state {
                // Quarantined: its bytes were kept until now.
                forget(record, because: cause)
            } else {
                perform(hosted.slot.end(because: cause), on: record.shard)
            }
        }
        let members = records.filter { $0.group != nil }
        if !members.isEmpty { endMembers(members, because: cause) }
    }

    /// The slot of an actor that has none yet in this supervisor's life.
    func host(_ record: ActorRecord) -> Hosted {
        let slot = Slot(policy: record.policy, incarnation: record.incarnation)
        let hosted = Hosted(slot: slot, actor: record.id)
        self.hosted[record.shard] = hosted
        return hosted
    }

    /// Tells those who wait that something has changed.
    func notify(_ hosted: Hosted) {
        let incarnation = hosted.slot.incarnation
        let isOver = !hosted.slot.isRunning && !hosted.slot.isEnding
        let due = hosted.waiters.filter { isOver || $0.0 != incarnation }
        hosted.waiters.removeAll { isOver || $0.0 != incarnation }
        for (_, answer) in due { answer() }
    }

    private func deathCause(of worker: WorkerProcess) -> DeathCause {
        switch worker.handle.reap() {
        case .exited(let code): code == WorkerExitCode.fenced ? .fenced : .exit(code: code)
        case .signalled(let signal, _):
            if worker.isKilledByUs {
                worker.verdict ?? .unresponsive
            } else if signal == SIGKILL, outOfMemoryStruck() {
                .outOfMemory
            } else {
                .signal(number: signal)
            }
        case .unknown, nil: worker.isKilledByUs ? .unresponsive : .unknown
        }
    }
}
