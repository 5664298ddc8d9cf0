import DurableActors
import DurableChaos
import Glibc
import Testing

/// Ray's cases of many kills.
@Suite(.serialized, .timeLimit(.minutes(3))) struct ChaosConformance {
    @Test func `CHA-01: 16 actors get 300 inserts each while workers are killed, and have each of them`() async throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SeededGenerator(seed: seed)
        try await ActorRuntime.withRuntime { runtime in
            var options = ActorOptions.resilient
            options.durability = .process
            var bags: [Bag] = []
            for group in 0..<16 {
                bags.append(try await runtime.spawn(Bag.self, options: options.shared("\(group / 4)")))
            }
            for bag in bags { #expect(try await bag.all().isEmpty) }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for bag in bags {
                    group.addTask {
                        for member in 0..<300 {
                            let count = try await bag.insert(member)
                            #expect(count == member + 1, "seed \(seed)")
                        }
                    }
                }
                for _ in 1...20 {
                    let victims = try await runtime.actors().compactMap(\.processID)
                    if let victim = victims.randomElement(using: &generator) { kill(victim, SIGKILL) }
                }
                try await group.waitForAll()
            }
            for bag in bags { #expect(try await bag.all() == Array(0..<300), "seed \(seed)") }
        }
    }

    @Test func `CHA-05: with as many retries as attempts that are killed the next attempt succeeds`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let options = ActorOptions(maxRestarts: .unlimited, maxTaskRetries: 3)
            let counter = try await runtime.spawn(Counter.self, options: options)
            #expect(try await counter.addDying(1, times: 3, log: scratch.file("log")) == 1)
            #expect(Attempts.count(in: scratch.file("log")) == 4)
            #expect(try await runtime.summary(of: counter).restarts == 3)
        }
    }
}
