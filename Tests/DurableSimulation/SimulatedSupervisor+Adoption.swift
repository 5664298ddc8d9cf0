import DurableCore

/// What a former supervisor left behind, in the steps of `Supervisor+Adoption` and `Supervisor+Strangers`.
extension SimulatedSupervisor {
    func recover() {
        for id in drivers.sorted() where !world.drivers.contains(where: { $0.id == id }) { left(id) }
        let isContinued = !drivers.isEmpty
        var left: [ActorRecord] = []
        for record in registry.records.values.sorted(by: { $0.shard < $1.shard }) where record.ended == nil {
            if let worker = world.workers.first(where: { $0.identity == record.worker }) {
                expect(record, worker)
            } else if record.worker != nil, isContinued {
                restart(record)
            } else if record.owner == .detached {
                becomeDormant(record)
                if isContinued { awaitWorker(of: record) } else { left.append(record) }
            } else if isContinued {
                awaitWorker(of: record)
            } else {
                perform(host(record).slot.end(because: .ownerDied), on: record.shard)
            }
        }
        findStrangers()
        if !strangers.isEmpty { for record in left { awaitWorker(of: record) } }
        endOrphans()
    }

    private func endOrphans() {
        let orphans = registry.records.values.filter { record in
            guard record.ended == nil, case .driver(let id) = record.owner else { return false }
            return !drivers.contains(id)
        }
        endActors(orphans.map(\.id).sorted(), because: .ownerDied)
    }

    private func expect(_ record: ActorRecord, _ worker: SimulatedWorker) {
        let slot = Slot.adopting(policy: record.policy, incarnation: record.incarnation, now: world.duration)
        let hosted = Hosted(slot, of: record.id)
        self.hosted[record.shard] = hosted
        hosted.worker = worker
        pool.append(worker)
        after(UInt64(Limits.adoptionTimeout / .microseconds(1))) { supervisor in
            guard let hosted = supervisor.hosted[record.shard], hosted.worker === worker, hosted.socket == nil else {
                return
            }
            supervisor.perform(hosted.slot.killLife(because: .unresponsive), on: record.shard)
        }
    }

    /// Whether it hears of the worker's end. A former supervisor may have given it up without storing that.
    func hears(of worker: SimulatedWorker) -> Bool { hosted[worker.shard.number]?.worker === worker }

    private func restart(_ record: ActorRecord) {
        world.note(.startsAgain, record.shard, record.incarnation, 0)
        let slot = Slot.adopting(policy: record.policy, incarnation: record.incarnation, now: world.duration)
        let hosted = Hosted(slot, of: record.id)
        self.hosted[record.shard] = hosted
        hosted.isHeldUp = true
        restartsHeldUp.append { [self] in
            hosted.isHeldUp = false
            let action = hosted.slot.exited(
                record.incarnation,
                cause: .unknown,
                wasProductive: true,
                now: world.duration,
                jitter: 0.5
            )
            perform(action, on: record.shard)
            change(record.id)
        }
    }

    /// The whole runtime ended, so nobody is to blame: the budget is whole again when the actor is next used.
    private func becomeDormant(_ record: ActorRecord) {
        let updated = registry.update(record.id) {
            $0.worker = nil
            $0.policy = RestartPolicy($0.options)
        }
        guard let updated else { return }
        world.oracle.budgetIsWhole(updated.id)
        _ = host(updated)
        change(updated.id)
    }

    private func awaitWorker(of record: ActorRecord) {
        hosting(record).isAwaited = true
        world.note(.awaits, record.shard, 0, 0)
        after(UInt64(Limits.workerReturnTimeout / .microseconds(1))) { supervisor in
            let goOn = {
                guard let hosted = supervisor.hosted[record.shard], hosted.isAwaited else { return }
                hosted.isAwaited = false
                if hosted.isWanted { supervisor.activate(hosted, record.shard) }
            }
            if supervisor.strangers.isEmpty { goOn() } else { supervisor.restartsHeldUp.append(goOn) }
        }
    }

    private func findStrangers() {
        strangers = world.workers.filter { worker in
            !worker.isAbandoned && !pool.contains { $0 === worker }
        }
        guard !strangers.isEmpty else { return releaseRestarts() }
        after(UInt64(Limits.workerReturnTimeout / .microseconds(1))) { supervisor in
            for worker in supervisor.strangers {
                supervisor.world.bites(.strangerKilled)
                supervisor.world.end(worker, .unresponsive)
            }
        }
    }

    func strangerIsGone(_ worker: SimulatedWorker) {
        guard strangers.contains(where: { $0 === worker }) else { return }
        strangers.removeAll { $0 === worker }
        if strangers.isEmpty { releaseRestarts() }
    }

    private func releaseRestarts() {
        let restarts = restartsHeldUp
        restartsHeldUp = []
        for restart in restarts { after(0) { _ in restart() } }
    }

    /// A worker that has lost its supervisor registers again.
    func takeOver(_ worker: SimulatedWorker) {
        let shard = worker.shard.number
        recognise(worker)
        guard let hosted = hosted[shard], hosted.worker === worker, hosted.slot.incarnation == worker.incarnation else {
            if strangers.contains(where: { $0 === worker }) { world.bites(.strangerKilled) }
            return world.end(worker, .unresponsive)
        }
        strangerIsGone(worker)
        hosted.socket = worker.socket
        worker.orphanedAt = nil
        world.bites(.adopted)
        world.note(.adopts, UInt64(worker.number), shard, worker.incarnation)
    }

    /// It is the worker that was waited for: from now on the registry names it.
    private func recognise(_ worker: SimulatedWorker) {
        let shard = worker.shard.number
        guard strangers.contains(where: { $0 === worker }), let hosted = hosted[shard], hosted.isAwaited,
            hosted.slot.state == .dormant, hosted.actor == worker.shard.actor
        else { return }
        let updated = registry.update(hosted.actor) {
            $0.incarnation = worker.incarnation
            $0.worker = worker.identity
        }
        guard let updated else { return }
        world.bites(.recognised)
        world.note(.recognises, UInt64(worker.number), shard, worker.incarnation)
        hosted.isAwaited = false
        hosted.slot = Slot.adopting(policy: updated.policy, incarnation: worker.incarnation, now: world.duration)
        hosted.worker = worker
        pool.append(worker)
        change(updated.id)
    }
}
