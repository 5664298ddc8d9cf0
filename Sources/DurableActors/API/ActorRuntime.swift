internal import CBOR
public import Distributed
internal import DurableCore
internal import DurableProcess
internal import DurableSupervisor
internal import DurableTransport
internal import Synchronization

/// A runtime of durable actors in one data directory: this process's membership in it.
///
/// A program starts one with ``start(directory:configuration:)``, or joins the one that serves the directory already.
/// The supervisor and the workers are processes of their own that run this program's executable.
public final class ActorRuntime: DistributedActorSystem, Sendable {
    /// What names an actor.
    public typealias ActorID = DurableCore.ActorID
    /// What collects a call's arguments.
    public typealias InvocationEncoder = CallEncoder
    /// What hands them to the method.
    public typealias InvocationDecoder = CallDecoder
    /// What keeps how the method ended.
    public typealias ResultHandler = CallResultHandler
    /// What arguments and results must be.
    public typealias SerializationRequirement = any Codable

    /// What this process is in the runtime.
    enum Membership: Sendable {
        case driver(DriverID)
        case worker(WorkerHost)
    }

    let loop: EventLoop
    let link: SupervisorLink
    let calls: CallClient
    let objects: ObjectStore
    /// Takes what people should know.
    let log: @Sendable (String) -> Void
    let layout: RuntimeLayout
    let membership: Membership
    let isDriver: Bool
    let executable: String
    let isStopped = Mutex(false)
    /// Failures of submitted calls that nobody has looked at.
    let unseen: UnseenFailures
    private let knownDecoder = Mutex<CBORDecoder?>(nil)
    /// Actor types whose declarations are in order.
    let checkedTypes = Mutex<Set<ObjectIdentifier>>([])
    /// What runs remote tasks of this process, once there has been one.
    let tasks = Mutex<PoolWorkers<TaskWorker>?>(nil)

    /// How long a process that runs this one's tasks may be idle.
    let taskWorkerIdleTime: Duration

    init(
        loop: EventLoop,
        link: SupervisorLink,
        layout: RuntimeLayout,
        membership: Membership,
        executable: String,
        taskWorkerIdleTime: Duration,
        log: @escaping @Sendable (String) -> Void,
        objectLease: Duration = Limits.objectLease
    ) {
        self.taskWorkerIdleTime = taskWorkerIdleTime
        self.loop = loop
        self.log = log
        unseen = UnseenFailures(log: log)
        self.link = link
        self.layout = layout
        self.membership = membership
        self.executable = executable
        isDriver = if case .worker = membership { false } else { true }
        calls = CallClient(loop: loop, link: link, layout: layout, isDriver: isDriver, log: log)
        // In a worker that is not the loop of its actors, whose code may block.
        objects = ObjectStore(loop: link.loop, layout: layout, lease: objectLease)
    }

    /// The directory that holds the registry and all state.
    public var directory: String { layout.directory }

    /// Decodes arguments and results; actor handles in them belong to this runtime.
    var decoder: CBORDecoder {
        knownDecoder.withLock { known in
            if let known { return known }
            var decoder = CBORDecoder()
            decoder.userInfo[.actorSystemKey] = self
            decoder.limits.totalBytesMax = Limits.valueBytesMax
            // It keeps the runtime, until that is shut down.
            if !isStopped.withLock(\.self) { known = decoder }
            return decoder
        }
    }

    /// The runtime is shut down.
    func forgetDecoder() { knownDecoder.withLock { $0 = nil } }

    /// How long records of a caller are kept after its last change to an actor.
    var sessionLeaseMilliseconds: UInt64 {
        if case .worker(let host) = membership {
            host.sessionLeaseMilliseconds
        } else {
            Limits.sessionLease.wholeMilliseconds
        }
    }

    /// The executor of the actors that this process hosts.
    var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }
}

extension ActorRuntime {
    /// Creates an actor. Returns when its record is durable; its constructor runs meanwhile, and calls wait for it.
    ///
    /// The actor ends with this process or actor, and its state with it, unless the options make it detached.
    /// - Parameters:
    ///   - type: The actor's type.
    ///   - arguments: What its constructor gets, at the start of each life.
    ///   - options: How it lives.
    /// - Returns: A handle; it is `Codable` and can be passed to other actors.
    /// - Throws: ``ActorError`` with `invalidArgument`, `nameTaken`, or one of the storage's and the supervisor's codes.
    public func spawn<Act: DurableActor>(
        _ type: Act.Type,
        _ arguments: Act.Arguments,
        options: ActorOptions = .default
    ) async throws -> Act {
        try await create(type, arguments, options, getsExisting: false)
    }

    /// Creates an actor whose constructor needs no arguments.
    public func spawn<Act: DurableActor>(
        _ type: Act.Type,
        options: ActorOptions = .default
    ) async throws -> Act where Act.Arguments == NoArguments {
        try await create(type, NoArguments(), options, getsExisting: false)
    }

    /// Finds the actor of this name, or creates it: the way to use a stateful service. However many ask at once, there
    /// is one actor. Arguments and options count only when it is created. Ray: `get_if_exists`.
    /// - Parameters:
    ///   - type: The actor's type.
    ///   - name: Its name; 1 to 128 of `A-Z a-z 0-9 . _ -`, not starting with a dot.
    ///   - namespace: The name's scope; without one, that of the actor whose code asks, or `default` in a driver.
    ///   - arguments: What its constructor gets, at the start of each life.
    ///   - options: How it lives; name and lifetime are set here: the actor is detached.
    public func getOrCreate<Act: DurableActor>(
        _ type: Act.Type,
        name: String,
        namespace: String? = nil,
        _ arguments: Act.Arguments,
        options: ActorOptions = .resilient
    ) async throws -> Act {
        let chosen = options.namespace == ActorOptions.default.namespace ? nil : options.namespace
        let detached = options.detached(name: name, namespace: scope(namespace ?? chosen))
        return try await create(type, arguments, detached, getsExisting: true)
    }

    /// Finds or creates an actor whose constructor needs no arguments.
    public func getOrCreate<Act: DurableActor>(
        _ type: Act.Type,
        name: String,
        namespace: String? = nil,
        options: ActorOptions = .resilient
    ) async throws -> Act where Act.Arguments == NoArguments {
        try await getOrCreate(type, name: name, namespace: namespace, NoArguments(), options: options)
    }

    /// Finds the living actor of this name. A detached one that does not run yet is started.
    /// - Throws: ``ActorError`` with `notFound`, or `invalidArgument` when it is of another type.
    public func getActor<Act: DurableActor>(
        _ type: Act.Type,
        name: String,
        namespace: String? = nil
    ) async throws -> Act {
        let namespace = scope(namespace)
        try ActorOptions.validate(name, as: "name")
        try ActorOptions.validate(namespace, as: "namespace")
        let location = try await location(.lookup(name: name, namespace: namespace, executable: executable))
        return try handle(type, location)
    }

    /// Ends an actor. Returns when its process is gone.
    /// - Parameters:
    ///   - actor: Any handle to it. Killing a dead actor is no error.
    ///   - noRestart: Whether it ends for good, with its state, and its name is free. Otherwise only this life ends,
    ///     which counts as a restart. Ray: `ray.kill`, with the same default.
    public func kill(_ actor: some DurableActor, noRestart: Bool = true) async throws {
        _ = try await ask(.kill(actor.id.bare, noRestart: noRestart))
        if noRestart { calls.forgetReferences(of: actor.id.bare) }
    }

    /// Living actors of the runtime, unless told otherwise all of them, of every driver.
    /// - Parameters:
    ///   - driver: Only those that end with this driver, directly or because their owners do; `nil` for all.
    ///   - state: Only those in the state of this name, one of ``DurableCore/ActorSummary/State``; `nil` for all.
    /// - Throws: ``ActorError`` with `invalidArgument`, naming the states, when there is none of that name.
    public func actors(driver: DriverID? = nil, state: String? = nil) async throws -> [ActorSummary] {
        let wanted = state.flatMap { ActorSummary.State(rawValue: $0) }
        if let state, wanted == nil {
            let known = ActorSummary.State.allCases.map(\.rawValue).joined(separator: ", ")
            throw ActorError(.invalidArgument, "there is no state \"\(state)\" of actors; the states are \(known)")
        }
        return try await hosted().filter { actor in
            actor.type != TaskWorker.title && (driver == nil || actor.driver == driver)
                && (wanted == nil || actor.state == wanted)
        }
    }

    /// What names this process among the drivers of the runtime; `nil` in a worker.
    public var driverID: DriverID? { if case .driver(let id) = membership { id } else { nil } }

    /// Actors, and what runs tasks.
    func hosted() async throws -> [ActorSummary] {
        guard case .actors(let list) = try await ask(.list) else {
            throw ActorError(.internalError, "the supervisor gave an answer of another kind")
        }
        return list
    }

    private func create<Act: DurableActor>(
        _ type: Act.Type,
        _ arguments: Act.Arguments,
        _ options: ActorOptions,
        getsExisting: Bool
    ) async throws -> Act {
        try options.validate()
        guard !_typeName(type).contains("<") else {
            throw ActorError(.invalidArgument, "the actor type \(type) is generic, which actors cannot be")
        }
        try checkDeclarations(of: type)
        var options = options
        if options.name == nil, options.namespace == ActorOptions.default.namespace {
            // Nobody finds it there, but what it creates and looks up is in the scope of whoever made it.
            options.namespace = scope(nil)
        }
        guard let typeName = _mangledTypeName(type), _typeByName(typeName) != nil else {
            let message = """
                the type \(type) cannot be found by name in a worker; declare it outside of functions, and not private
                """
            throw ActorError(.invalidArgument, message)
        }
        var encoded: [UInt8] = []
        let references: [HeldObject]
        do {
            references = try EncodedReferences.collect { encoded = try CBOREncoder().encode(arguments) }
        } catch {
            throw ActorError(.serialization, "the arguments of \(type) cannot be encoded", cause: "\(error)")
        }
        guard encoded.count <= Limits.constructorBytesMax else {
            let message = """
                the arguments of \(type) have \(encoded.count) bytes, and may have \(Limits.constructorBytesMax); pass a \
                reference to what was `put`, or give it to the actor by a call
                """
            throw ActorError(.limitExceeded, message)
        }
        var generator = SystemRandomNumberGenerator()
        var request = CreateRequest(
            id: ActorID(random: &generator),
            typeName: typeName,
            typeDescription: type == TaskWorker.self ? TaskWorker.title : String(describing: type),
            arguments: encoded,
            options: options,
            owner: owner,
            executable: executable,
            getsExisting: getsExisting
        )
        request.argumentBytes = objects.sharedBytes(of: references)
        let actor = try await made(type, request) { request in
            try kind(of: request, arguments, references)
        }
        // Each of its lives gets the arguments again. An actor that was there before has its own.
        if !references.isEmpty, !getsExisting { calls.channel(to: actor.id.bare).keep(references) }
        return actor
    }

    /// Has an actor made, or finds the one that an earlier life of what makes it had made.
    private func made<Act: DurableActor>(
        _ type: Act.Type,
        _ request: CreateRequest,
        kind: (CreateRequest) throws -> [UInt8]
    ) async throws -> Act {
        guard let turn = Turn.current, !request.getsExisting else {
            return try handle(type, await location(.create(request)))
        }
        let kind = try kind(request)
        var request = request
        request.ownerLife = turn.lifeOfChildren
        // One that has ended is not had again by creating it: then it is the next.
        while let child = turn.nextChild(kind) {
            if objects.handles.isEnding(child) { continue }
            request.id = child
            request.isDerived = true
            request.isAskedForAgain = turn.call == nil
            if case .location(let location) = try await ask(.create(request)) { return try handle(type, location) }
        }
        return try handle(type, await location(.create(request)))
    }

    /// What is the same when one actor is created twice.
    private func kind(
        of request: CreateRequest,
        _ arguments: some Encodable,
        _ references: [HeldObject]
    ) throws -> [UInt8] {
        var request = request
        if !references.isEmpty {
            try EncodedReferences.numbered { request.arguments = try CBOREncoder().encode(arguments) }
        }
        return request.kind
    }

    /// Checks what a type says of its methods, once for each type.
    private func checkDeclarations<Act: DurableActor>(of type: Act.Type) throws {
        guard !checkedTypes.withLock({ $0.contains(ObjectIdentifier(type)) }) else { return }
        try ConcurrencyGroups(type.concurrencyGroups).validate(type: "\(type)")
        try MethodNames.check(type, Act.resolve(id: ActorID(high: 0, low: 0), using: self))
        checkedTypes.withLock { _ = $0.insert(ObjectIdentifier(type)) }
    }

    func scope(_ namespace: String?) -> String {
        namespace ?? ActorContext.current?.namespace ?? TaskScope.current?.namespace ?? ActorOptions.default.namespace
    }

    /// Whose the actors are that the present code makes.
    var owner: Owner {
        if let scope = TaskScope.current { return scope.owner }
        return switch membership {
        case .driver(let id): .driver(id)
        case .worker(let host): .actor(Turn.current?.actor.id ?? host.assignment.record.id)
        }
    }

    private func handle<Act: DurableActor>(_ type: Act.Type, _ location: ActorLocation) throws -> Act {
        guard location.typeName == _mangledTypeName(type) else {
            let message = "the actor is a \(location.typeDescription), not a \(type)"
            throw ActorError(.invalidArgument, message, actor: location.id)
        }
        calls.channel(to: location.id).located(location)
        return try Act.resolve(id: handleID(location), using: self)
    }

    private func location(_ request: SupervisorRequest) async throws -> ActorLocation {
        guard case .location(let location) = try await ask(request) else {
            throw ActorError(.internalError, "the supervisor gave an answer of another kind")
        }
        return location
    }

    func ask(_ request: SupervisorRequest) async throws -> SupervisorResponse {
        guard !isStopped.withLock(\.self) else {
            throw ActorError(.runtimeStopped, "the runtime has been shut down")
        }
        let response = try await link.request(request)
        if case .failed(let error) = response { throw error }
        return response
    }
}

extension CreateRequest {
    /// What is the same when one actor is created twice.
    fileprivate var kind: [UInt8] {
        var writer = ByteWriter(reserving: arguments.count + 256)
        writer.write(counted: typeName)
        writer.write(counted: options.name ?? "")
        writer.write(counted: options.namespace)
        writer.write(raw: arguments)
        return writer.bytes
    }
}
