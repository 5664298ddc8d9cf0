internal import CBOR
internal import Distributed
internal import DurableCore
internal import DurableProcess
internal import DurableStore
internal import DurableSupervisor
internal import DurableTransport
internal import Glibc

/// Hosts a shard in its worker process: takes it, gives calls to its actors, commits what they change, and only then
/// lets their replies go.
///
/// A dedicated actor is alone in its shard and is built before the first call; shared ones are built when they are
/// called.
// SAFETY: everything but the constants is used on `loop`'s thread only; `assertOnLoop` checks at each entrance.
final class WorkerHost: @unchecked Sendable {
    /// A reply that waits at the output gate.
    struct HeldReply: Sendable {
        let actor: ActorHost
        let call: InboundCall
        let outcome: CallOutcome
        /// Whether the call's record is stored, or is with what is held.
        var isRecorded = false
        /// Whether the outcome is that of a record: it was stored before.
        var isFromRecord = false
        /// Records of other actors that are needed no more once this is stored.
        var released: [ActorID: [CallKey]] = [:]
    }

    let assignment: Assignment
    let loop: EventLoop
    let link: SupervisorLink
    let isRehearsal: Bool
    private let listenerDescriptor: Int32
    private let page: WorkerPage
    let notes: CallNotes
    /// Runs the turns of actors whose calls interleave.
    let prompt: PromptExecutor
    private let faults: FaultInjector
    private var hostedRuntime: ActorRuntime?
    private var listener: Listener?

    var store: ShardStore?
    /// How often the shard was opened in this process.
    private(set) var openings = 0
    /// The epoch that this process claimed last.
    var epoch: Epoch = 0
    var gate = OutputGate<HeldReply>()
    var actors: [ActorID: ActorHost] = [:]
    /// The shard's time, as first asked for since the last batch's end.
    private var batchTime: UInt64?
    var sessionConnections = SessionConnections()
    /// Calls to actors that the supervisor is being asked about.
    var unknown: [ActorID: [InboundCall]] = [:]
    var checks: [String: (type: any DurableActor.Type, methods: MethodCheck)] = [:]
    var isSweeping = false
    /// Whether the shard is going to be opened again.
    var isReopening = false
    var snapshots: SnapshotSchedule
    let started = ContinuousClock.now
    /// Calls that crashed earlier lives and must not run.
    var deadLetters: [Suspect: StoredDeadLetter] = [:]
    /// Actors of the group that must not be started in this life, and what their callers get.
    var refusals: [ActorID: ActorError] = [:]
    var expiry = ExpiryState()
    /// Replies that a fault holds back, in order; `nil` when there is none.
    var delayedReplies: [(call: InboundCall, reply: ReplyFrame)]?
    /// What was said when the shard could not be hosted.
    private var refusal: WorkerReport?

    /// - Parameter isRehearsal: Whether this is only practice, and the process may get a real assignment meanwhile.
    init(
        _ assignment: Assignment,
        listener: Int32,
        page: WorkerPage,
        loop: EventLoop,
        link: SupervisorLink,
        isRehearsal: Bool = false
    ) {
        self.isRehearsal = isRehearsal
        self.assignment = assignment
        listenerDescriptor = listener
        self.page = page
        notes = CallNotes(page)
        self.loop = loop
        prompt = PromptExecutor(loop)
        self.link = link
        faults = FaultInjector(assignment.configuration.faults, tally: assignment.configuration.faultTally)
        snapshots = SnapshotSchedule(interval: .seconds(assignment.configuration.snapshotIntervalSeconds))
    }

    /// The runtime that the hosted actors see.
    var runtime: ActorRuntime {
        guard let hostedRuntime else { preconditionFailure("the worker's runtime is used before the host has started") }
        return hostedRuntime
    }

    /// Whether its actors have anything stored.
    var isStored: Bool { assignment.record.options.durability.isStored }

    /// Whether stored state can be reached, or there is none.
    var isOpen: Bool { store != nil || !isStored }

    /// Whether many actors share this worker.
    var isShared: Bool { assignment.record.isGroup }

    /// Takes the shard and builds the actor; then calls are accepted.
    func start() {
        assertOnLoop()
        hostedRuntime = ActorRuntime(
            loop: loop,
            link: link,
            layout: RuntimeLayout(directory: assignment.directory),
            membership: .worker(self),
            executable: assignment.record.executable,
            taskWorkerIdleTime: .seconds(assignment.configuration.taskWorkerIdleSeconds),
            log: { WorkerMain.log($0) }
        )
        loop.setBatchEnd { [self] in flush() }
        notes.follow(loop, isRehearsal: isRehearsal)
        bringUp()
    }

    private func bringUp() {
        // A damaged file can be deadly; then it is the start that is to blame.
        let note = notes.begin(.start(assignment.record.id))
        defer { notes.end(note) }
        do throws(StoreError) {
            try takeShard()
            try remove(assignment.drops)
            try learnDeadLetters()
        } catch {
            return shardFailed(error)
        }
        guard !isShared else { return serve() }
        let record = assignment.record
        guard let actor = makeActor(ActorHost.Definition(record)) else {
            return refuse(.quarantined(message: "this executable has no actor type \(record.typeDescription)"))
        }
        // It is served when it is built.
        actor.build()
    }

    /// The host of an actor; `nil` when this executable has no such type.
    func makeActor(_ definition: ActorHost.Definition) -> ActorHost? {
        let name = definition.typeName
        let check: (type: any DurableActor.Type, methods: MethodCheck)
        if let known = checks[name] {
            check = known
        } else {
            guard let type = _typeByName(name) as? any DurableActor.Type else { return nil }
            check = (type, MethodCheck(typeName: name, groups: ConcurrencyGroups(type.concurrencyGroups)))
            checks[name] = check
        }
        let actor = ActorHost(definition, check.type, check.methods, in: self)
        actors[definition.id] = actor
        return actor
    }

    /// An actor is built. The only one of its shard is reachable from here on.
    func built(_ actor: ActorHost) {
        if !isShared, listener == nil { serve() }
        if isShared, actor.context?.wasRestarted == true { report(.memberServing(actor.id, assignment.incarnation)) }
    }

    /// Opens the shard and raises its epoch.
    func takeShard() throws(StoreError) {
        guard isStored else {
            // Nothing to own. Callers still have to tell this life from earlier ones, and the incarnation would not
            // do: two lives may carry one number when a supervisor dies. The time since boot only grows.
            var time = timespec()
            clock_gettime(CLOCK_BOOTTIME, &time)
            epoch = UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
            return
        }
        let faults = faults
        let incarnation = assignment.incarnation
        passes(.workerBeforeOpen)
        let store = try ShardStore.open(
            directory: ShardLayout.directory(of: assignment.record.shard, in: assignment.directory),
            durability: assignment.record.options.durability,
            passes: { faults.passes($0, incarnation: incarnation) }
        )
        store.sessionLeaseMilliseconds = sessionLeaseMilliseconds
        showFaults(of: store)
        passes(.workerBeforeClaim)
        epoch = try store.claim(pid: getpid(), incarnation: incarnation)
        passes(.workerAfterClaim)
        self.store = store
        openings += 1
        if let notice = ShardNotice(directory: store.path).text {
            WorkerMain.log("\(assignment.record.typeDescription) \(assignment.record.id) \(notice)")
            report(.noticed(assignment.record.shard, incarnation, notice))
        }
        sweepSoon()
        resumeSnapshots()
        startExpiry()
    }

    /// The shard's time, up to a batch of the loop too old: for what only decides how long memory is kept.
    var roughTime: UInt64 {
        if let batchTime { return batchTime }
        let time = store?.now ?? 0
        batchTime = time
        return time
    }

    /// The batch is over: time is asked for again.
    func forgetTime() { batchTime = nil }

    /// How long the records of a session are kept after its last change.
    var sessionLeaseMilliseconds: UInt64 { assignment.configuration.sessionLeaseMilliseconds }

    /// A fault point of this worker.
    func passes(_ point: FaultPoint) { faults.passes(point, incarnation: assignment.incarnation) }

    /// Counts turns where the supervisor sees them, also after this process's death.
    func count(turns: Int) { page.addTurnsCompleted(UInt64(turns)) }

    func assertOnLoop() {
        precondition(loop.isCurrent, "a worker's host was used off its loop")
    }

    /// Ends what was only a rehearsal.
    func retire() {
        assertOnLoop()
        runtime.forgetDecoder()
        runtime.calls.stop(ActorError(.runtimeStopped, "the rehearsal is over"))
        listener?.close()
        store?.close()
        store = nil
    }

    private func serve() {
        passes(.workerBeforeServing)
        let listener = Listener(adopting: listenerDescriptor)
        self.listener = listener
        do {
            try listener.accept(
                on: loop,
                hello: { [self] in
                    let record = assignment.record
                    let greeting = HostGreeting(actor: record.id, incarnation: assignment.incarnation, epoch: epoch)
                    return Hello(role: ConnectionRole.host.rawValue, info: greeting.encoded())
                },
                limits: FrameLimits(),
                onConnection: { [self] connection in
                    guard connection.peerHello?.role == ConnectionRole.caller.rawValue else { return nil }
                    return ConnectionHandler(
                        opened: { _ in },
                        received: { [self] connection, frame, _ in received(frame, on: connection) },
                        closed: { _, _ in }
                    )
                }
            )
        } catch {
            WorkerMain.fail("calls cannot be accepted: \(error.message)")
        }
        report(.serving(assignment.record.shard, assignment.incarnation, epoch))
    }
}

/// What the supervisor is told.
extension WorkerHost {
    /// The shard, or the only actor in it, cannot live. The supervisor ends this process.
    func refuse(_ cause: DeathCause) {
        let record = assignment.record
        WorkerMain.log("\(record.typeDescription) \(record.id) cannot be hosted: \(cause)")
        refusal = .refused(record.shard, assignment.incarnation, cause)
        repeatRefusal()
    }

    /// Says again that the shard cannot be hosted: the next supervisor has not heard of it.
    func repeatRefusal() {
        assertOnLoop()
        if let refusal { report(refusal) }
    }

    /// An actor cannot live. Alone in its worker it ends with it; shared, the others go on.
    func refused(_ actor: ActorHost, _ cause: DeathCause) {
        guard isShared else { return refuse(cause) }
        let type = actor.definition.typeDescription
        WorkerMain.log("\(type) \(actor.id) cannot be hosted: \(cause)")
        actor.refuse(CallerChannel.diedError(actor: actor.id, type: type, cause: cause, restarts: 0))
        report(.memberRefused(actor.id, cause))
    }

    /// The shard belongs to somebody else: nothing that this process knows counts any more.
    func fenced(_ error: StoreError) -> Never {
        WorkerMain.log("\(error)")
        exit(WorkerExitCode.fenced)
    }

    /// Stored state could not be read in the middle of a turn, which must not go on.
    func unreadable(_ error: StoreError, _ actor: ActorHost) -> Never {
        switch error.code {
        case .fenced: fenced(error)
        case .full, .failed: WorkerMain.fail("stored state cannot be read: \(error)")
        case .unreadable: break
        }
        refused(actor, .quarantined(message: error.description))
        guard isShared else {
            // The supervisor ends this process; the turn stays where it is.
            while true { pause() }
        }
        // The others are served by the next worker, which is told that this one is refused.
        usleep(100_000)
        WorkerMain.fail("stored state of \(actor.id) cannot be read: \(error)")
    }

    /// The shard cannot be opened or claimed.
    func shardFailed(_ error: StoreError) {
        switch error.code {
        case .unreadable: refuse(.quarantined(message: error.description))
        case .fenced: fenced(error)
        case .full, .failed:
            // A first life has nothing to lose and tells its creator. Later ones wait for the disk: its faults are not
            // to use up the restarts, after which there would be no actor left for the state.
            guard assignment.incarnation > 1 else { WorkerMain.fail("the shard cannot be opened: \(error)") }
            WorkerMain.log("the shard cannot be opened, the next attempt is in half a second: \(error)")
            store?.close()
            store = nil
            loop.schedule(after: .milliseconds(500)) { [self] in bringUp() }
        }
    }

    func report(_ report: WorkerReport) {
        guard let payload = try? CBOREncoder().encode(report) else { return }
        // Without a supervisor nobody needs to know; the next one asks.
        _ = link.send(Frame(kind: FrameKind.report, payload: payload))
    }
}
