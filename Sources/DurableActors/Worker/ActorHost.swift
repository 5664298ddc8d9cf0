internal import CBOR
internal import Distributed
internal import DurableCore
internal import DurableStore
internal import DurableTransport

/// One actor in its worker: builds it from what is stored, and runs its calls, as many at a time as it allows.
// SAFETY: everything but the constants is used on the worker's loop only; `assertOnLoop` checks at each entrance.
final class ActorHost: @unchecked Sendable {
    /// What makes an actor, from the registry's record or from its shard.
    struct Definition: Sendable {
        var id: ActorID
        var typeName: String
        var typeDescription: String
        var arguments: [UInt8]
        var options: ActorOptions
        /// The life of the worker before which the actor was made.
        var createdIn: Incarnation
        /// What it holds of its node's resources.
        var resources: [String: Double] = [:]
        /// The bundle of a placement group that they are of.
        var bundle: Placement.BundleName?

        var name: String? { options.name }

        init(_ record: ActorRecord) {
            id = record.id
            typeName = record.typeName
            typeDescription = record.typeDescription
            arguments = record.arguments
            options = record.options
            createdIn = record.group == nil ? 1 : record.incarnation
            resources = record.holding?.share.total.values ?? [:]
            bundle = record.holding?.bundle
        }

        /// - Parameter group: What options are when the shard does not say.
        init(_ id: ActorID, _ stored: StoredActor, group: ActorRecord) {
            self.id = id
            typeName = stored.typeName
            typeDescription = stored.type
            arguments = stored.arguments ?? []
            options = stored.options ?? group.options
            options.name = stored.name
            createdIn = stored.createdIn ?? 1
        }
    }

    /// Where the actor stands in this worker.
    enum State {
        /// No instance; the first call makes one. Becomes `building`.
        case unbuilt
        /// The constructor runs, or state is read. Becomes `ready`, `unbuilt` or `refused`.
        case building
        /// Calls run. Becomes `unbuilt` when its memory had to be dropped.
        case ready(Activation)
        /// It cannot live in this worker or was ended; its callers get this.
        case refused(ActorError)
    }

    let definition: Definition
    let type: any DurableActor.Type
    let methods: MethodCheck
    // SAFETY: the worker's host lives as long as its process.
    unowned(unsafe) let host: WorkerHost
    private(set) var state = State.unbuilt
    /// Grows when the instance is dropped: a turn of an earlier one commits nothing.
    private(set) var generation = 0
    var mailbox: Mailbox<InboundCall>
    /// Whether its calls never interleave.
    let isSerial: Bool
    /// Runs its turns.
    let turnExecutor: any TaskExecutor
    /// A turn ends, and what may begin then begins in its task.
    var isHandingOver = false
    /// What begins there, unless the instance is dropped before.
    var following: (call: InboundCall, generation: Int)?
    /// Calls that have no outcome yet, or whose outcome is not stored yet.
    var open: [CallName: InboundCall] = [:]
    /// Calls that arrived while there was no instance, in order.
    var parked: [InboundCall] = []
    /// The call that ends the actor once those before it have returned; those behind it are parked.
    var terminator: InboundCall?
    /// How far each session has come that has called in this life.
    var sessions: [SessionID: SessionProgress] = [:]
    /// How many records of calls with a key there are, once it has been counted.
    var keyedCount: Int?
    /// What its code can know of it; set before its constructor runs.
    private(set) var context: ActorContext?
    /// Whether its own code wants it to end.
    private(set) var isExiting = false

    init(_ definition: Definition, _ type: any DurableActor.Type, _ methods: MethodCheck, in host: WorkerHost) {
        self.definition = definition
        self.type = type
        self.methods = methods
        self.host = host
        let limits = methods.limits(of: definition.options)
        mailbox = Mailbox(limits: limits)
        isSerial = limits == [1]
        turnExecutor = isSerial ? host.loop : host.prompt
    }

    var id: ActorID { definition.id }

    /// The instance, when calls may run on it.
    var activation: Activation? {
        if case .ready(let activation) = state { activation } else { nil }
    }

    /// Whether the constructor is running.
    var isBuilding: Bool { if case .building = state { true } else { false } }

    /// Whether somebody waits for it.
    var hasWork: Bool { !parked.isEmpty || mailbox.count > 0 }

    /// Makes the instance, if there is none; then the calls that wait run.
    func build() {
        host.assertOnLoop()
        guard case .unbuilt = state, host.isOpen else { return }
        state = .building
        let generation = generation
        // Ends when the actor is built, or with the process.
        Task(executorPreference: host.loop) { [self] in
            let note = host.notes.begin(.start(id))
            let turn = startTurn()
            turn.begins()
            turn.noted(at: note)
            defer { host.notes.end(turn.takeNote()) }
            do {
                let activation = try await construct(in: turn)
                _ = turn.end()
                guard generation == self.generation else { return }
                try install(activation)
                begin(activation)
            } catch {
                guard generation == self.generation else { return }
                buildFailed(error)
            }
        }
    }

    /// Drops an instance whose memory may be ahead of the disk. It is built again by `build`.
    ///
    /// Turns that are open run on without effect. Some may wait for calls that come to another instance from now on, and
    /// never end: their callers are told at once.
    /// - Parameter error: What they are told.
    func drop(_ error: ActorError) {
        generation += 1
        switch state {
        case .refused: return
        case .unbuilt, .building, .ready: break
        }
        state = .unbuilt
        mailbox.pause()
        for call in open.values.filter(\.isRunning) { refuse(call, error) }
        guard let call = terminator else { return }
        terminator = nil
        if open.removeValue(forKey: call.frame.name) != nil { parked.insert(call, at: 0) }
    }

    /// Its own code wants it to end: what ends it now is that.
    func exits(_ turn: Turn) {
        host.assertOnLoop()
        isExiting = true
        // The turn never goes on, and nothing that happens from here on is its doing.
        host.notes.end(turn.takeNote())
    }

    /// It could not end: the turn goes on.
    func stays(_ turn: Turn) {
        host.assertOnLoop()
        isExiting = false
        turn.noted(at: host.notes.begin(turn.call.map { .call(id, $0.id) } ?? .start(id)))
    }

    /// The actor does not live here any more, for good: all who wait get this error.
    func refuse(_ error: ActorError) {
        generation += 1
        state = .refused(error)
        let waiting = Array(open.values) + parked
        parked = []
        mailbox = Mailbox()
        mailbox.pause()
        for call in waiting { refuse(call, error) }
    }

    /// What the constructor runs in.
    private func startTurn() -> Turn {
        let definition = definition
        let first = max(1, definition.createdIn)
        let incarnation = max(first, host.assignment.incarnation) - first + 1
        let values = ActorContext.Values(
            definition,
            node: host.assignment.record.holding?.node ?? NodeDeclaration.headName,
            incarnation: incarnation,
            wasRestarted: incarnation > 1 || generation > 0,
            // What cannot be read now cannot be restored either, and fails there.
            wasRestored: (try? host.store?.record(of: id)) != nil
        )
        context = ActorContext(values)
        return Turn(self, call: nil, generation: generation)
    }

    private func construct(in turn: Turn) async throws -> Activation {
        try methods.validateGroups(of: definition.typeDescription)
        return try await Turn.$current.withValue(turn) {
            try await Activation.construct(type, definition.arguments, runtime: host.runtime)
        }
    }

    /// Puts the stored state into a new instance, or stores its first one.
    @inline(never)
    private func install(_ activation: Activation) throws {
        // Of an actor that stores nothing, what the constructor made is all there is.
        guard host.isStored else { return }
        guard let store = host.store else {
            throw StoreError(.failed, "the shard was closed while \(definition.typeDescription) was built")
        }
        host.passes(.workerBeforeRestore)
        let access = StateAccess(store, host.runtime.decoder, actor: id, type: activation.type) { [self] error in
            host.unreadable(error, self)
        }
        store.history[id] = definition.options.history
        if let stored = try store.load(id) {
            try restore(activation, stored, access)
        } else {
            try begin(activation, access)
        }
        host.passes(.workerAfterRestore)
        host.sweepSoon()
    }

    private func begin(_ activation: Activation) {
        state = .ready(activation)
        host.built(self)
        // What was in the mailbox came first, and nothing starts before everything has its place.
        mailbox.pause()
        let waiting = parked
        parked = []
        for call in waiting { admit(call) }
        guard self.activation === activation else { return }
        for next in mailbox.resume() { begin(next) }
        terminateWhenIdle()
    }

    private func buildFailed(_ error: any Error) {
        state = .unbuilt
        switch error {
        case let error as StoreError where error.code == .fenced:
            host.fenced(error)
        case let error as StoreError where error.code == .unreadable:
            host.refused(self, .quarantined(message: error.description))
        case let error as StoreError:
            host.cannotBuild(self, error)
        default:
            host.refused(self, .constructorThrew(message: "\(error)"))
        }
    }
}

extension ActorHost.Definition {
    /// What its shard keeps of it.
    func stored(inGroup isShared: Bool) -> StoredActor {
        var stored = StoredActor(type: typeDescription, typeName: typeName, name: name)
        guard isShared else { return stored }
        stored.arguments = arguments
        stored.options = options
        stored.createdIn = createdIn
        return stored
    }
}
