import DurableActors
import DurableSupervisor
import Glibc
import Testing

/// Detached actors that are out of restarts, or were refused.
@Suite(.serialized) struct DetachedTests {
    private let options = ActorOptions(maxRestarts: 1)

    @Test func `a detached actor out of restarts is dead, and keeps name and state until it is killed`() async throws {
        let scratch = ScratchDirectory()
        let layout = RuntimeLayout(directory: scratch.file("data"))
        try await ActorRuntime.withRuntime(directory: layout.directory) { runtime in
            let counter = try await runtime.getOrCreate(Counter.self, name: "kept", options: options)
            #expect(try await counter.add(7) == 7)
            try await exhaust(counter)
            for _ in 0..<3 {
                let same = try await runtime.getActor(Counter.self, name: "kept")
                #expect(same.id == counter.id)
                let error = await failure { _ = try await same.read() }
                #expect(error?.code == .died)
                #expect(error?.message.contains("1 restart") == true, "\(String(describing: error))")
            }
            let taken = await failure {
                _ = try await runtime.spawn(Counter.self, options: options.detached(name: "kept"))
            }
            #expect(taken?.code == .nameTaken)
            #expect(try await runtime.getOrCreate(Counter.self, name: "kept").id == counter.id)
            #expect(RuntimeDirectory.entries(of: layout.shard(1)).contains("data.mdb"))

            try await runtime.kill(counter)
            #expect(RuntimeDirectory.entries(of: layout.shard(1)).isEmpty, "its state is gone")
            let missing = await failure { _ = try await runtime.getActor(Counter.self, name: "kept") }
            #expect(missing?.code == .notFound)
            let fresh = try await runtime.getOrCreate(Counter.self, name: "kept")
            #expect(fresh.id != counter.id)
            #expect(try await fresh.read() == 0)
            try await runtime.kill(fresh)
        }
    }

    @Test func `the next supervisor gives a detached actor out of restarts its state and a whole budget`() async throws
    {
        let scratch = ScratchDirectory()
        let directory = scratch.file("data")
        var expected = 0
        for _ in 0..<3 {
            try await ActorRuntime.withRuntime(directory: directory) { runtime in
                let counter = try await runtime.getOrCreate(Counter.self, name: "kept", options: options)
                #expect(try await counter.read() == expected)
                #expect(try await runtime.summary(of: counter).restarts == 0)
                #expect(try await counter.add(1) == expected + 1)
                expected += 1
                try await exhaust(counter)
            }
        }
        try await ActorRuntime.withRuntime(directory: directory) { runtime in
            let counter = try await runtime.getActor(Counter.self, name: "kept")
            #expect(try await counter.read() == expected)
            try await runtime.kill(counter)
        }
    }

    @Test func `a detached actor whose constructor threw is dead and keeps its name until it is killed`() async throws {
        let scratch = ScratchDirectory()
        var setup = Picky.Setup(crashes: 0, log: scratch.file("log"), throwing: true)
        for round in 1...2 {
            try await ActorRuntime.withRuntime(directory: scratch.file("data")) { runtime in
                let picky = try await runtime.getOrCreate(Picky.self, name: "picky", setup, options: .resilient)
                for _ in 0..<3 {
                    let same = try await runtime.getActor(Picky.self, name: "picky")
                    #expect(same.id == picky.id)
                    let error = await failure { _ = try await same.add(1) }
                    #expect(error?.code == .died, "round \(round)")
                    #expect(error?.message.contains("not today, schön") == true, "\(String(describing: error))")
                }
            }
        }
        setup.throwing = false
        try await ActorRuntime.withRuntime(directory: scratch.file("data")) { runtime in
            let dead = try await runtime.getOrCreate(Picky.self, name: "picky", setup)
            #expect(await failure { _ = try await dead.add(1) }?.code == .died, "its recorded arguments count")
            try await runtime.kill(dead)
            let fresh = try await runtime.getOrCreate(Picky.self, name: "picky", setup)
            #expect(try await fresh.add(1) == 1)
            try await runtime.kill(fresh)
        }
    }

    /// Kills two lives, which is all that one restart gives.
    private func exhaust(_ counter: Counter) async throws {
        var pids: Set<Int32> = []
        for _ in 0...1 {
            try await eventually("the actor answers") {
                try? await counter.processID()
            } is: { pid in
                pid.map { pids.insert($0).inserted } ?? false
            }
            await #expect(throws: ActorError.self) { try await counter.crash() }
        }
        try await eventually("the actor is dead") {
            await failure { _ = try await counter.read() }?.code
        } is: {
            $0 == .died
        }
        #expect(pids.count == 2)
    }
}
