import DurableActors
import DurableChaos
import Foundation
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

    @Test func `CHA-11: over kills of workers, supervisors and clients the history of each key is linearizable`()
        async throws
    {
        let environment = ProcessInfo.processInfo.environment
        let kills = environment["DURABLE_TEST_KILLS"].flatMap { Int($0) } ?? 30
        let seed = environment["DURABLE_TEST_SEED"].flatMap { UInt64($0) } ?? UInt64.random(in: 0...UInt64.max)
        var generator = SeededGenerator(seed: seed)
        let scratch = ScratchDirectory()
        let (directory, log) = (scratch.file("data"), scratch.file("log"))
        let runtime = try await ActorRuntime.start(directory: directory)
        var killer = ProcessKiller(runtime, seed: seed)
        var started = 0
        func client() throws -> TestProcess {
            started += 1
            return try TestProcess(["history", directory, "client-\(started)", log, "\(seed &+ UInt64(started) * 100)"])
        }
        var clients = [try client(), try client(), try client()]
        var struck: [String: Int] = [:]
        for round in 1...kills {
            // Each kill meets clients at work again.
            let before = Attempts.count(in: log)
            let more = Int.random(in: 100...4000, using: &generator)
            try await eventually("the clients note \(more) more bytes, seed \(seed), round \(round)") {
                Attempts.count(in: log)
            } is: {
                $0 >= before + more
            }
            switch Int.random(in: 0..<10, using: &generator) {
            case 0..<6: if try await killer.strikeWorker() != nil { struck["worker", default: 0] += 1 }
            case 6..<8: if try killer.strikeSupervisor() != nil { struck["supervisor", default: 0] += 1 }
            default:
                let victim = Int.random(in: 0..<clients.count, using: &generator)
                kill(clients[victim].pid, SIGKILL)
                clients[victim].end()
                clients[victim] = try client()
                struck["client", default: 0] += 1
            }
        }
        _ = Attempts.note(in: log + ".stop")
        for client in clients { client.end() }
        let history = AppendHistory(Notes.lines(of: log))
        #expect(history.failures == [], "seed \(seed)")
        #expect(struck.values.reduce(0, +) * 2 > kills, "seed \(seed): \(struck)")
        var entries = 0
        let reader = try TestProcess(["lists", directory])
        let lists = reader.line.split(separator: " ").map { $0.split(separator: ",").map(String.init) }
        reader.end()
        try #require(lists.count == 6, "the reader said: \(reader.line)")
        for list in lists {
            entries += list.count - 1
            let found = history.violations(of: list[0], final: Array(list.dropFirst()))
            #expect(found == [], "seed \(seed): \(struck)")
        }
        for actor in try await runtime.actors() { try await runtime.kill(actor.id) }
        #expect(entries > kills, "seed \(seed)")
        await runtime.shutdown()
    }

    @Test func `CHA-11: a history that cannot have happened is found out`() {
        func violations(_ lines: [String], _ final: [String]) -> Int {
            AppendHistory(lines).violations(of: "k", final: final).count
        }
        let two = ["begin a 1 append k", "end a 2 1 a", "begin b 3 append k", "end b 4 2 b"]
        #expect(violations(two, ["a", "b"]) == 0)
        #expect(violations(two, ["b", "a"]) > 0, "both have another place")
        #expect(violations(two, ["a"]) > 0, "what was acknowledged is lost")
        #expect(violations(two, ["a", "b", "b"]) > 0, "what was made once came twice")
        #expect(violations(two, ["a", "b", "c"]) > 0, "nobody appended it")
        #expect(violations(two + ["begin c 5 append k"], ["a", "b", "c"]) == 0, "nobody knows whether it came")
        #expect(violations(two + ["begin c 5 append k"], ["a", "b"]) == 0)
        let read = ["begin r 5 read k", "end r 6 1 a"]
        #expect(violations(two + read, ["a", "b"]) > 0, "it was stale")
        #expect(violations(two + ["begin r 3 read k", "end r 6 1 a"], ["a", "b"]) == 0, "it began before")
        #expect(
            violations(two + ["begin r 3 read k", "end r 5 2 b", "begin s 6 read k", "end s 7 1 a"], ["a", "b"]) > 0
        )
        #expect(violations(["begin r 1 read k", "end r 2 1 a", "begin a 3 append k", "end a 4 1 a"], ["a"]) > 0)
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
