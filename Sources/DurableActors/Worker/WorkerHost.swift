internal import CBOR
internal import Distributed
internal import DurableCore
internal import DurableProcess
internal import DurableStore
internal import DurableSupervisor
internal import DurableTransport
internal import Glibc

/// Hosts one actor in its worker process: takes the shard, builds the actor, runs its calls one at a time, commits
/// what they change, and only then lets their replies go.
// SAFETY: everything but the constants is used on `loop`'s thread only; `assertOnLoop` checks at each entrance.
final class WorkerHost: @unchecked Sendable {
    /// A reply that waits at the output gate.
    struct HeldReply: Sendable {
        let call: InboundCall
        let outcome: CallOutcome
    }

    let actor: ActorID
    let assignment: Assignment
    let loop: EventLoop
    private let listenerDescriptor: Int32
    private let page: WorkerPage
    private let link: SupervisorLink
    let faults: FaultInjector

    var runtime: ActorRuntime?
    var type: (any DurableActor.Type)?
    var store: ShardStore?
    var activation: Activation?
    /// The epoch that this process claimed last.
    var epoch: Epoch = 0
    /// Calls that arrived while the shard was being opened again.
    var parked: [InboundCall] = []
    /// Grows when the activation is dropped: a turn of an earlier one commits nothing.
    var generation = 0
    var mailbox = Mailbox<InboundCall>()
    var gate = OutputGate<HeldReply>()
    var open: [CallID: InboundCall] = [:]
    /// How far each session has come that has called in this life.
    var sessions: [SessionID: SessionProgress] = [:]
    var methods: MethodCheck
    var isSweeping = false
    private var listener: Listener?
    private var constructing = false

    init(_ assignment: Assignment, listener: Int32, page: WorkerPage, loop: EventLoop, link: SupervisorLink) {
        actor = assignment.record.id
        self.assignment = assignment
        listenerDescriptor = listener
        self.page = page
        self.loop = loop
        self.link = link
        faults = FaultInjector(assignment.configuration.faults)
        methods = MethodCheck(typeName: assignment.record.typeName)
    }

    /// Takes the shard and builds the actor; then calls are accepted.
    func start() {
        assertOnLoop()
        let runtime = ActorRuntime(
            loop: loop,
            link: link,
            layout: RuntimeLayout(directory: assignment.directory),
            membership: .worker(self),
            executable: assignment.record.executable
        )
        self.runtime = runtime
        guard let type = _typeByName(assignment.record.typeName) as? any DurableActor.Type else {
            let name = assignment.record.typeDescription
            refuse(.quarantined(message: "this executable has no actor type \(name)"))
            return
        }
        self.type = type
        loop.setBatchEnd { [self] in flush() }
        // Ends with the process, or when the actor is built.
        Task(executorPreference: loop) { [self] in
            do {
                try takeShard()
                try await build()
                try serve()
            } catch let error as StoreError {
                storeFailedAtStart(error)
            } catch {
                refuse(.constructorThrew(message: "\(error)"))
            }
        }
    }

    /// Whether an instance of this type is being made for this host.
    func isConstructing(_ type: any DistributedActor.Type) -> Bool {
        constructing && self.type.map { ObjectIdentifier($0) == ObjectIdentifier(type) } == true
    }

    /// Makes finished turns durable before the running one shows anything to the outside.
    /// - Throws: When they cannot be stored: what the running turn has seen is not true then.
    func flushFinishedTurns() async throws(ActorError) {
        // A call may come from a task that left the loop; the flush itself must run there.
        let isSound = await withCheckedContinuation { continuation in
            let flushAndLook: @Sendable () -> Void = { [self] in
                flush()
                continuation.resume(returning: activation != nil || constructing)
            }
            if loop.isCurrent { flushAndLook() } else { loop.execute(flushAndLook) }
        }
        guard isSound else {
            let message = "an earlier change could not be stored, so this turn may not show what it has seen"
            throw ActorError(.storageFailed, message, actor: actor)
        }
    }

    /// Commits what the running turn has changed so far, and the turns that had finished before.
    func checkpoint() async throws {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            let commit: @Sendable () -> Void = { [self] in
                continuation.resume(with: Result { try commitRunningTurn() })
            }
            if loop.isCurrent { commit() } else { loop.execute(commit) }
        }
    }

    private func commitRunningTurn() throws {
        guard let activation, !constructing else {
            throw ActorError(.storageFailed, "there is no state to commit: the actor is being built", actor: actor)
        }
        let changes: [WriteSet.Change]
        do {
            changes = try activation.takeChanges()
        } catch {
            throw ActorError(.serialization, "what changed cannot be encoded", actor: actor, cause: "\(error)")
        }
        if !changes.isEmpty { gate.hold(WriteSet(actor: actor, changes: changes), reply: nil) }
        flush()
        guard self.activation === activation else {
            throw ActorError(.storageFailed, "the changes could not be stored; nothing was changed", actor: actor)
        }
    }

    /// Opens the shard and raises its epoch.
    func takeShard() throws(StoreError) {
        let faults = faults
        let incarnation = assignment.incarnation
        let store = try ShardStore.open(
            directory: ShardLayout.directory(of: assignment.record.shard, in: assignment.directory),
            durability: assignment.record.options.durability,
            beforeCommit: { faults.passes(.workerInsideCommit, incarnation: incarnation) }
        )
        faults.passes(.workerBeforeClaim, incarnation: incarnation)
        epoch = try store.claim(pid: getpid(), incarnation: incarnation)
        if let history = assignment.record.options.history { store.history[actor] = history }
        self.store = store
    }

    /// Runs the constructor and overlays the stored state, or stores the first one.
    func build() async throws {
        guard let runtime, let type else { return }
        constructing = true
        let activation: Activation
        do {
            activation = try await Activation.construct(
                type,
                assignment.record.arguments,
                actor: actor,
                runtime: runtime
            )
        } catch {
            constructing = false
            throw error
        }
        constructing = false
        try install(activation, runtime)
    }

    /// Puts the stored state into a new instance, which takes the calls from here on.
    private func install(_ activation: Activation, _ runtime: ActorRuntime) throws {
        guard let store else { return }
        faults.passes(.workerBeforeRestore, incarnation: assignment.incarnation)
        let access = StateAccess(store, runtime.decoder, actor: actor) { [self] error in unreadable(error) }
        if let stored = try store.load(actor) {
            try activation.restore(stored.fields, access)
        } else {
            activation.begin(access)
            let first = WriteSet(actor: actor, changes: try activation.takeChanges())
            let record = assignment.record
            let stored = StoredActor(
                type: record.typeDescription,
                typeName: record.typeName,
                name: record.options.name
            )
            try store.register(actor, as: stored, state: first)
            activation.committed()
        }
        faults.passes(.workerAfterRestore, incarnation: assignment.incarnation)
        self.activation = activation
        sweepSoon()
    }

    /// Tells the supervisor that the actor cannot live; the supervisor ends this process.
    func refuse(_ cause: DeathCause) {
        WorkerMain.log("\(assignment.record.typeDescription) \(actor) cannot be hosted: \(cause)")
        report(.refused(assignment.record.shard, assignment.incarnation, cause))
    }

    /// Stored state could not be read in the middle of a turn, which must not go on.
    private func unreadable(_ error: StoreError) -> Never {
        switch error.code {
        case .fenced: fenced(error)
        case .full, .failed: WorkerMain.fail("stored state cannot be read: \(error)")
        case .unreadable: break
        }
        refuse(.quarantined(message: error.description))
        // The supervisor ends this process; the turn stays where it is.
        while true { pause() }
    }

    /// The shard belongs to somebody else: nothing that this process knows counts any more.
    func fenced(_ error: StoreError) -> Never {
        WorkerMain.log("\(error)")
        exit(WorkerExitCode.fenced)
    }

    /// Counts turns where the supervisor sees them, also after this process's death.
    func count(turns: Int) { page.addTurnsCompleted(UInt64(turns)) }

    func assertOnLoop() {
        precondition(loop.isCurrent, "a worker's host was used off its loop")
    }

    private func serve() throws(TransportError) {
        let listener = Listener(adopting: listenerDescriptor)
        self.listener = listener
        try listener.accept(
            on: loop,
            hello: { [self] in
                let greeting = HostGreeting(actor: actor, incarnation: assignment.incarnation, epoch: epoch)
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
        report(.serving(assignment.record.shard, assignment.incarnation, epoch))
    }

    private func storeFailedAtStart(_ error: StoreError) {
        switch error.code {
        case .unreadable: refuse(.quarantined(message: error.description))
        case .fenced: fenced(error)
        case .full, .failed: WorkerMain.fail("the shard cannot be opened: \(error)")
        }
    }

    private func report(_ report: WorkerReport) {
        guard let payload = try? CBOREncoder().encode(report) else { return }
        // Without a supervisor nobody needs to know; the next one asks.
        _ = link.send(Frame(kind: FrameKind.report, payload: payload))
    }
}
