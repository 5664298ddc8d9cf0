public import Distributed

/// A distributed actor that lives in its own worker process and whose checkpointed state survives crashes.
///
/// Its constructor runs again at the start of each life, with the arguments that were given to `spawn`; then every
/// ``Checkpointed`` property gets its last committed value. What is not checkpointed starts from the constructor.
///
/// The constructor is `async` because Swift lets a synchronous actor constructor not touch wrapped properties.
public protocol DurableActor: DistributedActor where ActorSystem == ActorRuntime {
    /// What the constructor is given, recorded when the actor is spawned.
    associatedtype Arguments: Codable & Sendable

    /// Makes the actor, in its worker process.
    /// - Parameters:
    ///   - arguments: What was given to `spawn`.
    ///   - actorSystem: The runtime, to be stored in `self.actorSystem`.
    /// - Throws: Any error; the actor is then dead, is not restarted, and its callers get the error's text.
    init(_ arguments: Arguments, actorSystem: ActorRuntime) async throws
}

extension DurableActor {
    /// The worker's loop: calls are read, run, committed and answered on one thread.
    nonisolated public var unownedExecutor: UnownedSerialExecutor { actorSystem.unownedExecutor }
}

/// The arguments of an actor that needs none.
public struct NoArguments: Codable, Sendable, Hashable {
    /// Nothing.
    public init() {}
}
