import DurableActors
import Foundation
import Glibc
import Testing

/// Ray's cases of failure, restarts and retries.
@Suite(.serialized, .timeLimit(.minutes(2))) struct RestartConformance {
    @Test func `RST-01, ASY-10: without restarts the running call, the waiting ones and all later ones fail as died`()
        async throws
    {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let setup = Recorder.Setup(log: scratch.file("log"))
            let recorder = try await runtime.spawn(Recorder.self, setup)
            let hold = scratch.hold()
            let refs = (1...10).map { number in
                recorder.submit { try await $0.step(number, hold: hold) }
            }
            try await eventually("the first call runs") {
                Notes.lines(of: setup.log)
            } is: {
                $0 == ["init", "step 1"]
            }
            kill(try await runtime.process(of: recorder), SIGKILL)
            for ref in refs {
                let error = await failure { _ = try await ref.value }
                #expect(error?.code == .died && error?.actor == recorder.id)
            }
            #expect(await failure { _ = try await recorder.read() }?.code == .died)
            #expect(Notes.lines(of: setup.log) == ["init", "step 1"], "nothing was made again, nothing else was run")
        }
    }

    @Test func `RST-05: a call that crashes a restartable actor fails, and ran once`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let setup = Recorder.Setup(log: scratch.file("log"))
            let recorder = try await runtime.spawn(
                Recorder.self,
                setup,
                options: ActorOptions(maxRestarts: .unlimited)
            )
            let error = await failure { _ = try await recorder.stepDying(1, times: 100) }
            #expect(error?.code == .unavailable)
            try await eventually("a later call succeeds") {
                try? await recorder.read()
            } is: {
                $0 == 0
            }
            #expect(Notes.lines(of: setup.log) == ["init", "step 1", "init"])
        }
    }

    @Test func `RST-07: a retry enters the method and the constructor a second time, and changes once`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let setup = Recorder.Setup(log: scratch.file("log"))
            let recorder = try await runtime.spawn(Recorder.self, setup, options: .resilient)
            #expect(try await recorder.stepDying(1, times: 1) == 1)
            #expect(Notes.lines(of: setup.log) == ["init", "step 1", "init", "step 1"])
        }
    }

    @Test func `RST-15: without restarts an actor whose constructor crashes fails the first call as died`()
        async throws
    {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let setup = Picky.Setup(crashes: 1, log: scratch.file("log"), throwing: false)
            let picky = try await runtime.spawn(Picky.self, setup)
            let error = await failure { _ = try await picky.add(1) }
            #expect(error?.code == .died)
            #expect(error?.actor == picky.id)
            #expect(Attempts.count(in: setup.log) == 1)
        }
    }

    /// An actor that was killed and whose next life waits in its constructor until the file is gone.
    private func restarting(
        _ runtime: ActorRuntime,
        _ scratch: ScratchDirectory,
        _ options: ActorOptions
    ) async throws -> (Witness, Witness.Setup) {
        let setup = Witness.Setup(log: scratch.file("log"), hold: scratch.file("hold"))
        let witness = try await runtime.spawn(Witness.self, setup, options: options)
        #expect(try await witness.add(1) == 1)
        _ = scratch.hold()
        kill(try await runtime.process(of: witness), SIGKILL)
        try await eventually("the next constructor runs") {
            Notes.lines(of: setup.log)
        } is: {
            $0 == ["constructing", "constructing"]
        }
        return (witness, setup)
    }

    @Test func `RST-16: a call without retries to an actor that restarts fails as unavailable, and later ones work`()
        async throws
    {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let (witness, setup) = try await restarting(runtime, scratch, ActorOptions(maxRestarts: .unlimited))
            for _ in 0..<5 {
                #expect(await failure { _ = try await witness.add(1) }?.code == .unavailable)
            }
            try FileManager.default.removeItem(atPath: setup.hold)
            try await eventually("a later call succeeds") {
                try? await witness.look(1)
            } is: {
                $0 == 1
            }
        }
    }

    @Test func `RST-17: calls with one retry wait for an actor that restarts, and succeed`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let options = ActorOptions(maxRestarts: .unlimited, maxTaskRetries: 1)
            let (witness, setup) = try await restarting(runtime, scratch, options)
            let refs = (2...11).map { _ in witness.submit { try await $0.add(1) } }
            #expect(try await runtime.summary(of: witness).restarts == 1)
            try FileManager.default.removeItem(atPath: setup.hold)
            for (index, ref) in refs.enumerated() { #expect(try await ref.value == index + 2) }
        }
    }

    @Test func `RST-20: a crash is unavailable while a restart is left, and died when none is`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self, options: ActorOptions(maxRestarts: 1))
            #expect(try await counter.add(1) == 1)
            #expect(await failure { try await counter.crash() }?.code == .unavailable)
            try await eventually("the second life answers") {
                try? await counter.read()
            } is: {
                $0 == 1
            }
            #expect(await failure { try await counter.crash() }?.code == .died)
            #expect(await failure { _ = try await counter.read() }?.code == .died)
        }
    }

    @Test(arguments: [ActorOptions(maxRestarts: 3), .resilient])
    func `RST-21: a constructor that throws is not run again, and its text arrives whole`(
        options: ActorOptions
    ) async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let setup = Recorder.Setup(log: scratch.file("log"), isThrowing: true)
            let recorder = try await runtime.spawn(Recorder.self, setup, options: options)
            for _ in 0..<3 {
                let error = await failure { _ = try await recorder.read() }
                #expect(error?.code == .died)
                #expect(error?.message.contains("constructor threw") == true)
                #expect(error?.message.contains("nicht heute – 不行") == true, "\(String(describing: error))")
            }
            #expect(Notes.lines(of: setup.log) == ["init"])
        }
    }

    @Test func `RST-35: of six calls only those that a kill interrupted are run again`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let setup = Recorder.Setup(log: scratch.file("log"))
            let options = ActorOptions(maxRestarts: 1, maxTaskRetries: 1)
            let recorder = try await runtime.spawn(Recorder.self, setup, options: options)
            let done = (1...3).map { number in recorder.submit { try await $0.step(number) } }
            for (index, ref) in done.enumerated() { #expect(try await ref.value == index + 1) }
            let hold = scratch.hold()
            let interrupted = (4...6).map { number in recorder.submit { try await $0.step(number, hold: hold) } }
            let before = ["init", "step 1", "step 2", "step 3", "step 4"]
            try await eventually("the fourth call runs") {
                Notes.lines(of: setup.log)
            } is: {
                $0 == before
            }
            kill(try await runtime.process(of: recorder), SIGKILL)
            try FileManager.default.removeItem(atPath: hold)
            for (index, ref) in interrupted.enumerated() { #expect(try await ref.value == index + 4) }
            for (index, ref) in done.enumerated() { #expect(try await ref.value == index + 1) }
            #expect(Notes.lines(of: setup.log) == before + ["init", "step 4", "step 5", "step 6"])
        }
    }

    @Test func `RST-27: a caller's next life calls a healthy actor like the one before`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let caller = try await runtime.spawn(Counter.self, options: .resilient)
            let callee = try await runtime.spawn(Counter.self)
            let process = try await callee.processID()
            for expected in 1...4 { #expect(try await caller.forward(to: callee, 1) == expected) }
            kill(try await runtime.process(of: caller), SIGKILL)
            for expected in 5...7 { #expect(try await caller.forward(to: callee, 1) == expected) }
            #expect(try await callee.processID() == process)
        }
    }

    @Test func `RST-31: the error of a dead actor has its id and tells the kinds of death apart`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let killed = try await runtime.spawn(Counter.self)
            try await runtime.kill(killed)
            let crashed = try await runtime.spawn(Counter.self)
            await #expect(throws: ActorError.self) { try await crashed.crash() }
            let ended = try await runtime.spawn(Counter.self)
            await #expect(throws: ActorError.self) { try await ended.exit(code: 3) }
            let parent = try await runtime.spawn(Parent.self)
            let child = try await parent.firstChild()
            #expect(try await child.read() == 0)
            try await runtime.kill(parent)
            let causes = [
                (killed, "killed by a call to kill"), (crashed, "SIGKILL"), (ended, "exited with code 3"),
                (child, "its owner ended"),
            ]
            for (actor, cause) in causes {
                try await eventually("the actor is dead") {
                    await failure { _ = try await actor.read() }?.code
                } is: {
                    $0 == .died
                }
                let error = await failure { _ = try await actor.read() }
                #expect(error?.actor == actor.id)
                #expect(error?.message.contains(cause) == true, "\(String(describing: error))")
            }
            let setup = Recorder.Setup(log: scratch.file("log"), isThrowing: true)
            let unmade = try await runtime.spawn(Recorder.self, setup)
            let error = await failure { _ = try await unmade.read() }
            #expect(error?.code == .died && error?.actor == unmade.id)
            #expect(error?.message.contains("its constructor threw") == true, "\(String(describing: error))")
        }
    }
}
