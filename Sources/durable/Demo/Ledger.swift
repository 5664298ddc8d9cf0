internal import DurableActors
internal import Glibc

/// Keeps totals of the records that it is given. All of it survives `kill -9`.
distributed actor Ledger: DurableActor {
    typealias ActorSystem = ActorRuntime

    @Checkpointed var records = 0
    @Checkpointed var bytes = 0
    @Checkpointed var words = 0
    @Checkpointed var sum: UInt64 = 0
    @Checkpointed var digest: UInt64 = 0
    @Checkpointed var letters: [String: Int] = [:]

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
    }

    /// Counts a record in. Returns how many there are now.
    distributed func add(_ record: String) -> Int {
        let measure = Measure(record)
        records += 1
        bytes += measure.bytes
        words += measure.words
        sum &+= measure.sum
        digest &+= measure.digest
        letters[measure.letter, default: 0] += 1
        return records
    }

    /// What it knows.
    distributed func totals() -> Totals {
        Totals(records: records, bytes: bytes, words: words, sum: sum, digest: digest, letters: letters)
    }

    /// The process in which it lives.
    distributed func ping() -> Int32 { getpid() }
}
