import DurableActors
import Glibc

/// Notes the labels of the calls that it has run, and how often.
distributed actor Teller: DurableActor {
    @Checkpointed var seen: CheckpointedDictionary<String, Int> = [:]
    @Checkpointed var drafts: CheckpointedDictionary<Int, String> = [:]
    @Checkpointed var total = 0

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
    }

    /// Applies a call; returns how many there have been.
    distributed func apply(_ label: String) -> Int {
        seen[label, default: 0] += 1
        total += 1
        return total
    }

    /// Applies a call here, and has another actor apply it too.
    distributed func forward(_ label: String, to other: Teller) async throws -> Int {
        seen[label, default: 0] += 1
        total += 1
        return try await other.apply(label)
    }

    /// Fills a collection.
    distributed func draft(_ count: Int) -> Int {
        for number in 0..<count { drafts[number] = "draft \(number)" }
        return drafts.count
    }

    /// Leaves many rows to nobody.
    distributed func discard() { drafts.removeAll() }

    distributed func crash() { abort() }

    distributed func leave() async throws { try await ActorContext.exit() }

    distributed func account() -> Account {
        Account(seen: Dictionary(uniqueKeysWithValues: seen.map { ($0.key, $0.value) }), total: total)
    }

    /// What it has noted.
    struct Account: Codable, Sendable, Hashable {
        var seen: [String: Int]
        var total: Int
    }
}
