import DurableCore
import DurableStore

/// A call that arrived at a worker, and who wants its outcome.
final class InboundCall: Sendable {
    let frame: CallFrame
    let operation: Operation
    let fingerprint: UInt32
    let lane: Int
    // SAFETY: a simulated history runs on one thread.
    nonisolated(unsafe) var callers: [(link: SimulatedLink, sequence: UInt64)]
    // SAFETY: as above.
    nonisolated(unsafe) var isCancelled = false
    // SAFETY: as above.
    nonisolated(unsafe) var isRunning = false

    init(_ frame: CallFrame, _ operation: Operation, lane: Int, from link: SimulatedLink) {
        self.frame = frame
        self.operation = operation
        self.lane = lane
        fingerprint = frame.fingerprint
        callers = [(link, frame.id.sequence)]
    }
}

/// A worker process with one actor in it: the driver of mailbox, output gate and records, as `ActorHost` and
/// `WorkerHost` are.
final class SimulatedWorker {
    enum Phase { case assigned, serving, dead }

    struct HeldReply: Sendable {
        var call: InboundCall
        var outcome: CallOutcome
        var isRecorded: Bool
        var isFromRecord = false
    }

    unowned let world: World
    /// The number of its process.
    let number: Int
    let shard: SimulatedShard
    let incarnation: Incarnation
    /// The socket that it accepts at.
    let socket: Int
    let plan: Scenario.Plan
    /// Calls of which the supervisor says that they crashed former lives too often.
    let orders: [DeadLetterOrder]

    var phase = Phase.assigned
    var thawsAt: UInt64 = 0
    /// What it does when it thaws.
    private var held: [(SimulatedWorker) -> Void] = []
    /// When it last gave a sign of life.
    var sign: UInt64 = 1
    /// Whether the supervisor has given it up without ending it.
    var isAbandoned = false
    /// What the supervisor ended it for.
    var verdict: DeathCause?
    var cause: DeathCause?
    var isProductive = false
    /// When its last supervisor went; `nil` while it has one.
    var orphanedAt: UInt64?

    var fence: Fence
    var clock: ShardClock
    var deadLetters: [CallID: StoredDeadLetter] = [:]
    var mailbox: Mailbox<InboundCall>
    var open: [CallName: InboundCall] = [:]
    var sessions: [SessionID: SessionProgress] = [:]
    var sessionConnections = SessionConnections()
    var gate = OutputGate<HeldReply>()
    /// The actor's state in memory.
    var count: UInt64 = 0
    var generation = 0
    var isFlushPlanned = false
    var scene = CrashScene()
    var jobs: UInt64 = 0

    init(
        _ number: Int,
        for shard: SimulatedShard,
        _ incarnation: Incarnation,
        socket: Int,
        _ plan: Scenario.Plan,
        orders: [DeadLetterOrder],
        in world: World
    ) {
        self.world = world
        self.number = number
        self.shard = shard
        self.incarnation = incarnation
        self.socket = socket
        self.plan = plan
        self.orders = orders
        mailbox = Mailbox(limits: plan.lanes)
        fence = Fence(after: nil, pid: 0, incarnation: 0)
        clock = ShardClock(at: world.reading)
    }

    var isAlive: Bool { phase != .dead }
    var isFrozen: Bool { thawsAt > world.now }
    var identity: WorkerIdentity {
        WorkerIdentity(pid: Int32(number), startTime: UInt64(number), serial: UInt64(number))
    }

    /// Plans something that this process does: not before it thaws, and never when it is dead.
    func after(_ delay: UInt64, _ body: @escaping (SimulatedWorker) -> Void) {
        world.after(delay) { [self] in
            guard isAlive else { return }
            guard !isFrozen, held.isEmpty else {
                if held.isEmpty { thawLater() }
                return held.append(body)
            }
            sign = world.now
            body(self)
        }
    }

    private func thawLater() { world.at(thawsAt) { [self] in thaw() } }

    /// What came while it was frozen happens in the order in which it came, however often it was frozen meanwhile.
    private func thaw() {
        guard !isFrozen else { return thawLater() }
        sign = world.now
        var next = 0
        while next < held.count, isAlive {
            held[next](self)
            next += 1
        }
        held = []
    }

    // MARK: Life

    /// It was told what it is to host.
    func start() {
        if world.crashes(self, .crashInStart) { return }
        (fence, clock) = shard.claim(process: number, incarnation: incarnation, world.reading)
        world.note(.claims, UInt64(number), fence.epoch, incarnation)
        scene.notes = [CrashScene.Note(.start(shard.actor), job: 0)]
        if world.crashes(self, .crashInStart) { return }
        learnDeadLetters()
        guard isAlive else { return }
        deadLetters = shard.deadLetters.filter { $0.value.method == nil }
        count = shard.count
        after(world.random.number(50...800)) { worker in
            if worker.world.crashes(worker, .crashInStart) { return }
            worker.scene.notes = []
            worker.phase = .serving
            worker.world.note(.serves, UInt64(worker.number), worker.fence.epoch, 0)
            worker.world.served(worker)
            worker.acceptSome()
            worker.sweepLater()
        }
    }

    private func learnDeadLetters() {
        guard !orders.isEmpty else { return }
        commit(orders.map { WriteSet(actor: $0.actor, changes: [.deadLetter($0.call, StoredDeadLetter($0))]) })
    }

    /// Commits, and says whether it did; a worker that has lost its shard ends.
    @discardableResult
    func commit(_ sets: [WriteSet]) -> Bool {
        let time = CommitTime(now: clock.advance(to: world.reading), refresh: world.scenario.leaseMilliseconds / 8)
        do throws(ShardRefusal) {
            fence = try shard.commit(sets, by: fence, process: number, at: time)
            world.note(.commits, UInt64(number), fence.epoch, fence.version)
            return true
        } catch {
            world.bites(.zombieCommit)
            lostItsShard()
            return false
        }
    }

    func lostItsShard() {
        world.note(.fenced, UInt64(number), fence.epoch, shard.fence?.epoch ?? 0)
        world.end(self, .fenced)
    }

    /// A caller refuses it.
    func superseded(by epoch: Epoch) {
        guard epoch > fence.epoch, !shard.isOwned(by: fence) else { return }
        world.bites(.refusedOwner)
        lostItsShard()
    }

    private func sweepLater() {
        let period = max(1, min(world.scenario.leaseMilliseconds / 8, 30_000)) * 1_000
        after(period) { worker in
            worker.flush()
            guard worker.isAlive else { return }
            worker.sweep()
            if worker.isAlive, !worker.world.isOver { worker.sweepLater() }
        }
    }

    private func sweep() {
        let lease = world.scenario.leaseMilliseconds
        let now = clock.advance(to: world.reading)
        do throws(ShardRefusal) {
            let gone = try shard.sweep(by: fence, clock, age: lease + lease / 8)
            for session in gone.sessions { sessions[session] = nil }
            if gone.records > 0 {
                world.bites(.swept)
                world.note(.expires, UInt64(number), UInt64(gone.records), UInt64(gone.sessions.count))
            }
            let forgotten = now - min(now, lease)
            sessions = sessions.filter { $0.value.lastSeen >= forgotten }
        } catch {
            world.bites(.zombieCommit)
            lostItsShard()
        }
    }
}
