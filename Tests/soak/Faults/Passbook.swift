import DurableActors
import DurableCore
import Glibc

/// Keeps tickets in the order in which it got them, each with the life that entered it.
distributed actor Passbook: DurableActor {
    /// A ticket on record.
    struct Entry: Codable, Sendable, Equatable {
        var ticket: Int
        var life: UInt64
    }

    /// All that it knows.
    struct Contents: Codable, Sendable, Equatable {
        var entries: [Entry]
        /// How many entries there are, kept apart from them.
        var count: Int
    }

    /// Where the record ends.
    struct End: Codable, Sendable, Equatable {
        var count: Int
        var ticket: Int?
        var process: Int32
    }

    @Checkpointed var entries = CheckpointedArray<Entry>()
    @Checkpointed var count = 0
    @Checkpointed var padding: [UInt8] = []

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
    }

    /// Returns the ticket's place, counted from 1.
    distributed func enter(_ ticket: Int) -> Int {
        entries.append(Entry(ticket: ticket, life: ActorContext.current?.incarnation ?? 0))
        count += 1
        return entries.count
    }

    distributed func end() -> End {
        End(count: count, ticket: entries.last?.ticket, process: getpid())
    }

    distributed func all() -> Contents { Contents(entries: Array(entries), count: count) }

    distributed func processID() -> Int32 { getpid() }

    /// Makes the stored state this much larger than its tickets.
    distributed func pad(_ bytes: Int) -> Int {
        padding = (0..<bytes).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        return padding.count
    }

    /// Takes memory that nobody gets back before the worker ends.
    distributed func take(megabytes: Int) -> Int {
        var sum = 0
        for _ in 0..<megabytes {
            guard let memory = malloc(1 << 20) else { abort() }
            memset(memory, 1, 1 << 20)
            sum += 1
        }
        return sum
    }
}
