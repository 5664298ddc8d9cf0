internal import CBOR
internal import DurableCore
internal import DurableProcess
internal import DurableTransport
internal import Glibc

/// What a former supervisor left behind: workers that go on, drivers that still live, actors to start again.
extension Supervisor {
    /// Decides for every actor of the registry what becomes of it.
    func recover(_ known: [RegistryStore.Driver]) {
        for driver in known { rejoin(driver) }
        changes.removed += registry.forgettable
        let isContinued = !drivers.isEmpty
        var left: [ActorRecord] = []
        for record in registry.records.values.sorted(by: { $0.shard < $1.shard }) where record.ended == nil {
            // Actors of a group live and die with its worker.
            if record.group != nil { continue }
            if let identity = record.worker,
                let handle = try? ProcessHandle.adopt(
                    pid: identity.pid,
                    startTime: identity.startTime
                )
            {
                expect(record, identity, handle)
            } else if record.worker != nil, isContinued {
                restart(record)
            } else if record.owner == .detached, !isContinued || !waits(record) {
                becomeDormant(record)
                if isContinued { awaitWorker(of: record) } else { left.append(record) }
            } else if isContinued, waits(record) {
                // What it is given is stored before it gets a worker: it has none, and goes on to wait.
                _ = host(record)
                loop.execute { [self] in
                    guard let hosted = hosted[record.shard] else { return }
                    perform(hosted.slot.activate(now: now), on: record.shard)
                }
            } else if isContinued {
                // Its first worker was never assigned, or this was not stored. The first use starts it.
                awaitWorker(of: record)
            } else {
                perform(host(record).slot.end(because: .ownerDied), on: record.shard)
            }
        }
        findStrangers()
        // Nobody goes on, but a worker may not have ended yet. Were its shard given a new socket now and this supervisor
        // died at once, the next one would recognise the worker, whose socket nobody can reach any more.
        if !strangers.isEmpty { for record in left { awaitWorker(of: record) } }
        endOrphans()
        sweepShards()
        // By then all workers that are left have returned.
        loop.schedule(after: Limits.workerReturnTimeout) { [self] in sweepStderr() }
    }

    /// Whether an actor without a worker waits for resources; a former supervisor may have had no time to store that.
    private func waits(_ record: ActorRecord) -> Bool {
        record.waitsFor != nil || record.holding == nil && request(of: record).demand.held != ResourceSet()
    }

    /// A worker that outlived its supervisor registers again.
    func returningWorkerHandler(_ hello: Hello) -> ConnectionHandler? {
        guard let greeting = try? CBORDecoder().decode(WorkerGreeting.self, from: hello.info),
            let worker = pool.workers[greeting.identity.pid] ?? stranger(greeting.identity),
            worker.identity == greeting.identity
        else { return nil }
        let handler = pool.controlHandler(for: worker)
        let box = LoopConfined(value: worker)
        return ConnectionHandler(
            opened: { connection in
                box.value.connection = connection
                handler.opened(connection)
            },
            received: handler.received,
            closed: handler.closed
        )
    }

    /// A worker of the directory that the registry does not name.
    func stranger(_ identity: WorkerIdentity) -> WorkerProcess? {
        guard let handle = try? ProcessHandle.adopt(pid: identity.pid, startTime: identity.startTime) else {
            return nil
        }
        let stderr = try? StderrFile(path: layout.stderrFile(identity.serial))
        let worker = WorkerProcess(handle: handle, identity: identity, executable: "", stderr: stderr, page: nil)
        worker.phase = .unknown
        do {
            try pool.adopt(worker)
        } catch {
            log("a worker that returned cannot be watched: \(error.message)")
            return nil
        }
        return worker
    }

    /// The shard has no worker that is known of. One may have been assigned so late that it was not stored any more:
    /// until that can have returned, nobody else gets the shard.
    private func awaitWorker(of record: ActorRecord) {
        hosting(record).isAwaited = true
        loop.schedule(after: Limits.workerReturnTimeout) { [self] in
            let goOn = { [self] in
                guard let hosted = hosted[record.shard], hosted.isAwaited else { return }
                hosted.isAwaited = false
                if hosted.isWanted { activate(hosted, record.shard) }
            }
            if strangers.isEmpty { goOn() } else { restartsHeldUp.append(goOn) }
        }
    }

    /// Starts what is dormant, as soon as no worker can return that has it.
    func activate(_ hosted: Hosted, _ shard: ShardNumber) {
        guard !hosted.isAwaited else {
            hosted.isWanted = true
            return
        }
        perform(hosted.slot.activate(now: now), on: shard)
    }

    /// It is the worker that was waited for: from now on the registry names it.
    private func recognise(_ worker: WorkerProcess, _ hosting: WorkerGreeting.Hosting) {
        guard worker.phase == .unknown, let hosted = hosted[hosting.shard], hosted.isAwaited,
            hosted.slot.state == .dormant, hosted.actor == hosting.actor
        else { return }
        let updated = registry.update(hosting.actor) {
            $0.incarnation = hosting.incarnation
            $0.worker = worker.identity
        }
        guard let updated else { return }
        hosted.isAwaited = false
        hosted.slot = Slot.adopting(policy: updated.policy, incarnation: hosting.incarnation, now: now)
        hosted.worker = worker
        worker.executable = updated.executable
        worker.phase = .assigned(hosting.shard, hosting.incarnation)
        changes.records.append(updated)
        persistSoon()
    }

    /// A returning worker hands back its listening socket and its page.
    func takeOver(_ worker: WorkerProcess, _ hosting: WorkerGreeting.Hosting, _ descriptors: [OwnedDescriptor]) {
        faults.passes(.supervisorBeforeAdoption, incarnation: hosting.incarnation)
        recognise(worker, hosting)
        strangerIsKnown(worker)
        guard let hosted = hosted[hosting.shard], hosted.worker === worker,
            hosted.slot.incarnation == hosting.incarnation, descriptors.count == 2
        else {
            // Whatever it is doing: its actor may be placed anew as soon as it is gone.
            worker.kill()
            return
        }
        hosted.listener = Listener(adopting: descriptors[0].take())
        worker.page = try? WorkerPage(adopting: descriptors[1].take())
        send(.adopted, to: worker)
        refill(worker.executable)
    }

    /// A process that may have been replaced on its number is not the one that we knew.
    private func rejoin(_ known: RegistryStore.Driver) {
        guard let handle = try? ProcessHandle.adopt(pid: known.pid, startTime: known.startTime) else {
            changes.leftDrivers.append(known.id)
            persistSoon()
            return
        }
        let driver = Driver(id: known.id, handle: handle, executable: "")
        drivers[known.id] = driver
        watch(driver)
        // It may have left just before the former supervisor died, and live on without this runtime.
        loop.schedule(after: Limits.driverReturnTimeout) { [self] in
            if drivers[known.id]?.connection == nil { driverLeft(known.id) }
        }
    }

    private func expect(_ record: ActorRecord, _ identity: WorkerIdentity, _ handle: ProcessHandle) {
        let slot = Slot.adopting(policy: record.policy, incarnation: record.incarnation, now: now)
        let hosted = Hosted(slot: slot, actor: record.id)
        self.hosted[record.shard] = hosted
        let worker = WorkerProcess(
            handle: handle,
            identity: identity,
            executable: record.executable,
            stderr: try? StderrFile(path: layout.stderrFile(identity.serial)),
            page: nil
        )
        worker.phase = .assigned(record.shard, record.incarnation)
        hosted.worker = worker
        do {
            try pool.adopt(worker)
        } catch {
            worker.kill()
        }
        let shard = record.shard
        loop.schedule(after: Limits.adoptionTimeout) { [self] in
            guard let hosted = self.hosted[shard], hosted.worker?.identity == identity, hosted.listener == nil else {
                return
            }
            perform(hosted.slot.killLife(because: .unresponsive), on: shard)
        }
    }

    private func restart(_ record: ActorRecord) {
        let slot = Slot.adopting(policy: record.policy, incarnation: record.incarnation, now: now)
        let hosted = Hosted(slot: slot, actor: record.id)
        self.hosted[record.shard] = hosted
        hosted.isHeldUp = true
        restartsHeldUp.append { [self] in
            guard let hosted = self.hosted[record.shard] else { return }
            hosted.isHeldUp = false
            let action = hosted.slot.exited(
                record.incarnation,
                cause: .unknown,
                wasProductive: true,
                now: now,
                jitter: Double.random(in: 0...1)
            )
            perform(action, on: record.shard)
            var entry = LedgerEntry(
                record: record,
                pid: record.worker?.pid ?? 0,
                cause: .unknown,
                isRestarted: hosted.slot.isRunning,
                milliseconds: wallClockMilliseconds,
                stderrTail: ""
            )
            entry.startTime = record.worker?.startTime
            changes.ledger.append(entry)
            persistSoon()
        }
    }

    /// The whole runtime ended, so nobody is to blame: the budget is whole again when the actor is next used.
    private func becomeDormant(_ record: ActorRecord) {
        let updated = registry.update(record.id) {
            $0.worker = nil
            $0.holding = nil
            $0.waitsFor = nil
            $0.policy = RestartPolicy($0.options)
        }
        placement.release(record.id)
        guard let updated else { return }
        changes.records.append(updated)
        persistSoon()
        _ = host(updated)
        for member in registry.members(of: record.id) {
            _ = registry.update(member) { $0.policy = RestartPolicy($0.options) }
        }
    }

    /// Ends the actors whose owner did not outlive the former supervisor.
    private func endOrphans() {
        let orphans = registry.records.values.filter { record in
            guard record.ended == nil else { return false }
            return
                switch record.owner
            {
            case .detached: false
            case .driver(let id): drivers[id] == nil
            case .actor(let id): registry.records[id].map { $0.ended != nil } ?? true
            }
        }
        endActors(orphans.map(\.id), because: .ownerDied)
    }

    /// Removes what workers that are gone wrote, as far as a former supervisor could not.
    private func sweepStderr() {
        let used = Set(pool.workers.values.map(\.identity.serial))
        for name in RuntimeDirectory.entries(of: layout.stderr) {
            if let serial = UInt64(name), !used.contains(serial) { unlink(layout.stderrFile(serial)) }
        }
    }

    /// Removes the directories of shards that no record names: their actors ended while nobody could remove them.
    private func sweepShards() {
        let used = Set(registry.records.values.map(\.shard))
        for name in RuntimeDirectory.entries(of: layout.shards) {
            if let number = ShardNumber(name), !used.contains(number) {
                RuntimeDirectory.remove(layout.shard(number))
            }
        }
    }
}
