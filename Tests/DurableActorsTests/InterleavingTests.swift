import DurableActors
import DurableChaos
import DurableCore
import DurableStore
import Foundation
import Glibc
import Testing

/// Several open calls of one actor. Checked: order of start, exact counts over kills, and that what cannot be stored
/// ends every call that is open, and no other.
@Suite(.serialized, .timeLimit(.minutes(3))) struct InterleavingTests {
    private func options(_ calls: Int, _ durability: Durability = .process) -> ActorOptions {
        var options = ActorOptions.resilient
        options.maxConcurrency = calls
        options.durability = durability
        return options
    }

    @Test func `calls begin in the order of submission, however many run at once`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self)
            let actor = try await runtime.spawn(Interleaver.self, counter, options: options(64))
            let waits: [Interleaver.Wait] = [.yield, .nothing, .sleep, .hop, .section]
            let refs = (0..<2000).map { number in
                actor.submit { try await $0.add(number, waits[number % 5]) }
            }
            for ref in refs { _ = try await ref.value }
            #expect(try await actor.beginnings() == Array(0..<2000))
        }
    }

    /// Each call changes the state behind its last wait, so its change and its record are committed together.
    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func `STA-19: over kills at any moment, each interleaved call changes the state once`(seed: UInt64) async throws {
        var generator = SeededGenerator(seed: seed)
        var configuration = RuntimeConfiguration()
        // Every life dies beside a commit of its own choice; what is between two commits is hit most.
        configuration.faults = (1...Incarnation(25)).map { life in
            let points: [FaultPoint] = [
                .workerAfterCommit, .workerAfterCommit, .workerBeforeCommit, .workerInsideCommit,
            ]
            let point = points[Int.random(in: 0..<4, using: &generator)]
            let occurrence = Int.random(in: 2...30, using: &generator)
            return FaultSpecification(point, occurrence: occurrence, incarnation: life, action: .kill)
        }
        let order = (1...600).map { ($0, Interleaver.Wait.allCases.randomElement(using: &generator) ?? .yield) }
        try await ActorRuntime.withRuntime(configuration: configuration) { runtime in
            let counter = try await runtime.spawn(Counter.self, options: .resilient.shared("others"))
            let actor = try await runtime.spawn(Interleaver.self, counter, options: options(16))
            let refs = order.map { number, wait in actor.submit { try await $0.add(number, wait) } }
            for ref in refs { _ = try await ref.value }
            let everything = try await actor.everything()
            #expect(everything[-1] == 600 * 601 / 2, "seed \(seed)")
            let wrong = (1...600).filter { everything[$0] != 1 }
            #expect(wrong.isEmpty, "seed \(seed): \(wrong.map { "\(order[$0 - 1]): \(everything[$0] ?? 0)" })")
            let called = order.filter { $0.1 == .call }.map(\.0).reduce(0, +)
            #expect(try await counter.read() == called, "seed \(seed): calls of interleaved turns are made once")
            #expect(try await runtime.summary(of: actor).restarts > 5, "seed \(seed): it was killed")
        }
    }

    @Test func `what a call changed before it waits is stored with another's outcome, and stays when it runs again`()
        async throws
    {
        let scratch = ScratchDirectory()
        let (log, hold) = (scratch.file("log"), scratch.hold())
        try await ActorRuntime.withRuntime { runtime in
            let crowd = try await runtime.spawn(Crowd.self, log, options: options(4, .disk))
            let twice = crowd.submit { try await $0.addTwice(100, hold: hold) }
            #expect(try await crowd.work(1) == 1)
            #expect(try await crowd.sum() == 101)
            kill(try await runtime.process(of: crowd), SIGKILL)
            try await eventually("it runs again") {
                Notes.lines(of: log).count { $0 == "half 100" }
            } is: {
                $0 == 2
            }
            #expect(try await crowd.sum() == 201, "the half of the first run was committed, and is there")
            unlink(hold)
            #expect(try await twice.value == 301)
        }
    }

    @Test func `without another outcome nothing of a waiting call is stored`() async throws {
        let scratch = ScratchDirectory()
        let (log, hold) = (scratch.file("log"), scratch.hold())
        try await ActorRuntime.withRuntime { runtime in
            let crowd = try await runtime.spawn(Crowd.self, log, options: options(4))
            let twice = crowd.submit { try await $0.addTwice(100, hold: hold) }
            for life in 1...3 {
                try await eventually("life \(life)") {
                    Notes.lines(of: log).count { $0 == "half 100" }
                } is: {
                    $0 == life
                }
                kill(try await runtime.process(of: crowd), SIGKILL)
            }
            unlink(hold)
            #expect(try await twice.value == 200)
        }
    }

    @Test func `a commit that fails ends every open call of the actor, also those that wait for ever`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime(directory: scratch.file("data")) { runtime in
            let counter = try await runtime.spawn(Counter.self, options: .resilient.shared("others"))
            let actor = try await runtime.spawn(Interleaver.self, counter, options: options(8))
            #expect(try await actor.add(1, .nothing) == 1)
            let hanging = (0..<4).map { _ in actor.submit { try await $0.hang(1000) } }
            try await eventually("all wait") {
                try await actor.hanging()
            } is: {
                $0 == 4
            }
            let pid = try await runtime.process(of: actor)
            let frozen = try FrozenFile("\(ShardLayout.directory(of: 2, in: runtime.directory))/data.mdb")
            let changing = actor.submit { try await $0.add(5, .nothing) }
            #expect(await failure { _ = try await changing.value }?.code == .storageFailed)
            for ref in hanging { #expect(await failure { _ = try await ref.value }?.code == .storageFailed) }
            frozen.thaw()
            #expect(try await runtime.process(of: actor) == pid)
            // The half that was committed with an outcome stays; what came after it does not.
            #expect(try await actor.everything() == [-1: 4001, 1: 1])
            #expect(try await actor.hanging() == 0)
            #expect(try await actor.add(2, .sleep) == 4003)
        }
    }

    @Test(arguments: [false, true])
    func `a change that cannot be encoded ends every open call, and what was changed since the last commit is gone`(
        inCheckpoint: Bool
    ) async throws {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self)
            let actor = try await runtime.spawn(Interleaver.self, counter, options: options(8))
            #expect(try await actor.add(1, .nothing) == 1)
            let hanging = (0..<4).map { _ in actor.submit { try await $0.hang(0) } }
            try await eventually("all wait") {
                try await actor.hanging()
            } is: {
                $0 == 4
            }
            let error = await failure { _ = try await actor.spoil(500, inCheckpoint: inCheckpoint) }
            #expect(error?.code == .serialization && error?.cause?.contains("bad mood") == true)
            for ref in hanging { #expect(await failure { _ = try await ref.value }?.code == .serialization) }
            #expect(try await actor.add(2, .yield) == 3)
            #expect(try await runtime.summary(of: actor).restarts == 0)
        }
    }

    @Test(arguments: [8, 200])
    func `of many open calls only the one that crashes the worker is given up`(calls: Int) async throws {
        let scratch = ScratchDirectory()
        let (file, log, crashes) = (scratch.file("file"), scratch.file("log"), scratch.file("crashes"))
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self)
            let actor = try await runtime.spawn(Interleaver.self, counter, options: options(calls + 2))
            let waiting = (0..<calls).map { _ in actor.submit { try await $0.wait(for: file, log: log) } }
            let poison = actor.submit { try await $0.crash(.max, log: crashes) }
            let error = await failure { _ = try await poison.value }
            #expect(error?.code == .poisonCall, "\(String(describing: error))")
            #expect(Attempts.count(in: crashes) == 3)
            // Crashes of others, as often, make none of them poison.
            #expect(try await actor.crash(2, log: scratch.file("more")) == 2)
            _ = Attempts.note(in: file)
            for ref in waiting { #expect(try await ref.value > 0) }
            #expect(try await runtime.summary(of: actor).restarts == 5)
        }
    }

    @Test(arguments: Fragile.Way.allCases)
    func `of many calls in sections only the one whose section crashes is given up`(way: Fragile.Way) async throws {
        let scratch = ScratchDirectory()
        let (file, log, crashes) = (scratch.file("file"), scratch.file("log"), scratch.file("crashes"))
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self)
            let actor = try await runtime.spawn(Interleaver.self, counter, options: options(16))
            // Before and behind the one that crashes.
            let first = (0..<4).map { _ in actor.submit { try await $0.block(for: file, log: log) } }
            let poison = actor.submit { try await $0.crashBeside(way, log: crashes) }
            let last = (0..<4).map { _ in actor.submit { try await $0.block(for: file, log: log) } }
            let error = await failure { _ = try await poison.value }
            #expect(error?.code == .poisonCall, "\(String(describing: error))")
            #expect(error?.message.contains(way == .exit ? "code 3" : "ended by signal") == true)
            #expect(Attempts.count(in: crashes) == 3)
            _ = Attempts.note(in: file)
            for ref in first + last { #expect(try await ref.value > 0) }
            #expect(try await runtime.summary(of: actor).restarts == 3)
        }
    }

    @Test func `a call that goes to and fro without waiting for anything lets others run`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self)
            let actor = try await runtime.spawn(Interleaver.self, counter, options: options(4))
            let spinning = actor.submit { try await $0.spin() }
            #expect(try await actor.add(1, .hop) == 1)
            #expect(try await spinning.value > 0)
        }
    }

    @Test func `a key is one call also while it is open, and its group is that of the first to come`() async throws {
        let scratch = ScratchDirectory()
        let (log, hold) = (scratch.file("log"), scratch.hold())
        try await ActorRuntime.withRuntime { runtime in
            let crowd = try await runtime.spawn(Crowd.self, log, options: options(8))
            var keyed = CallOptions.idempotencyKey("one")
            let first = crowd.submit(keyed) { try await $0.work(7, hold: hold) }
            keyed.concurrencyGroup = "io"
            let second = crowd.submit(keyed) { try await $0.work(7, hold: hold) }
            try await eventually("it runs") {
                Notes.lines(of: log).count
            } is: {
                $0 == 2
            }
            kill(try await runtime.process(of: crowd), SIGKILL)
            unlink(hold)
            #expect(try await runtime.get([first, second]) == [49, 49])
            #expect(try await crowd.list() == [7])
        }
    }
}
