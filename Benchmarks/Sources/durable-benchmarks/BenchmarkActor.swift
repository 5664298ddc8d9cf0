internal import CBenchmarks
internal import DurableActors
internal import Glibc

/// The actor that is measured: the smallest state that can be lost.
distributed actor BenchmarkActor: DurableActor {
    /// What a mutation answers: the value it made, and the process that made it.
    struct Answer: Codable, Sendable {
        var value: Int
        var processID: Int32
    }

    @Checkpointed var value = 0

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
    }

    /// Reads, and so stores nothing.
    distributed func current() -> Int { value }

    /// Changes the state, and answers once the change is durable.
    distributed func increment() -> Int {
        value += 1
        return value
    }

    /// The same, telling also which process answered.
    distributed func incrementHere() -> Answer {
        value += 1
        return Answer(value: value, processID: getpid())
    }

    /// How often the actor's process has asked for memory; -1 when nobody counts.
    distributed func allocations() -> Int64 { benchmarks_allocations() }
}
