import Distributed
import DurableActors
import Glibc

/// Has handles of other actors, in its memory or in its state.
distributed actor Holder: DurableActor {
    struct Setup: Codable, Sendable {
        var given: Counter?
    }

    @Checkpointed var stored: Counter?
    private let given: Counter?
    private var held: [Counter] = []

    init(_ setup: Setup, actorSystem: ActorRuntime) async throws {
        self.actorSystem = actorSystem
        given = setup.given
    }

    distributed func processID() -> Int32 { getpid() }

    distributed func hold(_ box: [String: [Counter]]) { held += box.values.joined() }

    distributed func store(_ counter: Counter) { stored = counter }

    distributed func drop() { held = [] }

    distributed func take() -> [Counter] {
        defer { held = [] }
        return held
    }

    distributed func make(_ options: ActorOptions) async throws -> Counter {
        try await actorSystem.spawn(Counter.self, options: options)
    }

    distributed func add(_ amount: Int) async throws -> Int {
        guard let counter = held.first ?? stored ?? given else { throw PlainError() }
        return try await counter.add(amount)
    }
}

/// Adds to what it was given.
struct AddTask: RemoteTask {
    var counters: [Counter]

    func run(on runtime: ActorRuntime) async throws -> [Counter] {
        for counter in counters { _ = try await counter.add(1) }
        return counters
    }
}
