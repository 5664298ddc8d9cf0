internal import DurableActors

/// An actor that calls another one: a caller in a process of its own.
distributed actor CallingActor: DurableActor {
    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
    }

    /// Makes calls, and returns when all of them have been answered.
    distributed func call(_ target: BenchmarkActor, _ calls: Int, _ inFlight: Int) async throws {
        try await Pipeline.run(calls, inFlight: inFlight) { _ in target.submit { try await $0.increment() } }
    }
}
