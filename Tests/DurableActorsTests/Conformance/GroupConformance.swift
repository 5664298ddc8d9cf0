import DurableActors
import Foundation
import Glibc
import Testing

/// Ray's cases of concurrency groups. Those of ``Crowd`` are io with 2, compute with 4 and trio with 3.
@Suite(.serialized, .timeLimit(.minutes(2))) struct GroupConformance {
    /// Waits until this many calls have entered.
    private func entered(_ count: Int, _ log: String) async throws {
        try await eventually("\(count) calls have entered") {
            Notes.lines(of: log).count { $0.hasPrefix("enter") }
        } is: {
            $0 >= count
        }
    }

    @Test func `CGR-01, CGR-02: two groups are full at the same time, and an ungrouped call is answered`() async throws
    {
        let scratch = ScratchDirectory()
        let (log, hold) = (scratch.file("log"), scratch.hold())
        try await ActorRuntime.withRuntime { runtime in
            let crowd = try await runtime.spawn(Crowd.self, log)
            let fetches = (0..<10).map { number in crowd.submit { try await $0.fetch(number, hold: hold) } }
            let processes = (0..<10).map { number in crowd.submit { try await $0.process(number, hold: hold) } }
            try await entered(6, log)
            #expect(try await crowd.health() == "healthy")
            let running = Set(Notes.lines(of: log).dropFirst())
            let expected = ["fetching 0", "fetching 1"] + (0..<4).map { "processing \($0)" }
            #expect(running == Set(expected.map { "enter \($0)" }))
            unlink(hold)
            #expect(try await runtime.get(fetches + processes) == (0..<20).map { ($0 % 10) * ($0 % 10) })
            #expect(try await crowd.highest() == Crowd.Load(fetching: 2, processing: 4))
            #expect(try await crowd.list().count == 20)
        }
    }

    @Test func `CGR-03: while a call of the default group blocks in a section, calls of a group run`() async throws {
        let scratch = ScratchDirectory()
        let (log, hold) = (scratch.file("log"), scratch.hold())
        try await ActorRuntime.withRuntime { runtime in
            let crowd = try await runtime.spawn(Crowd.self, log)
            let blocked = crowd.submit { try await $0.workBlocking(1, hold: hold) }
            let behind = crowd.submit { try await $0.health() }
            try await entered(1, log)
            for number in 0..<10 { #expect(try await crowd.fetch(number) == number * number) }
            #expect(!blocked.isReady && !behind.isReady)
            unlink(hold)
            #expect(try await blocked.value == 11)
            #expect(try await behind.value == "healthy")
        }
    }

    @Test func `CGR-05: a call that asks for another group counts against the limit of that one only`() async throws {
        let scratch = ScratchDirectory()
        let (log, hold) = (scratch.file("log"), scratch.hold())
        try await ActorRuntime.withRuntime { runtime in
            let crowd = try await runtime.spawn(Crowd.self, log)
            let asking = (0..<6).map { number in
                crowd.submit(.concurrencyGroup("compute")) { try await $0.fetch(number, hold: hold) }
            }
            let own = (6..<9).map { number in crowd.submit { try await $0.fetch(number, hold: hold) } }
            try await entered(6, log)
            // Its own group is full, and so is the one that others asked for; the default one is not.
            let third = try await crowd.with(.concurrencyGroup("default")) { try await $0.fetch(100) }
            #expect(third == 10_000)
            let running = Notes.lines(of: log).filter { $0.hasPrefix("enter") && !$0.hasSuffix("100") }
            #expect(running.sorted() == [0, 1, 2, 3, 6, 7].map { "enter fetching \($0)" })
            unlink(hold)
            #expect(try await runtime.get(asking + own) == (0..<9).map { $0 * $0 })
        }
    }

    @Test func `a group that the type does not declare is refused at submission with those that it does`() async throws
    {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let crowd = try await runtime.spawn(Crowd.self, scratch.file("log"))
            let ref = crowd.submit(.concurrencyGroup("disk")) { try await $0.fetch(1) }
            let error = await failure { _ = try await ref.value }
            #expect(error?.code == .invalidArgument)
            #expect(
                error?.message
                    == "Crowd has no concurrency group \"disk\"; its groups are default, io, compute, trio"
            )
            // The worker does not trust its callers.
            let caller = try RawCaller(runtime, shard: 1)
            var frame = try caller.frame(1, to: crowd, "health", 1)
            frame.group = "disk"
            #expect(try await caller.send(frame).outcome.error == error)
            #expect(try await crowd.fetch(2) == 4)
            #expect(!Notes.lines(of: scratch.file("log")).contains("enter fetching 1"))
        }
    }

    @Test func `a type whose groups are wrong cannot be spawned`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let error = await failure { _ = try await runtime.spawn(Misgrouped.self) }
            #expect(error?.code == .invalidArgument)
            #expect(error?.message.contains("the limit of concurrency group \"io\" of Misgrouped is 0") == true)
            let options = ActorOptions.maxConcurrency(0)
            let refused = await failure { _ = try await runtime.spawn(Counter.self, options: options) }
            #expect(refused?.message == "maxConcurrency is 0; allowed is 1 or more")
        }
    }

    @Test func `CGR-08: groups hold for calls that block in sections, in their own and in the asked one`() async throws
    {
        let scratch = ScratchDirectory()
        let (log, hold) = (scratch.file("log"), scratch.hold())
        try await ActorRuntime.withRuntime { runtime in
            let crowd = try await runtime.spawn(Crowd.self, log, options: .maxConcurrency(3))
            let processes = (0..<8).map { number in
                crowd.submit(.concurrencyGroup("compute")) { try await $0.processBlocking(number, hold: hold) }
            }
            let others = (0..<8).map { number in crowd.submit { try await $0.workBlocking(number, hold: hold) } }
            try await entered(7, log)
            #expect(try await crowd.fetch(5) == 25)
            unlink(hold)
            let totals = try await runtime.get(processes + others)
            #expect(totals.sorted() == Array(2...17))
            #expect(try await crowd.highest() == Crowd.Load(fetching: 1, processing: 4, others: 3))
        }
    }

    @Test func `CGR-13: after a crash the open calls of all groups run again, within the limits`() async throws {
        let scratch = ScratchDirectory()
        let (log, hold) = (scratch.file("log"), scratch.hold())
        try await ActorRuntime.withRuntime { runtime in
            let crowd = try await runtime.spawn(Crowd.self, log, options: .resilient)
            #expect(try await crowd.fetch(1000) == 1_000_000)
            let fetches = (0..<10).map { number in crowd.submit { try await $0.fetch(number, hold: hold) } }
            let processes = (0..<10).map { number in crowd.submit { try await $0.process(number, hold: hold) } }
            let asking = (10..<12).map { number in
                crowd.submit(.concurrencyGroup("trio")) { try await $0.fetch(number, hold: hold) }
            }
            for crash in 1...3 {
                try await entered(1 + crash * 8, log)
                kill(try await runtime.process(of: crowd), SIGKILL)
            }
            try await entered(1 + 4 * 8, log)
            unlink(hold)
            #expect(try await runtime.get(fetches + processes) == (0..<20).map { ($0 % 10) * ($0 % 10) })
            #expect(try await runtime.get(asking) == [100, 121])
            #expect(try await crowd.highest() == Crowd.Load(fetching: 4, processing: 4), "two in io, two in trio")
            #expect(try await crowd.list().count == 23)
            let entered = Notes.lines(of: log).filter { $0.hasPrefix("enter") }
            #expect(entered.count == 23 + 3 * 8)
        }
    }
}

/// Cannot be spawned.
distributed actor Misgrouped: DurableActor {
    static var concurrencyGroups: [ConcurrencyGroup] { [ConcurrencyGroup("io", limit: 0)] }

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }
}
