import ArgumentParser
import DurableActors
import DurableChaos
import Glibc

/// A driver of a storm in a process of its own, which is killed like others; not for people.
struct StormDriver: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "storm-driver", shouldDisplay: false)

    @Argument var directory: String
    @Argument var name: String
    @Argument var journal: String
    @Argument var seed: UInt64

    func run() async throws {
        let journal = try StormJournal(journal, isNew: false)
        let parent = getppid()
        var configuration = RuntimeConfiguration()
        configuration.log = { _ in }
        let runtime = try await ActorRuntime.start(directory: directory, configuration: configuration)
        let actors = try await StormCast.all(runtime)
        let streams = (0..<StormJournal.clients).map { "\(name).\($0)" }
        let witness = StormWitness { stream, actor, isAnswered in
            if let client = streams.firstIndex(of: stream) {
                journal.increment(client, actor, isAnswered ? .notesAnswered : .notesMade)
            } else if let client = streams.firstIndex(of: String(stream.dropFirst())) {
                journal.increment(client, actor, isAnswered ? .transfersAnswered : .transfersMade)
            }
        }
        await withTaskGroup(of: Void.self) { group in
            for (number, stream) in streams.enumerated() {
                group.addTask {
                    var client = StormClient(name: stream, actors: actors, witness: witness)
                    client.mixesTransfers = false
                    let transfers = KeyedTransfers(stream: stream, client: number, actors: actors)
                    var generator = SeededGenerator(seed: seed &+ UInt64(number))
                    while journal.wish < 2, getppid() == parent {
                        journal.setTotals(witness.issued, witness.acknowledged)
                        guard journal.wish == 0 else {
                            try? await Task.sleep(for: .milliseconds(5))
                            continue
                        }
                        await client.work(&generator)
                        await transfers.make(witness, journal, &generator)
                    }
                }
            }
        }
        journal.setTotals(witness.issued, witness.acknowledged)
        journal.violations = witness.violations.count
        for violation in witness.violations { StandardError.write("\(name): \(violation)\n") }
        await runtime.shutdown()
    }
}

/// Transfers of a caller that may be killed: each has a key and is in the journal, so that somebody else can make sure of
/// it. Without that, the death of the caller and of a worker would leave half of one.
struct KeyedTransfers: Sendable {
    let stream: String
    let client: Int
    let actors: [StormActor]

    private static let retention = Duration.seconds(3600)

    func make(_ witness: StormWitness, _ journal: StormJournal, _ generator: inout SeededGenerator) async {
        let actor = Int.random(in: 0..<StormCast.banks.upperBound - 1, using: &generator)
        let amount = Int.random(in: -100...100, using: &generator)
        journal[client, actor, .amount] = amount
        let (number, floor) = witness.invoke("t\(stream)", actor)
        do {
            witness.answered("t\(stream)", actor, try await make(number, actor, amount), since: floor)
        } catch {
            witness.violate("a transfer of \(stream) failed: \(error)")
        }
    }

    /// Makes it, or makes sure of it: all who ask with the same key get the one outcome.
    func make(_ number: Int, _ actor: Int, _ amount: Int) async throws -> StormActor.Seen {
        let (name, other) = ("t\(stream)", actors[actor + 1])
        let key = CallOptions.idempotencyKey("\(name) \(number)", retention: Self.retention)
        return try await actors[actor].with(key) { try await $0.transfer(amount, name, number, to: other) }
    }
}
