internal import DurableActors
internal import Glibc

/// An actor whose state is a dictionary of any size.
distributed actor StateActor: DurableActor {
    /// The value of a key at first, less the key: so large that every value takes the same number of bytes.
    static let base = 1 << 40

    @Checkpointed var entries = CheckpointedDictionary<Int, Int>()

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
    }

    /// Adds entries, in one change, and returns how many there are.
    distributed func fill(_ first: Int, _ count: Int) -> Int {
        for key in first..<first + count { entries[key] = Self.base + key }
        return entries.count
    }

    /// Changes one entry, and returns its new value.
    distributed func add(_ amount: Int, _ key: Int) -> Int {
        entries[key, default: 0] += amount
        return entries[key, default: 0]
    }

    /// The same, telling also which process answered.
    distributed func addHere(_ amount: Int, _ key: Int) -> BenchmarkActor.Answer {
        BenchmarkActor.Answer(value: add(amount, key), processID: getpid())
    }
}
