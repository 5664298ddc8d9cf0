import DurableActors
import Testing

/// Ray's cases of kill.
@Suite(.serialized, .timeLimit(.minutes(2))) struct KillConformance {
    @Test func `KIL-03: a kill fails the call that runs for ever and those behind it`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let setup = Recorder.Setup(log: scratch.file("log"))
            let recorder = try await runtime.spawn(Recorder.self, setup, options: .resilient)
            let hold = scratch.hold()
            let refs = (1...10).map { number in
                recorder.submit { try await $0.step(number, hold: hold) }
            }
            try await eventually("the first call runs") {
                Notes.lines(of: setup.log)
            } is: {
                $0 == ["init", "step 1"]
            }
            try await runtime.kill(recorder)
            for ref in refs {
                let error = await failure { _ = try await ref.value }
                #expect(error?.code == .died)
                #expect(error?.message.contains("killed by a call to kill") == true, "\(String(describing: error))")
            }
            #expect(Notes.lines(of: setup.log) == ["init", "step 1"])
        }
    }

    @Test func `KIL-05: without restarts a kill that allows one ends the actor all the same`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self)
            #expect(try await counter.add(1) == 1)
            try await runtime.kill(counter, noRestart: false)
            try await eventually("the actor is dead") {
                await failure { _ = try await counter.read() }?.code
            } is: {
                $0 == .died
            }
            #expect(try await runtime.actors().isEmpty)
        }
    }

    @Test func `KIL-11: a handle that was passed on or found by its name can kill`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let passed = try await runtime.spawn(Counter.self, options: .resilient)
            let courier = try await runtime.spawn(Courier.self)
            #expect(try await passed.add(1) == 1)
            try await courier.end(passed)
            #expect(await failure { _ = try await passed.read() }?.code == .died)

            let named = try await runtime.getOrCreate(Counter.self, name: "one")
            #expect(try await named.add(1) == 1)
            try await runtime.kill(try await runtime.getActor(Counter.self, name: "one"))
            #expect(await failure { _ = try await named.read() }?.code == .died)
        }
    }

    @Test func `KIL-13: the children of a killed parent die of their owner's end`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let parent = try await runtime.spawn(Parent.self, options: .resilient)
            let children = [try await parent.firstChild(), try await parent.makeChild()]
            for child in children { #expect(try await child.add(1) == 1) }
            try await runtime.kill(parent)
            for child in children {
                try await eventually("the child is dead") {
                    await failure { _ = try await child.read() }?.code
                } is: {
                    $0 == .died
                }
                let last = await failure { _ = try await child.read() }
                #expect(last?.message.contains("its owner ended") == true, "\(String(describing: last))")
            }
        }
    }
}
