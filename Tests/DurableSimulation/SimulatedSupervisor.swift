import DurableCore

/// The driver of registry, slots and suspects, as `Supervisor` is.
final class SimulatedSupervisor {
    final class Hosted {
        var slot: Slot
        let actor: ActorID
        var worker: SimulatedWorker?
        var socket: Int?
        /// When its last life ended.
        var endedAt: UInt64?
        var isAwaited = false
        var isWanted = false
        var isHeldUp = false
        var waiters: [(Incarnation, () -> Void)] = []
        var suspects = SuspectCalls()
        var deadLetters: [DeadLetterOrder] = []
        var silence = SilenceWatch()

        init(_ slot: Slot, of actor: ActorID) {
            self.slot = slot
            self.actor = actor
        }
    }

    unowned let world: World
    let life: Int
    var isUp = true
    var registry: Registry
    var hosted: [ShardNumber: Hosted] = [:]
    /// Workers that are watched.
    var pool: [SimulatedWorker] = []
    var drivers: Set<DriverID>
    private var changed: [ActorID] = []
    private var removed: [ActorID] = []
    private var hasNewDrivers = false
    private var isPersistPlanned = false
    private var persistWaiters: [() -> Void] = []
    private var creations: [(record: ActorRecord, answer: (ActorRecord?) -> Void)] = []
    var strangers: [SimulatedWorker] = []
    var restartsHeldUp: [() -> Void] = []

    init(_ life: Int, in world: World) {
        self.world = world
        self.life = life
        let records = world.disk.records.values.sorted { $0.shard < $1.shard }
        registry = Registry(records: records, nextShard: world.disk.nextShard)
        drivers = world.disk.drivers
        world.note(.supervisorStarts, UInt64(life), UInt64(records.count), 0)
    }

    /// Plans something that this process does. It may die behind anything that it has done.
    func after(_ delay: UInt64, _ body: @escaping (SimulatedSupervisor) -> Void) {
        world.after(delay) { [self] in
            guard isUp else { return }
            body(self)
            if isUp, world.roll(.supervisorCrash) { world.crashSupervisor() }
        }
    }

    /// Its process is gone, with all that waited in it.
    func die() {
        isUp = false
        (hosted, pool, strangers) = ([:], [], [])
        (persistWaiters, creations, restartsHeldUp) = ([], [], [])
    }

    // MARK: What is stored

    var hasChanges: Bool { !changed.isEmpty || !removed.isEmpty || hasNewDrivers }

    func change(_ id: ActorID) {
        changed.append(id)
        persistSoon()
    }

    func persistSoon() {
        guard !isPersistPlanned else { return }
        isPersistPlanned = true
        after(world.random.number(20...1_500)) { $0.persist() }
    }

    func persist() {
        isPersistPlanned = false
        for id in removed { world.disk.records[id] = nil }
        for id in changed where !removed.contains(id) { world.disk.records[id] = registry.records[id] }
        world.disk.drivers = drivers
        world.disk.nextShard = registry.nextShard
        world.note(.persists, UInt64(changed.count), UInt64(removed.count), 0)
        (changed, removed, hasNewDrivers) = ([], [], false)
        let waiters = persistWaiters
        persistWaiters = []
        for waiter in waiters { waiter() }
    }

    // MARK: Drivers and their requests

    func joined(_ driver: SimulatedDriver) {
        guard drivers.insert(driver.id).inserted else { return }
        hasNewDrivers = true
        persistSoon()
    }

    func left(_ id: DriverID) {
        guard isUp, drivers.remove(id) != nil else { return }
        hasNewDrivers = true
        persistSoon()
        endActors(registry.owned(by: .driver(id)), because: .ownerDied)
    }

    func create(_ request: CreateRequest, answer: @escaping (ActorRecord?) -> Void) {
        guard case .driver(let owner) = request.owner, drivers.contains(owner) else { return answer(nil) }
        switch registry.create(request) {
        case .created(let record):
            world.note(.creates, record.shard, record.id.low, 0)
            creations.append((record, answer))
            after(world.random.number(10...60)) { $0.finishCreations() }
        case .existing(let record):
            if creations.contains(where: { $0.record.id == record.id }) {
                creations.append((record, answer))
                return
            }
            let hosted = hosting(record)
            if hosted.slot.state == .dormant { activate(hosted, record.shard) }
            answer(record)
        default:
            answer(nil)
        }
    }

    /// An actor that somebody has been told of survives everything from there on.
    private func finishCreations() {
        let created = creations
        creations = []
        changed += created.map(\.record.id)
        persist()
        for (record, answer) in created {
            activate(hosting(record), record.shard)
            answer(record)
        }
    }

    func locate(_ id: ActorID, lost: Incarnation?, _ answer: @escaping (ActorStatus) -> Void) {
        guard let record = registry.records[id] else { return answer(.unknown) }
        guard record.ended == nil else { return tell(record, answer) }
        let hosted = hosting(record)
        if let worker = hosted.worker, !worker.isAlive { exited(worker) }
        if hosted.slot.state == .dormant { activate(hosted, record.shard) }
        let isLost = lost == hosted.slot.incarnation && hosted.slot.isRunning
        guard hosted.worker != nil, isLost || hosted.slot.isEnding else { return tell(record, answer) }
        var isAnswered = false
        let reply: () -> Void = { [self] in
            guard !isAnswered else { return }
            isAnswered = true
            tell(record, answer)
        }
        hosted.waiters.append((hosted.slot.incarnation, reply))
        after(UInt64(Limits.deathConfirmationTimeout / .microseconds(1))) { _ in reply() }
    }

    /// Whoever was told of an end sees no supervisor that does not know of it.
    private func tell(_ record: ActorRecord, _ answer: @escaping (ActorStatus) -> Void) {
        let status = status(of: record)
        guard case .dead = status, hasChanges else { return answer(status) }
        persistWaiters.append { answer(status) }
        persistSoon()
    }

    private func status(of record: ActorRecord) -> ActorStatus {
        let slot = hosted[record.shard]?.slot
        let restarts = slot?.policy.restarts ?? 0
        let location = ActorLocation(record)
        switch slot?.state {
        case nil:
            guard let cause = registry.records[record.id]?.ended else { return .restarting(location) }
            return .dead(cause, typeDescription: "A", restarts: restarts)
        case .dormant, .backingOff, .starting: return .restarting(location)
        case .serving: return .alive(location, slot?.incarnation ?? 0)
        case .ending(let cause), .ended(let cause):
            return .dead(cause, typeDescription: "A", restarts: restarts)
        }
    }

    func hosting(_ record: ActorRecord) -> Hosted { hosted[record.shard] ?? host(record) }

    func host(_ record: ActorRecord) -> Hosted {
        let hosted = Hosted(Slot(policy: record.policy, incarnation: record.incarnation), of: record.id)
        if let cause = record.ended {
            hosted.slot = .ended(policy: record.policy, incarnation: record.incarnation, cause: cause)
        }
        self.hosted[record.shard] = hosted
        return hosted
    }

    func holds(_ socket: Int) -> Bool { isUp && hosted.values.contains { $0.socket == socket } }

    func endLife(of id: ActorID, _ answer: @escaping (Bool) -> Void) {
        guard let record = registry.records[id], record.ended == nil else { return answer(false) }
        let hosted = hosting(record)
        let action = hosted.slot.killLife(because: .killed)
        if case .killWorker = action, hosted.worker != nil || hosted.isHeldUp {
            hosted.waiters.append((hosted.slot.incarnation, { answer(true) }))
            world.bites(.lifeEnded)
        } else {
            answer(false)
        }
        perform(action, on: record.shard)
    }

    // MARK: What slots decide, done

    func activate(_ hosted: Hosted, _ shard: ShardNumber) {
        guard !hosted.isAwaited else {
            hosted.isWanted = true
            return
        }
        perform(hosted.slot.activate(now: world.duration), on: shard)
    }

    func perform(_ action: Slot.Action, on shard: ShardNumber) {
        guard let hosted = hosted[shard] else { return }
        switch action {
        case .none:
            break
        case .start:
            if hosted.socket == nil { hosted.socket = world.bind(shard) }
            after(world.random.oneIn(4) ? world.random.number(2_000...15_000) : world.random.number(50...500)) {
                $0.assign(shard)
            }
        case .wait(let delay, let incarnation):
            world.bites(.blocked)
            after(UInt64(delay / .microseconds(1))) { supervisor in
                guard let hosted = supervisor.hosted[shard] else { return }
                supervisor.perform(
                    hosted.slot.delayPassed(after: incarnation, now: supervisor.world.duration),
                    on: shard
                )
            }
        case .killWorker:
            kill(shard, hosted)
        case .announceEnd(let cause):
            end(shard, hosted, cause)
        }
        notify(hosted)
    }

    private func assign(_ shard: ShardNumber) {
        guard let hosted = hosted[shard], hosted.slot.isRunning, hosted.worker == nil, let socket = hosted.socket
        else { return }
        guard case .starting = hosted.slot.state else { return }
        let incarnation = hosted.slot.incarnation
        let worker = world.makeWorker(for: shard, hosted.actor, incarnation, socket, hosted.deadLetters)
        world.note(.assigned, UInt64(worker.number), shard, incarnation)
        hosted.worker = worker
        hosted.silence = SilenceWatch()
        pool.append(worker)
        let policy = hosted.slot.policy
        _ = registry.update(hosted.actor) {
            $0.incarnation = incarnation
            $0.worker = worker.identity
            $0.policy = policy
        }
        let options = world.scenario.plans[world.plansByActor[hosted.actor] ?? 0].options
        world.oracle.started(hosted.actor, options, after: hosted.endedAt)
        worker.after(world.random.number(30...600)) { $0.start() }
        change(hosted.actor)
        watchSilence(of: worker, shard)
    }

    private func watchSilence(of worker: SimulatedWorker, _ shard: ShardNumber) {
        guard let limit = registry.records[worker.shard.actor]?.options.unresponsiveLimit, !world.isOver else { return }
        after(UInt64(Limits.silenceLookInterval / .microseconds(1))) { supervisor in
            guard let hosted = supervisor.hosted[shard], hosted.worker === worker, worker.isAlive else { return }
            if !worker.isFrozen { worker.sign = supervisor.world.now }
            let signs = SilenceWatch.Signs(thread: worker.sign, process: worker.sign)
            if let cause = hosted.silence.look(signs, limit: limit, now: supervisor.world.duration) {
                supervisor.world.bites(.silent)
                supervisor.perform(hosted.slot.killLife(because: cause), on: shard)
            }
            supervisor.watchSilence(of: worker, shard)
        }
    }

    func served(_ worker: SimulatedWorker) {
        guard isUp, let hosted = hosted[worker.shard.number], hosted.worker === worker else { return }
        hosted.deadLetters = []
        hosted.suspects.started(hosted.actor)
        perform(hosted.slot.served(worker.incarnation, now: world.duration), on: worker.shard.number)
    }

    private func kill(_ shard: ShardNumber, _ hosted: Hosted) {
        if hosted.isHeldUp { return }
        guard let worker = hosted.worker else { return exitWithoutWorker(shard, hosted, .killed) }
        // Of one that is dead the kernel tells before anybody gives it up.
        guard hosted.slot.isEnding || !worker.isAlive || !world.roll(.abandon) else {
            // The worker stays alive and is replaced all the same, as if the kill had not worked.
            world.bites(.abandoned)
            world.note(.abandons, UInt64(worker.number), shard, 0)
            worker.isAbandoned = true
            pool.removeAll { $0 === worker }
            hosted.worker = nil
            if world.random.oneIn(2) {
                worker.thawsAt = max(worker.thawsAt, world.now + world.random.number(1_000...3_000_000))
            }
            world.endLater(worker)
            return exitWithoutWorker(shard, hosted, .unresponsive)
        }
        world.note(.kills, UInt64(worker.number), shard, 0)
        world.end(worker, .unresponsive)
    }

    func exitWithoutWorker(_ shard: ShardNumber, _ hosted: Hosted, _ cause: DeathCause) {
        let incarnation = hosted.slot.incarnation
        hosted.endedAt = world.now
        let action = hosted.slot.exited(
            incarnation,
            cause: cause,
            wasProductive: true,
            now: world.duration,
            jitter: 0.5
        )
        perform(action, on: shard)
    }

    func notify(_ hosted: Hosted) {
        let incarnation = hosted.slot.incarnation
        let isOver = !hosted.slot.isRunning && !hosted.slot.isEnding
        let due = hosted.waiters.filter { isOver || $0.0 != incarnation }
        hosted.waiters.removeAll { isOver || $0.0 != incarnation }
        for (_, answer) in due { answer() }
    }

    // MARK: Deaths

    func exited(_ worker: SimulatedWorker) {
        guard isUp, pool.contains(where: { $0 === worker }) || strangers.contains(where: { $0 === worker }) else {
            return
        }
        pool.removeAll { $0 === worker }
        world.note(.noticesDeath, UInt64(worker.number), worker.incarnation, 0)
        defer { strangerIsGone(worker) }
        guard let hosted = hosted[worker.shard.number], hosted.worker === worker else { return }
        hosted.worker = nil
        hosted.endedAt = world.now
        var cause = worker.cause ?? .unknown
        cause = investigate(worker, hosted, cause)
        let action = hosted.slot.exited(
            worker.incarnation,
            cause: cause,
            wasProductive: worker.isProductive,
            now: world.duration,
            jitter: Double(world.random.number(0...1_000)) / 1_000
        )
        perform(action, on: worker.shard.number)
        change(hosted.actor)
    }

    private func investigate(_ worker: SimulatedWorker, _ hosted: Hosted, _ cause: DeathCause) -> DeathCause {
        guard worker.incarnation == hosted.slot.incarnation, cause.isCrash, cause != .exit(code: 1),
            let lifetime = hosted.slot.lifetime(now: world.duration)
        else { return cause }
        let convictions = hosted.suspects.crashed(
            worker.scene.blamed,
            incarnation: worker.incarnation,
            lifetime: lifetime
        )
        var verdict = cause
        for conviction in convictions {
            switch conviction.suspect {
            case .call(let actor, let call):
                world.bites(.deadLettered)
                world.note(.convicts, worker.shard.number, call.sequence, 0)
                hosted.deadLetters.append(
                    DeadLetterOrder(
                        actor: actor,
                        call: call,
                        cause: cause,
                        incarnations: conviction.incarnations,
                        milliseconds: 0,
                        stderrTail: ""
                    )
                )
            case .start, .records:
                verdict = .quarantined(message: "it crashed \(conviction.incarnations.count) times")
            }
        }
        return verdict
    }

    private func end(_ shard: ShardNumber, _ hosted: Hosted, _ cause: DeathCause) {
        world.note(.endsActor, shard, hosted.actor.low, 0)
        switch cause {
        case .ownerDied: world.bites(.ownerDied)
        default: world.bites(.budgetUsed)
        }
        world.oracle.ended(hosted.actor, cause)
        hosted.socket = nil
        world.unbind(shard)
        let isKept = registry.records[hosted.actor].map { $0.owner == .detached && !cause.removesState } ?? false
        if !isKept && !cause.isQuarantine {
            removed += registry.end(hosted.actor, cause: cause)
            removed.append(hosted.actor)
        }
        endActors(registry.owned(by: .actor(hosted.actor)), because: .ownerDied)
        persistSoon()
    }

    func endActors(_ ids: [ActorID], because cause: DeathCause) {
        for record in ids.compactMap({ registry.records[$0] }) where record.ended == nil {
            world.oracle.ending.insert(record.id)
            perform(hosting(record).slot.end(because: cause), on: record.shard)
        }
    }
}
