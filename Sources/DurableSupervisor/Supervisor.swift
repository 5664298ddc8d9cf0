internal import CBOR
internal import DurableCore
internal import DurableProcess
internal import DurableTransport
internal import Glibc

/// The process that spawns, watches and restarts the workers of one data directory.
///
/// It never runs user code and is never on the path of a call. Everything here happens on its loop's thread; what to
/// do is decided by `Slot` and `Registry`, and done in the extensions: requests, slots, adoption, shutdown.
// SAFETY: every member is used on the loop's thread only, from its callbacks.
final class Supervisor: @unchecked Sendable {
    /// A shard, its decisions and its present worker.
    final class Hosted {
        var slot: Slot
        let actor: ActorID
        var worker: WorkerProcess?
        var listener: Listener?
        /// Whether a worker may return that was assigned in the last moment of a former supervisor.
        var isAwaited = false
        /// Whether it is to be started when that worker has not.
        var isWanted = false
        /// Whether its next life begins when no worker of a former supervisor can have it any more.
        var isHeldUp = false
        /// Answered once the incarnation or the state has changed.
        var waiters: [(Incarnation?, () -> Void)] = []
        /// Actors of a group that ended after its worker was assigned and before it served.
        var lateRemovals: [ActorID] = []
        /// What has crashed its workers. Lost with the supervisor: then counting starts again.
        var suspects = SuspectCalls()
        /// Calls that the next life must not run. From when that serves, its shard knows them.
        var deadLetters: [DeadLetterOrder] = []

        init(slot: Slot, actor: ActorID) {
            self.slot = slot
            self.actor = actor
        }
    }

    /// A driver that belongs to the runtime.
    final class Driver {
        let id: DriverID
        let handle: ProcessHandle
        let executable: String
        var connection: Connection?
        var watch: LoopWatch?

        init(id: DriverID, handle: ProcessHandle, executable: String) {
            self.id = id
            self.handle = handle
            self.executable = executable
        }
    }

    let configuration: SupervisorConfiguration
    let layout: RuntimeLayout
    let loop: EventLoop
    let store: RegistryStore
    let pool: WorkerPool
    let faults: FaultInjector
    var registry: Registry
    var hosted: [ShardNumber: Hosted] = [:]
    var drivers: [DriverID: Driver] = [:]
    /// Which actor holds what of the nodes, and who waits for what.
    var placement: Placement
    /// Where those are who created actors that were not placed yet.
    var callerNodes: [ActorID: String] = [:]
    /// Where the large values are that their constructors refer to.
    var localBytes: [ActorID: [String: Int]] = [:]
    /// Actors that hold something that no stored record tells of yet.
    var unstoredHoldings: Set<ActorID> = []
    var isPlacing = false
    /// Called when a placement group is created, or gone.
    var placementGroupWaiters: [PlacementGroupID: [() -> Void]] = [:]
    /// Shards that wait for a worker of their executable, oldest first.
    var waiting: [ShardNumber] = []
    var spawnFailures = 0
    /// Workers that a former supervisor has left and whose shards the registry does not tell, by process number.
    var strangers: Set<Int32> = []
    /// Restarts that wait until those are gone, or known.
    var restartsHeldUp: [() -> Void] = []
    /// Detached actors of groups that their worker could not host, and why.
    var refusedMembers: [ActorID: DeathCause] = [:]
    /// Actors that were created and are not stored yet, and who is told.
    var creations: [(record: ActorRecord, answer: @Sendable (SupervisorResponse) -> Void)] = []
    /// Answered once the rows of an actor of a group are gone.
    var removalWaiters: [ActorID: [() -> Void]] = [:]
    var changes = RegistryStore.Changes()
    /// When what has changed is stored at the latest; `nil` when nothing is scheduled.
    private var persistDue: Duration?
    var isAssignmentScheduled = false
    /// Told once what has changed so far is stored, or could not be.
    var persistWaiters: [() -> Void] = []
    /// Drivers that have left and wait for the end of what they owned.
    var leaveWaiters: [@Sendable (SupervisorResponse) -> Void] = []
    /// Above 0 while several actors are being ended, one by one: those that come next still seem to run.
    var endsInProgress = 0
    var isEnding = false
    var isSettled = false
    var listener: Listener?
    private let lock: Int32
    private let oomKills: OutOfMemoryCount

    init(_ configuration: SupervisorConfiguration, lock: Int32) throws {
        self.configuration = configuration
        self.lock = lock
        layout = RuntimeLayout(directory: configuration.directory)
        store = try RegistryStore(layout)
        let stored = try store.load()
        guard stored.nextShard != nil || RuntimeDirectory.entries(of: layout.shards).isEmpty else {
            throw ActorError(
                .directoryUnusable,
                "\(layout.shards) holds shards, but the registry in \(layout.supervisor) is empty or new; put its "
                    + "data.mdb back, or move the shards away to start fresh"
            )
        }
        try Self.checkShards(of: layout, stored.records, store)
        registry = Registry(records: stored.records, nextShard: stored.nextShard ?? 1)
        placement = Placement([configuration.head])
        loop = try EventLoop(name: "supervisor")
        let known = RuntimeDirectory.entries(of: layout.stderr).compactMap { UInt64($0) }
        let serial = (stored.records.compactMap { $0.worker?.serial } + known).max() ?? 0
        let faults = FaultInjector(configuration.worker.faults, tally: configuration.worker.faultTally)
        self.faults = faults
        store.passes = { faults.passes($0, incarnation: 0) }
        pool = WorkerPool(
            loop: loop,
            layout: layout,
            spares: configuration.spares,
            nextSerial: serial + 1,
            faults: faults
        )
        oomKills = OutOfMemoryCount()
        pool.handlers = WorkerPool.Handlers(
            ready: { [unowned self] in workerReady($0) },
            report: { [unowned self] in workerReported($0, $1, $2) },
            request: { [unowned self] in received($1, on: $0, from: nil) },
            exited: { [unowned self] in workerExited($0) }
        )
        loop.setBatchEnd { [unowned self] in finishCreations() }
        try restoreNodes()
        try restorePlacementGroups()
        restoreHoldings()
        recover(stored.drivers)
        forgetNodesIfUnused()
        sweepPlacementGroups()
        try listen()
    }

    /// A shard that no record names is a leftover and goes, unless the records are what is gone.
    private static func checkShards(
        of layout: RuntimeLayout,
        _ records: [ActorRecord],
        _ store: RegistryStore
    ) throws(ActorError) {
        let named = Set(records.map(\.shard))
        let shards = RuntimeDirectory.entries(of: layout.shards).compactMap { ShardNumber($0) }
        guard !shards.allSatisfy(named.contains), let damage = try store.damage() else { return }
        throw ActorError(
            .directoryUnusable,
            "the registry in \(layout.supervisor) is damaged: \(damage). The shards that it does not name are kept; "
                + "put a backup of its data.mdb back"
        )
    }

    /// Runs until the last driver and the last running actor are gone; then ends the process.
    func run() -> Never {
        scheduleHousekeeping()
        endSilentWorkers()
        loop.schedule(after: Limits.supervisorStartTimeout) { [self] in
            isSettled = true
            endIfUnused()
        }
        loop.run()
        exit(WorkerExitCode.finished)
    }

    /// The time as the pure parts want it: by a clock that goes on when this supervisor is replaced.
    var now: Duration {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }

    /// Milliseconds since 1970, for the ledger.
    var wallClockMilliseconds: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        let milliseconds = Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
        return milliseconds.addingReportingOverflow(LiveFaults.current.clockOffset).partialValue
    }

    /// Whether the kernel's out-of-memory killer has struck since the last look.
    func outOfMemoryStruck() -> Bool { oomKills.hasRisen() }

    /// Stores what has changed, now. Says so on stderr when it cannot, and goes on: running actors need no registry.
    @discardableResult
    func persist() -> ActorError? {
        let waiters = persistWaiters
        persistWaiters = []
        defer { for waiter in waiters { waiter() } }
        guard !changes.isEmpty else { return nil }
        do {
            faults.passes(.supervisorBeforeRegistryWrite, incarnation: 0)
            try store.write(changes, nextShard: registry.nextShard)
            faults.passes(.supervisorAfterRegistryWrite, incarnation: 0)
            changes = RegistryStore.Changes()
            return nil
        } catch {
            log("the registry could not be stored, it is tried again: \(error)")
            persistSoon(after: .seconds(1))
            return error
        }
    }

    /// Stores what has changed in a moment: off the path of a recovery, and together with what follows.
    func persistSoon(after delay: Duration = .milliseconds(2)) {
        let due = now + delay
        if let persistDue, persistDue <= due { return }
        persistDue = due
        loop.schedule(after: delay) { [self] in
            // One that came sooner has stored it.
            guard persistDue == due else { return }
            persistDue = nil
            persist()
        }
    }

    func log(_ message: String) {
        let line = "durable supervisor: \(message)\n"
        _ = line.withCString { write(2, $0, strlen($0)) }
    }

    private func listen() throws {
        let listener = try Listener.bind(path: layout.socket, replacing: true)
        self.listener = listener
        try listener.accept(
            on: loop,
            hello: { Hello(role: ConnectionRole.supervisor.rawValue, info: []) },
            limits: FrameLimits(),
            onConnection: { [unowned self] in accepted($0) }
        )
    }

    private func accepted(_ connection: Connection) -> ConnectionHandler? {
        guard let hello = connection.peerHello else { return nil }
        switch ConnectionRole(rawValue: hello.role) {
        case .driver: return driverHandler(hello)
        case .worker: return returningWorkerHandler(hello)
        case .observer: return observerHandler()
        default: return nil
        }
    }

    private func scheduleHousekeeping() {
        loop.schedule(after: .seconds(1)) { [self] in
            pool.trimStderr()
            oomKills.find()
            _ = OrphanReaper.reapOrphans(except: Set(pool.workers.keys))
            scheduleHousekeeping()
        }
    }
}
