import DurableActors
import Glibc

/// Tells what it knows of itself.
distributed actor Mirrored: DurableActor {
    /// What a context said.
    struct Seen: Codable, Sendable, Equatable {
        var id: ActorID
        var name: String
        var namespace: String
        var type: String
        var incarnation: UInt64
        var restarts: Int
        var wasRestarted: Bool
        var wasRestored: Bool
        var maxRestarts: RepeatLimit

        init?(_ context: ActorContext?) {
            guard let context else { return nil }
            id = context.actorID
            name = context.name
            namespace = context.namespace
            type = context.typeName
            incarnation = context.incarnation
            restarts = context.restarts
            wasRestarted = context.wasRestarted
            wasRestored = context.wasRestored
            maxRestarts = context.options.maxRestarts
        }
    }

    private let atStart: Seen?
    @Checkpointed var value = 0

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async {
        atStart = Seen(ActorContext.current)
        self.actorSystem = actorSystem
    }

    distributed func start() -> Seen? { atStart }

    distributed func now() -> Seen? { Seen(ActorContext.current) }

    distributed func add(_ amount: Int) -> Int {
        value += amount
        return value
    }

    /// In a task of the turn, and in one that has nothing to do with it.
    distributed func elsewhere() async -> [Seen?] {
        async let child = Seen(ActorContext.current)
        let detached = await Task.detached { Seen(ActorContext.current) }.value
        return [await child, detached]
    }

    distributed func crash() { raise(SIGKILL) }

    /// Makes an actor without a name, and one with.
    distributed func family() async throws -> [Seen?] {
        let child = try await actorSystem.spawn(Mirrored.self)
        let named = try await actorSystem.getOrCreate(Mirrored.self, name: "named")
        let found = try await actorSystem.getActor(Mirrored.self, name: "named")
        return [try await child.now(), try await named.now(), try await found.now()]
    }
}
