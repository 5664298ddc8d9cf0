internal import DurableActors
internal import Glibc

/// The actor that is measured.
distributed actor BenchSubject: DurableActor {
    /// What a change answers.
    struct Touch: Codable, Sendable {
        /// How many changes there were.
        var count: Int
        /// When the turn began. The clock is the machine's, so that any of its processes can compare.
        var began: ContinuousClock.Instant
    }

    /// Bytes of an entry.
    static let entryBytes = 1024

    @Checkpointed var count = 0
    @Checkpointed var last = ""
    @Checkpointed var entries = CheckpointedDictionary<Int, String>()

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
    }

    /// Adds entries, in one change.
    distributed func fill(_ first: Int, _ count: Int) {
        let text = String(repeating: "x", count: Self.entryBytes)
        for key in first..<first + count { entries[key] = text }
    }

    /// Changes the state, and tells when its turn began.
    distributed func touch() -> Touch {
        let began = ContinuousClock.now
        count += 1
        return Touch(count: count, began: began)
    }

    /// Changes nothing.
    distributed func read(_ payload: String) -> Int { payload.utf8.count }

    /// Keeps what it is given.
    distributed func write(_ payload: String) -> Int {
        last = payload
        count += 1
        return count
    }

    /// The process in which it lives.
    distributed func process() -> Int32 { getpid() }
}

extension BenchSubject {
    /// Gives the actor so much state, a megabyte in a call.
    nonisolated func grow(to size: ByteCount) async throws {
        let (entries, step) = (size.bytes / Self.entryBytes, 1024)
        for first in stride(from: 0, to: entries, by: step) { try await fill(first, min(step, entries - first)) }
    }
}
