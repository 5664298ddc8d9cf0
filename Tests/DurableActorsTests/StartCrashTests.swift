import DurableActors
import DurableStore
import Glibc
import Testing

/// Actors whose worker crashes while it starts them.
@Suite(.serialized) struct StartCrashTests {
    @Test(arguments: [false, true])
    func `an actor whose start crashes three times is quarantined, with its state kept and its neighbours alive`(
        isShared: Bool
    ) async throws {
        let scratch = ScratchDirectory()
        let (obstacle, log) = (scratch.file("obstacle"), scratch.file("log"))
        let directory = scratch.file("data")
        try await ActorRuntime.withRuntime(directory: directory) { runtime in
            var options = ActorOptions.resilient.detached(name: "fragile")
            if isShared { options = options.shared("fragile") }
            let setup = Fragile.Setup(obstacle: obstacle, log: log)
            let fragile = try await runtime.spawn(Fragile.self, setup, options: options)
            var other = ActorOptions.resilient
            if isShared { other = other.shared("fragile") }
            let neighbour = try await runtime.spawn(Fragile.self, Fragile.Setup(), options: other)
            #expect(try await fragile.add(5) == 5)
            #expect(try await neighbour.add(1) == 1)
            #expect(Attempts.count(in: log) == 1)
            for _ in 0..<10 { _ = Attempts.note(in: obstacle) }
            kill(try await fragile.processID(), SIGKILL)
            let error = await failure { _ = try await fragile.add(1) }
            #expect(error?.code == .quarantined, "\(String(describing: error))")
            #expect(error?.message.contains("crashed 3 times in a row while it started") == true)
            #expect(error?.message.contains("the way is blocked") == true, "the end of stderr is shown")
            #expect(Attempts.count(in: log) == 4)
            #expect(try await neighbour.add(1) == 2)
            // Whoever asks later gets the same, also from another life of the worker.
            if isShared { kill(try await neighbour.processID(), SIGKILL) }
            #expect(try await neighbour.add(1) == 3)
            #expect(await failure { _ = try await fragile.read() }?.code == .quarantined)
            #expect(Attempts.count(in: log) == 4)
            let stored = try ShardReader.read(ShardLayout.directory(of: 1, in: directory)).actors
            #expect(stored.first { $0.id == fragile.id }?.fields["value"]?.property == .value([5]))
            try await runtime.kill(fragile)
        }
    }

    @Test func `a start that crashes twice and then succeeds is forgiven`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let setup = Fragile.Setup(obstacle: scratch.file("obstacle"), log: scratch.file("log"))
            let fragile = try await runtime.spawn(Fragile.self, setup, options: .resilient)
            #expect(try await fragile.add(1) == 1)
            for round in 1...3 {
                for _ in 0..<2 { _ = Attempts.note(in: setup.obstacle) }
                let before = Attempts.count(in: setup.log)
                kill(try await runtime.process(of: fragile), SIGKILL)
                #expect(try await fragile.add(1) == round + 1)
                #expect(Attempts.count(in: setup.log) == before + 3)
            }
        }
    }
}
