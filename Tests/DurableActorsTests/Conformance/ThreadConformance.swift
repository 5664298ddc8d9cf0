import DurableActors
import Foundation
import Glibc
import Testing

/// Ray's cases of actors with threads: here, calls that run at once and block in `offload`.
@Suite(.serialized, .timeLimit(.minutes(2))) struct ThreadConformance {
    @Test func `THR-01, THR-03, THR-05: of 32 calls eight block at once, and the totals are a permutation`()
        async throws
    {
        let scratch = ScratchDirectory()
        let (log, hold) = (scratch.file("log"), scratch.hold())
        try await ActorRuntime.withRuntime { runtime in
            let crowd = try await runtime.spawn(Crowd.self, log, options: .maxConcurrency(8))
            // The first is the last to end.
            let first = crowd.submit { try await $0.workBlocking(0, hold: hold) }
            let refs = (1..<32).map { number in crowd.submit { try await $0.workBlocking(number) } }
            var totals = try await runtime.get(refs)
            #expect(!first.isReady)
            unlink(hold)
            totals.append(try await first.value)
            #expect(totals.sorted() == Array(1...32))
            #expect(totals.last == 32, "a later call may end before an earlier one")
            #expect(try await crowd.highest().others <= 8)
            #expect(try await crowd.sum() == 32)
        }
    }

    @Test func `THR-03: calls of many callers fill the limit and never pass it`() async throws {
        let scratch = ScratchDirectory()
        let (log, hold) = (scratch.file("log"), scratch.hold())
        try await ActorRuntime.withRuntime { runtime in
            let crowd = try await runtime.spawn(Crowd.self, log, options: .maxConcurrency(6))
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<60 { group.addTask { _ = try await crowd.work(number, hold: hold) } }
                try await eventually("six calls run") {
                    Notes.lines(of: log).count { $0.hasPrefix("enter") }
                } is: {
                    $0 >= 6
                }
                unlink(hold)
                try await group.waitForAll()
            }
            #expect(try await crowd.highest() == Crowd.Load(others: 6))
            #expect(try await crowd.sum() == 60)
        }
    }

    @Test func `THR-06: actors are made, called and killed by calls that run at once, with small and large values`()
        async throws
    {
        try await ActorRuntime.withRuntime { runtime in
            let busybody = try await runtime.spawn(Busybody.self, options: .maxConcurrency(16))
            let refs = (0..<48).map { number in
                busybody.submit { try await $0.make(number, bytes: number % 3 == 0 ? 1 << 20 : 10) }
            }
            #expect(try await runtime.get(refs) == Array(0..<48))
            #expect(try await runtime.actors().map(\.id) == [busybody.id], "what was made is gone")
        }
    }

    @Test(arguments: [true, false])
    func `THR-08: killed with calls in flight, ten times six actors leave no process`(isForGood: Bool) async throws {
        let scratch = ScratchDirectory()
        let hold = scratch.hold()
        try await ActorRuntime.withRuntime { runtime in
            for round in 0..<10 {
                var crowds: [Crowd] = []
                for _ in 0..<6 {
                    let log = scratch.file("\(round)-\(crowds.count)")
                    crowds.append(try await runtime.spawn(Crowd.self, log, options: .maxConcurrency(4)))
                }
                let refs = crowds.flatMap { crowd in
                    (0..<6).map { number in crowd.submit { try await $0.workBlocking(number, hold: hold) } }
                }
                for crowd in crowds where isForGood { try await runtime.kill(crowd) }
                for crowd in crowds where !isForGood { kill(try await runtime.process(of: crowd), SIGKILL) }
                for ref in refs {
                    let code = await failure { _ = try await ref.value }?.code
                    #expect(code == .died || code == .unavailable)
                }
            }
            let supervisor = try #require(runtime.supervisorProcessID)
            try await eventually("only spares are left") {
                Processes.children(of: supervisor)
            } is: { children in
                children.count <= 2 && children.allSatisfy { $0.state != "Z" }
            }
            #expect(try await runtime.actors().isEmpty)
        }
    }

    @Test func `THR-09: a call that throws leaves the others alone`() async throws {
        let scratch = ScratchDirectory()
        let (log, hold) = (scratch.file("log"), scratch.hold())
        try await ActorRuntime.withRuntime { runtime in
            let crowd = try await runtime.spawn(Crowd.self, log, options: .maxConcurrency(8))
            let refs = (0..<4).map { number in crowd.submit { try await $0.work(number, hold: hold) } }
            await #expect(throws: Refusal(reason: "not me")) { try await crowd.refuse("not me") }
            #expect(!refs.contains { $0.isReady })
            unlink(hold)
            #expect(try await runtime.get(refs) == [0, 1, 4, 9])
        }
    }

    @Test
    func `THR-09, RST-32: a crash fails calls in flight without retries, and runs only those again that have them`()
        async throws
    {
        let scratch = ScratchDirectory()
        let (log, hold) = (scratch.file("log"), scratch.hold())
        try await ActorRuntime.withRuntime { runtime in
            var options = ActorOptions.resilient
            options.maxConcurrency = 8
            let crowd = try await runtime.spawn(Crowd.self, log, options: options)
            let frail = (0..<3).map { number in
                crowd.submit(.maxTaskRetries(0)) { try await $0.work(number, hold: hold) }
            }
            let sturdy = (3..<6).map { number in crowd.submit { try await $0.work(number, hold: hold) } }
            // These are in between, and end before the crash.
            for number in 6..<10 { #expect(try await crowd.work(number) == number * number) }
            kill(try await runtime.process(of: crowd), SIGKILL)
            for ref in frail { #expect(await failure { _ = try await ref.value }?.code == .unavailable) }
            unlink(hold)
            #expect(try await runtime.get(sturdy) == [9, 16, 25])
            let entered = Notes.lines(of: log).filter { $0.hasPrefix("enter") }
            for number in 0..<10 {
                let times = entered.count { $0 == "enter others \(number)" }
                #expect(times == ((3..<6).contains(number) ? 2 : 1), "call \(number)")
            }
            #expect(try await crowd.list().sorted() == Array(3..<10))
        }
    }

    @Test func `CHA-06: a tree of actors whose leaves crash in every twentieth call loses and doubles nothing`()
        async throws
    {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            var options = ActorOptions.resilient
            options.maxConcurrency = 8
            let tree = try await runtime.spawn(Tree.self, .init(leaves: 3, log: scratch.file("log")), options: options)
            #expect(try await tree.grow() == 3)
            let refs = (1...400).map { amount in tree.submit { try await $0.add(amount) } }
            #expect(try await runtime.get(refs) == Array(1...400))
            #expect(try await tree.total() == 400 * 401 / 2)
            #expect(try await tree.totalOfLeaves() == 400 * 401 / 2)
            #expect(Attempts.count(in: scratch.file("log")) > 400)
            try await runtime.kill(tree)
            try await eventually("the leaves are gone with their owner") {
                try await runtime.actors().count
            } is: {
                $0 == 0
            }
        }
    }
}
