internal import DurableActors
internal import Glibc

/// An actor that has much: state that it has read, or memory of its own.
distributed actor ResidentActor: DurableActor {
    /// The bytes of one entry's value.
    static let entryBytes = 64 << 10

    @Checkpointed var count = 0
    @Checkpointed var entries = CheckpointedDictionary<Int, [UInt8]>()
    /// No state: gone with each life.
    private var held: [UInt8] = []

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
    }

    /// Adds entries, in one change.
    distributed func fill(_ first: Int, _ count: Int) {
        let bytes = [UInt8](repeating: 7, count: Self.entryBytes)
        for key in first..<first + count { entries[key] = bytes }
    }

    /// Reads every entry, so that this life has all of them in its memory, and touches memory beside.
    /// - Returns: How many bytes of values there were.
    distributed func touch(_ heldBytes: Int) -> Int {
        held = [UInt8](repeating: 7, count: heldBytes)
        return entries.values.reduce(0) { $0 + $1.count }
    }

    /// Changes the state, telling also which process answered.
    distributed func incrementHere() -> BenchmarkActor.Answer {
        count += 1
        return BenchmarkActor.Answer(value: count, processID: getpid())
    }
}
