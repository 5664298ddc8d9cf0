public import Distributed

/// A distributed actor that lives in its own worker process and whose checkpointed state survives crashes.
///
/// Its constructor runs again at the start of each life, with the arguments that were given to `spawn`; then every
/// ``Checkpointed`` property gets its last committed value. What is not checkpointed starts from the constructor.
///
/// The constructor is `async` because Swift lets a synchronous actor constructor not touch wrapped properties.
public protocol DurableActor: DistributedActor, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable
where ActorSystem == ActorRuntime {
    /// What the constructor is given, recorded when the actor is spawned.
    associatedtype Arguments: Codable & Sendable

    /// Makes the actor, in its worker process.
    /// - Parameters:
    ///   - arguments: What was given to `spawn`.
    ///   - actorSystem: The runtime, to be stored in `self.actorSystem`.
    /// - Throws: Any error; the actor is then dead, is not restarted, and its callers get the error's text.
    init(_ arguments: Arguments, actorSystem: ActorRuntime) async throws

    /// Runs when the actor is ended with ``ActorRuntime/terminate(_:timeout:)``, behind all calls that came before; does
    /// nothing unless the type says otherwise.
    ///
    /// For leaving the outside world in order: the actor's state goes in any case. Does not run when the actor is killed,
    /// exits, crashes, or ends with its owner, and runs again when it crashes the worker.
    /// - Throws: Any error; the actor ends all the same.
    func willTerminate() async throws

    /// The version of the stored layout, 1 or more; 1 unless the type says otherwise. Raise it with each change that
    /// needs ``migrate(_:from:)``, in a release that no older one runs beside.
    static var schemaVersion: Int { get }

    /// The lowest ``schemaVersion`` of code that may go on with state that this code has served; 1 unless the type says
    /// otherwise. Older code than that quarantines the actor and leaves its bytes alone.
    static var oldestReaderVersion: Int { get }

    /// How long stored properties are kept that this schema version does not have; `nil`, the default, for ever.
    ///
    /// The time counts from the first life of the actor in code of this schema version that does not know the property.
    /// Only code of the highest schema version that has ever served the actor removes anything.
    static var unknownPropertyGrace: Duration? { get }

    /// How methods are called unless a call says otherwise, by their names with labels, as in `["fetch(_:from:)":
    /// MethodOptions(retryOn: [Busy.self])]`; none unless the type says so. A name that no method has is refused
    /// when an actor is made.
    static var methodOptions: [String: MethodOptions] { get }

    /// Methods whose calls have a limit of their own for how many run at once; none unless the type says otherwise. A
    /// method that is in no group is in the default one, whose limit is ``ActorOptions/maxConcurrency``.
    static var concurrencyGroups: [ConcurrencyGroup] { get }

    /// Turns state that older code has stored into the layout of this schema version.
    ///
    /// Runs at the start of a life, behind the constructor and before any call, when the stored version is lower than
    /// ``schemaVersion``; once for all versions between. Its result and the new version are committed in one
    /// transaction, after every property was read as its new type. A crash before that leaves the old state, and it
    /// runs again; so it must have no effects outside of `state`.
    /// - Parameters:
    ///   - state: What is stored. Without changes here, properties keep their stored values.
    ///   - version: The schema version that the state was last served by.
    /// - Throws: Any error; the actor is then quarantined with the error's text, and its bytes are kept as they were.
    static func migrate(_ state: inout StoredState, from version: Int) throws
}

extension DurableActor {
    /// Nothing to put in order.
    public func willTerminate() async throws {}

    /// The first version.
    public static var schemaVersion: Int { 1 }

    /// Any older code may go on with the state.
    public static var oldestReaderVersion: Int { 1 }

    /// Properties that are not known any more are kept for ever.
    public static var unknownPropertyGrace: Duration? { nil }

    /// All methods are called as the actor's options say.
    public static var methodOptions: [String: MethodOptions] { [:] }

    /// Every method is in the default group.
    public static var concurrencyGroups: [ConcurrencyGroup] { [] }

    /// Changes nothing.
    public static func migrate(_ state: inout StoredState, from version: Int) throws {}
}

extension DurableActor {
    /// The worker's loop: calls are read, run, committed and answered on one thread.
    nonisolated public var unownedExecutor: UnownedSerialExecutor { actorSystem.unownedExecutor }
}

extension DurableActor {
    /// Commits what the running turn has changed so far, without waiting for its end.
    ///
    /// For turns that wait for something slow, or that show an effect to the outside which must not be ahead of the
    /// state. When it returns, these changes survive a crash. The call itself has no outcome yet: if its worker dies
    /// later in the turn and the call is retried, it runs again, on the changed state. An actor with ``Durability/none``
    /// has nothing to commit, and nothing happens. When several calls of the actor are open
    /// (``ActorOptions/maxConcurrency``), what each of them has changed so far is committed.
    /// - Throws: ``ActorError`` with `storageFull` or `storageFailed`, or with `serialization` when a property cannot be
    ///   encoded: nothing since the last commit is kept, and every open call of the actor fails whatever it does.
    public func checkpoint() async throws {
        guard case .worker(let host) = actorSystem.membership else {
            throw ActorError(.invalidArgument, "only a running turn of the actor can commit its changes", actor: id)
        }
        try await host.checkpoint(id)
    }
}

/// The arguments of an actor that needs none.
public struct NoArguments: Codable, Sendable, Hashable {
    /// Nothing.
    public init() {}
}
