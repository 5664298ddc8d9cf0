import DurableActors
import Glibc
import Testing

/// Waiting for an actor to be there.
@Suite(.serialized, .timeLimit(.minutes(2))) struct ReadinessTests {
    private func expect(_ expected: [String], in log: String) async throws {
        try await eventually("the notes are there") {
            Notes.lines(of: log)
        } is: {
            $0 == expected
        }
    }

    @Test(arguments: [ActorOptions.resilient, .resilient.shared("group")])
    func `CRE-16: an actor is ready when its constructor has ended, in each life, and not before`(
        options: ActorOptions
    ) async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let setup = Witness.Setup(log: scratch.file("log"), hold: scratch.hold())
            let witness = try await runtime.spawn(Witness.self, setup, options: options)
            let early = witness.submit { try await $0.ready() }
            try await expect(["constructing"], in: setup.log)
            #expect(await failure { try await witness.ready(timeout: .milliseconds(20)) }?.code == .timedOut)
            #expect(!early.isReady)
            unlink(setup.hold)
            try await early.value
            #expect(try await witness.add(3) == 3)

            _ = Attempts.note(in: setup.hold)
            kill(try await runtime.process(of: witness), SIGKILL)
            let late = witness.submit { try await $0.ready() }
            try await expect(["constructing", "constructing"], in: setup.log)
            #expect(!late.isReady)
            unlink(setup.hold)
            try await late.value
            #expect(try await witness.add(1) == 4)
        }
    }

    @Test func `CRE-16: readiness comes behind the calls that were submitted before`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let patient = try await runtime.spawn(Patient.self, Patient.Setup(log: scratch.file("log")))
            let hold = scratch.hold()
            let before = patient.submit { try await $0.work(1, hold) }
            let ready = patient.submit { try await $0.ready() }
            try await expect(["begin 1"], in: scratch.file("log"))
            #expect(!ready.isReady)
            unlink(hold)
            try await ready.value
            #expect(Notes.lines(of: scratch.file("log")) == ["begin 1", "clean 1"])
            #expect(try await before.value == 1)
        }
    }

    @Test func `an actor that is gone is never ready, and says why`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let throwing = Picky.Setup(crashes: 0, log: scratch.file("log"), throwing: true)
            let refused = try await runtime.spawn(Picky.self, throwing, options: .resilient)
            let creation = await failure { try await refused.ready() }
            #expect(creation?.code == .died && creation?.message.contains("not today, schön") == true)

            let counter = try await runtime.spawn(Counter.self)
            try await counter.ready()
            try await runtime.kill(counter)
            let killed = await failure { try await counter.ready(timeout: .seconds(30)) }
            #expect(killed?.code == .died && killed?.message.contains("killed") == true)
            #expect(await failure { try await counter.ready(timeout: .zero) }?.code == .invalidArgument)
        }
    }

    @Test func `the wait for an actor without room ends in time or by cancellation`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let big = ActorOptions.default.resources(custom: ["none-of-this": 1])
            let counter = try await runtime.spawn(Counter.self, options: big)
            #expect(await failure { try await counter.ready(timeout: .milliseconds(20)) }?.code == .timedOut)
            let waiting = Task { try await counter.ready() }
            waiting.cancel()
            await #expect(throws: CancellationError.self) { try await waiting.value }
        }
    }
}
