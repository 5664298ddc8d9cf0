import DurableActors
import Glibc

/// Ends its process before half of the updates. What it has acknowledged survives; there is no code for that.
distributed actor Immortal: DurableActor {
    @Checkpointed var state = CheckpointedDictionary<String, Int>()

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
    }

    distributed func flakyUpdate(_ key: String, _ value: Int) {
        if Bool.random() { exit(1) }
        state[key] = value
    }

    distributed func value(of key: String) -> Int? { state[key] }
}

func stateRestoration(_ runtime: ActorRuntime, _ notebook: Notebook) async throws {
    notebook.begin("Fault-tolerant actors with state restoration")
    var options = ActorOptions.resilient
    // The coin can fall on the same side often: no call is taken for the one that kills the actor.
    options.maxCallCrashes = .unlimited
    let immortal = try await runtime.spawn(Immortal.self, options: options)
    try await immortal.flakyUpdate("1", 1)
    try await immortal.flakyUpdate("2", 2)
    notebook.check("key 1 holds 1", try await immortal.value(of: "1") == 1)
    notebook.check("key 2 holds 2", try await immortal.value(of: "2") == 2)
}
