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

extension DurableActor {
    /// Commits what the running turn has changed so far, without waiting for its end.
    ///
    /// For turns that wait for something slow, or that show an effect to the outside which must not be ahead of the
    /// state. When it returns, these changes survive a crash. The call itself has no outcome yet: if its worker dies
    /// later in the turn and the call is retried, it runs again, on the changed state. An actor with ``Durability/none``
    /// has nothing to commit, and nothing happens.
    /// - Throws: ``ActorError`` with `storageFull` or `storageFailed`: nothing since the last commit is kept, and the
    ///   turn fails whatever it does. With `serialization` when a property cannot be encoded.
    public func checkpoint() async throws {
        guard case .worker(let host) = actorSystem.membership else {
            throw ActorError(.invalidArgument, "only a running turn of the actor can commit its changes", actor: id)
        }
        try await host.checkpoint()
    }
}

/// The arguments of an actor that needs none.
public struct NoArguments: Codable, Sendable, Hashable {
    /// Nothing.
    public init() {}
}
