import DurableActors
import Glibc
import Synchronization
import Testing

/// Holds calls up until a file is there, and calls others of its kind.
distributed actor Gatekeeper: DurableActor {
    @Checkpointed var passed = 0

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }

    distributed func pass(_ gate: String) async throws -> Int {
        while Attempts.count(in: gate) == 0 { try await Task.sleep(for: .milliseconds(2)) }
        passed += 1
        return passed
    }

    distributed func relay(to other: Gatekeeper, _ gate: String) async throws -> Int { try await other.pass(gate) }

    /// Submits calls to another one whose gate is closed, opens it when those above the limit have failed, and says
    /// how many those were.
    distributed func flood(_ other: Gatekeeper, _ gate: String, limit: Int, calls: Int) async throws -> Int {
        let refs = (0..<calls).map { _ in other.submit { try await $0.pass(gate) } }
        var refused = 0
        for ref in refs.dropFirst(limit) {
            let error = await failure { _ = try await ref.value }
            if error?.code == .limitExceeded { refused += 1 }
        }
        _ = Attempts.note(in: gate)
        for ref in refs.prefix(limit) { _ = try await ref.value }
        return refused
    }
}

/// The limit of calls that one process may have to an actor at once.
@Suite(.serialized) struct PendingCallsTests {
    private var limited: ActorOptions {
        var options = ActorOptions()
        options.maxPendingCalls = 10
        return options
    }

    private func expectRefusal(_ error: ActorError?, by actor: Gatekeeper) {
        #expect(error?.code == .limitExceeded)
        #expect(error?.actor == actor.id)
        #expect(error?.message.contains("10 calls") == true)
        #expect(error?.message.contains("maxPendingCalls") == true)
    }

    @Test func `PND-01, PND-03: ten calls are taken, the eleventh fails at once, and room comes back`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let keeper = try await runtime.spawn(Gatekeeper.self, options: limited)
            for round in 1...2 {
                let gate = scratch.file("gate-\(round)")
                let refs = (0..<10).map { _ in keeper.submit { try await $0.pass(gate) } }
                let eleventh = keeper.submit { try await $0.pass(gate) }
                expectRefusal(await failure { _ = try await eleventh.value }, by: keeper)
                expectRefusal(await failure { _ = try await keeper.pass(gate) }, by: keeper)
                _ = Attempts.note(in: gate)
                var passed: [Int] = []
                for ref in refs { passed.append(try await ref.value) }
                #expect(passed == Array((round - 1) * 10 + 1...round * 10))
            }
        }
    }

    @Test func `PND-02: a caller at its limit takes nothing from another process`() async throws {
        let scratch = ScratchDirectory()
        let gate = scratch.file("gate")
        try await ActorRuntime.withRuntime { runtime in
            let keeper = try await runtime.spawn(Gatekeeper.self, options: limited)
            let other = try await runtime.spawn(Gatekeeper.self)
            let refs = (0..<10).map { _ in keeper.submit { try await $0.pass(gate) } }
            expectRefusal(await failure { _ = try await keeper.pass(gate) }, by: keeper)
            let relayed = other.submit { try await $0.relay(to: keeper, gate) }
            // The other process has its own count, and the same limit: it learns of it with the actor's place.
            let flood = scratch.file("flood")
            let third = try await runtime.spawn(Gatekeeper.self)
            _ = Attempts.note(in: gate)
            for ref in refs { _ = try await ref.value }
            #expect(try await relayed.value > 0)
            #expect(try await third.flood(keeper, flood, limit: 10, calls: 13) == 3)
        }
    }

    @Test func `PND-05: without a limit hundreds of calls wait; a limit that is none is refused`() async throws {
        let scratch = ScratchDirectory()
        let gate = scratch.file("gate")
        try await ActorRuntime.withRuntime { runtime in
            let keeper = try await runtime.spawn(Gatekeeper.self)
            let refs = (0..<500).map { _ in keeper.submit { try await $0.pass(gate) } }
            _ = Attempts.note(in: gate)
            var last = 0
            for ref in refs { last = try await ref.value }
            #expect(last == 500)
            for limit: RepeatLimit in [0, -2] {
                var options = ActorOptions()
                options.maxPendingCalls = limit
                let error = await failure { _ = try await runtime.spawn(Gatekeeper.self, options: options) }
                #expect(error?.code == .invalidArgument)
                #expect(error?.message.contains("maxPendingCalls") == true)
            }
        }
    }

    @Test func `PND-08: thousands of waiting calls are warned of at 5000 and each doubling, once each`() async throws {
        let scratch = ScratchDirectory()
        let gate = scratch.file("gate")
        let log = Lines()
        var configuration = RuntimeConfiguration()
        configuration.log = log.add
        try await ActorRuntime.withRuntime(configuration: configuration) { runtime in
            var options = ActorOptions()
            options.durability = .none
            let keeper = try await runtime.spawn(Gatekeeper.self, options: options)
            for _ in 1...2 {
                let refs = (0..<20_000).map { _ in keeper.submit { try await $0.pass(gate) } }
                try await eventually("three warnings have come") {
                    log.all.count
                } is: {
                    $0 == 3
                }
                _ = Attempts.note(in: gate)
                for ref in refs { _ = try await ref.value }
                unlink(gate)
            }
            #expect(log.all.compactMap { Int($0.prefix { $0 != " " }) } == [5000, 10_000, 20_000])
            #expect(log.all.allSatisfy { $0.contains("Gatekeeper \(keeper.id)") && $0.contains("maxPendingCalls") })
        }
    }

    @Test func `PND-08: 10000 calls that are awaited one after the other are not warned of`() async throws {
        let log = Lines()
        var configuration = RuntimeConfiguration()
        configuration.log = log.add
        try await ActorRuntime.withRuntime(configuration: configuration) { runtime in
            var options = ActorOptions()
            options.durability = .none
            let counter = try await runtime.spawn(Counter.self, options: options)
            for number in 1...10_000 { #expect(try await counter.add(1) == number) }
        }
        #expect(log.all == [])
    }

    @Test func `PND-09: a dead actor's callers hear of its death, however many they are`() async throws {
        let scratch = ScratchDirectory()
        let gate = scratch.file("gate")
        try await ActorRuntime.withRuntime { runtime in
            let keeper = try await runtime.spawn(Gatekeeper.self, options: limited)
            let running = (0..<10).map { _ in keeper.submit { try await $0.pass(gate) } }
            expectRefusal(await failure { _ = try await keeper.pass(gate) }, by: keeper)
            try await runtime.kill(keeper)
            // This process knows of the death when its open calls have failed of it.
            for ref in running {
                let error = await failure { _ = try await ref.value }
                #expect(error?.code == .died)
            }
            for ref in (0..<50).map({ _ in keeper.submit { try await $0.pass(gate) } }) {
                let error = await failure { _ = try await ref.value }
                #expect(error?.code == .died)
            }
        }
    }
}

/// Lines that come from any thread.
final class Lines: Sendable {
    private let lines = Mutex<[String]>([])

    var all: [String] { lines.withLock { $0 } }

    @Sendable func add(_ line: String) { lines.withLock { $0.append(line) } }
}
