import DurableChaos
import DurableCore

/// A machine with everything on it, in virtual time: what happens next is the seed's choice alone.
///
/// What decides is the product's own: callers' channels, mailboxes, gates, completion rules, fences, clocks, slots,
/// restart policies, suspects and the registry. What acts is simulated here: processes, sockets, disks and time.
final class World {
    let scenario: Scenario
    let oracle: Oracle
    var random: SeededGenerator
    /// Microseconds since the history's beginning.
    private(set) var now: UInt64 = 0
    private(set) var trace: Trace
    private(set) var bitten: [Fault: Int] = [:]
    private var queue = EventQueue()
    /// Whether nothing goes wrong any more.
    private(set) var isHealed = false
    var isOver = false

    // The machine.
    private(set) var boot = BootID(high: 3, low: 1)
    private var bootedAt: UInt64 = 0
    private var wallOffset: Int64 = 1_700_000_000_000

    var drivers: [SimulatedDriver] = []
    var driversMade = 0
    var supervisor: SimulatedSupervisor?
    var isSupervisorComing = false
    var disk = RegistryDisk()
    var shards: [ShardNumber: SimulatedShard] = [:]
    /// All workers that live.
    var workers: [SimulatedWorker] = []
    var workersMade = 0
    var links: [SimulatedLink] = []
    var linksMade = 0
    var socketsMade = 0
    var actorsMade = 0
    /// Actors of which a caller was told, and that are to be there whoever dies.
    var toldOf: Set<ActorID> = []
    var requests: [PendingRequest] = []
    var callsLeft: Int
    /// Operations of calls with a key, by actor and key.
    var keyedOperations: [CallKey: (Operation, Deduplication)] = [:]
    var plansByActor: [ActorID: Int] = [:]
    var reboots = 0
    var supervisorCrashes = 0
    var requestsMade = 0

    init(seed: UInt64, keeping lines: Int) {
        random = SeededGenerator(seed: seed)
        scenario = Scenario(&random)
        trace = Trace(keeping: lines)
        callsLeft = scenario.callCount
        var moment: () -> UInt64 = { 0 }
        oracle = Oracle { moment() }
        oracle.keepsOrder = scenario.odds[Scenario.Chance.diskFull.rawValue] == 0
        moment = { [unowned self] in now }
        oracle.run = { [unowned self] in boot }
    }

    // MARK: Time

    func after(_ delay: UInt64, _ body: @escaping () -> Void) { queue.plan(at: now + delay, body) }

    func at(_ time: UInt64, _ body: @escaping () -> Void) { queue.plan(at: max(now, time), body) }

    var duration: Duration { .microseconds(Int64(now)) }

    var bootMilliseconds: UInt64 { 1_000 + (now - bootedAt) / 1_000 }

    var reading: ClockReading {
        ClockReading(
            boot: boot,
            bootMilliseconds: bootMilliseconds,
            wallMilliseconds: wallOffset + Int64(now / 1_000)
        )
    }

    func setClock() {
        wallOffset += Int64(random.number(0...20_000)) - 10_000
        bites(.clockSet)
        note(.clockIsSet, 0, 0, 0)
    }

    func bootsAnew() {
        boot = BootID(high: 3, low: boot.low + 1)
        bootedAt = now
        reboots += 1
        note(.boots, boot.low, 0, 0)
    }

    /// Runs until a moment, or until nothing is planned any more, or something that must not be was seen.
    func run(until end: UInt64, orUntil isDone: () -> Bool) {
        while let next = queue.nextTime, next <= end, oracle.violations.isEmpty, !isDone() {
            guard let (time, body) = queue.next() else { return }
            now = time
            body()
        }
    }

    /// Lets go of everything, as much of it points at each other.
    func dismantle() {
        for driver in drivers { driver.die() }
        supervisor?.die()
        supervisor = nil
        (drivers, workers, links, requests) = ([], [], [], [])
        queue = EventQueue()
    }

    // MARK: Chance and trace

    func note(_ what: Trace.What, _ first: UInt64, _ second: UInt64, _ third: UInt64) {
        trace.add(what, at: now, first, second, third)
    }

    func bites(_ fault: Fault, times: Int = 1) { bitten[fault, default: 0] += times }

    /// Whether something goes wrong now.
    func roll(_ chance: Scenario.Chance) -> Bool {
        let odds = scenario.odds[chance.rawValue]
        return !isHealed && odds > 0 && random.oneIn(odds)
    }

    func latency() -> UInt64 {
        guard roll(.delay) else { return random.number(10...150) }
        bites(.messageDelayed)
        return random.number(500...60_000)
    }

    func heal() {
        isHealed = true
        note(.heals, 0, 0, 0)
    }

    // MARK: Deaths of workers

    /// Whether the worker dies at this point of its work.
    func crashes(_ worker: SimulatedWorker, _ point: Fault) -> Bool {
        guard roll(.crash) else { return false }
        bites(point)
        if random.oneIn(3) { crash(worker) } else { end(worker, .signal(number: 9)) }
        return true
    }

    /// It ends itself: what it was doing is to blame.
    func crash(_ worker: SimulatedWorker) {
        // Of one that was given up nobody hears, unless the next supervisor did not know that.
        if !worker.isAbandoned || supervisor?.hears(of: worker) == true { oracle.crashed(worker.scene.blamed) }
        end(worker, .signal(number: 11))
    }

    func end(_ worker: SimulatedWorker, _ cause: DeathCause) {
        guard worker.isAlive else { return }
        worker.phase = .dead
        worker.cause = cause
        workers.removeAll { $0 === worker }
        note(.dies, UInt64(worker.number), worker.incarnation, UInt64(worker.scene.notes.count))
        for link in links where link.worker === worker { link.peerEnded() }
        dropSockets()
        // The kernel takes its time until it tells.
        after(random.number(50...20_000)) { [self] in supervisor?.exited(worker) }
    }

    // MARK: Sockets

    func connect(_ channel: SimulatedChannel) -> SimulatedLink? {
        guard let socket = socket(of: channel.shard) else { return nil }
        linksMade += 1
        let link = SimulatedLink(linksMade, of: channel, at: socket, in: self)
        links.append(link)
        for worker in workers where worker.socket == socket && worker.phase == .serving { worker.accept(link) }
        return link
    }

    func forget(_ link: SimulatedLink) { links.removeAll { $0 === link } }

    func backlog(of socket: Int) -> [SimulatedLink] { links.filter { $0.isWaiting && $0.socket == socket } }

    /// The binding that the shard's address has now.
    var addresses: [ShardNumber: Int] = [:]

    func bind(_ shard: ShardNumber) -> Int {
        socketsMade += 1
        addresses[shard] = socketsMade
        return socketsMade
    }

    func unbind(_ shard: ShardNumber) {
        addresses[shard] = nil
        dropSockets()
    }

    private func socket(of shard: ShardNumber) -> Int? { addresses[shard].flatMap { isHeld($0) ? $0 : nil } }

    private func isHeld(_ socket: Int) -> Bool {
        supervisor?.holds(socket) == true || workers.contains { $0.socket == socket }
    }

    /// Whoever waits at a socket that no process has any more sees that.
    func dropSockets() {
        for link in links where link.isWaiting && !isHeld(link.socket) { link.peerEnded() }
    }
}

/// What the supervisor has stored.
struct RegistryDisk {
    var records: [ActorID: ActorRecord] = [:]
    var drivers: Set<DriverID> = []
    var nextShard: ShardNumber = 1
}

/// Something that a driver asks until a supervisor has answered.
struct PendingRequest {
    let driver: SimulatedDriver
    let number: Int
    let ask: (SimulatedSupervisor) -> Void
}
