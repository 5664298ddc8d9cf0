import DurableActors
import Foundation
import Glibc
import Testing

/// Tasks that are cancelled: while they wait, while they run, when they have ended, and over crashes.
@Suite(.serialized, .timeLimit(.minutes(2))) struct TaskCancellationTests {
    private func expect(_ expected: [String], in log: String) async throws {
        try await eventually("the notes are there") {
            Notes.lines(of: log)
        } is: {
            $0 == expected
        }
    }

    private func cancellation<Value>(of ref: ObjectRef<Value>) async -> ActorError? {
        let error = await failure { _ = try await ref.value(timeout: .seconds(30)) }
        return error?.code == .cancelled ? error : nil
    }

    @Test func `a task that waits for a worker never runs when it is cancelled, and holds up nobody`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let (hold, log) = (scratch.hold(), scratch.file("log"))
            let cores = ProcessInfo.processInfo.processorCount
            let held = (0..<cores).map { runtime.submit(StepTask(number: $0, hold: hold, log: scratch.file("held"))) }
            let queued = runtime.submit(StepTask(number: 1, log: log))
            let behind = runtime.submit(StepTask(number: 2, log: log))
            try await eventually("all workers are busy") {
                Notes.lines(of: scratch.file("held")).count
            } is: {
                $0 == cores
            }
            queued.cancel()
            #expect(await cancellation(of: queued) != nil, "at once: no worker is free yet")
            let made = runtime.submit(with: held[0]) { _ in StepTask(number: 3, log: log) }
            made.cancel()
            #expect(await cancellation(of: made) != nil)
            unlink(hold)
            _ = try await runtime.get(held)
            _ = try await behind.value
            #expect(Notes.lines(of: log) == ["begin 2", "end 2"])
        }
    }

    @Test func `a running task gets the signal where it waits, cleans up, and leaves its worker alive`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let (hold, log) = (scratch.hold(), scratch.file("log"))
            var expected: [String] = []
            for round in 1...10 {
                let ref = runtime.submit(WaitingTask(hold: hold, log: log))
                expected.append("begin")
                try await expect(expected, in: log)
                ref.cancel()
                let error = await cancellation(of: ref)
                #expect(error?.message.contains("WaitingTask was cancelled while it ran") == true, "round \(round)")
                expected.append("clean")
                #expect(Notes.lines(of: log) == expected)
            }
            #expect(try await runtime.taskWorkers().count == 1)
        }
    }

    @Test func `a task that has ended keeps its value, and so does one that pays no attention`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let done = runtime.submit(SquareTask(x: 3))
            #expect(try await done.value == 9)
            done.cancel()
            #expect(try await done.value == 9)
            let (hold, log) = (scratch.hold(), scratch.file("log"))
            let deaf = runtime.submit(WaitingTask(hold: hold, log: log, isDeaf: true))
            try await expect(["begin"], in: log)
            deaf.cancel()
            unlink(hold)
            #expect(try await deaf.value == 7)
        }
    }

    @Test(arguments: [true, false])
    func `calls that a cancelled task waits for are cancelled with it, or go on`(recursive: Bool) async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let (hold, log) = (scratch.hold(), scratch.file("log"))
            let patient = try await runtime.spawn(Patient.self, Patient.Setup(log: log))
            let ref = runtime.submit(CallingTask(patient: patient, hold: hold))
            try await expect(["begin 1"], in: log)
            ref.cancel(recursive: recursive)
            #expect(await cancellation(of: ref) != nil)
            if recursive { try await expect(["begin 1", "clean 1"], in: log) }
            #expect(Notes.lines(of: log).count == (recursive ? 2 : 1))
            unlink(hold)
            try await expect(["begin 1", "clean 1"], in: log)
        }
    }

    @Test func `a cancelled task whose worker dies does not run again`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let (hold, log) = (scratch.hold(), scratch.file("log"))
            let ref = runtime.submit(
                WaitingTask(hold: hold, log: log, isDeaf: true),
                options: TaskOptions(maxRetries: .unlimited)
            )
            try await expect(["begin"], in: log)
            ref.cancel()
            kill(try #require(try await runtime.taskWorkers().first?.processID), SIGKILL)
            #expect(await cancellation(of: ref) != nil)
            #expect(try await runtime.run(SquareTask(x: 2)) == 4)
            #expect(Notes.lines(of: log) == ["begin"])
        }
    }
}

/// Waits while the file is there.
struct WaitingTask: RemoteTask {
    var hold: String
    var log: String
    var isDeaf = false

    func run(on runtime: ActorRuntime) async throws -> Int {
        Notes.write("begin", to: log)
        defer { Notes.write("clean", to: log) }
        while access(hold, F_OK) == 0 {
            if isDeaf {
                await Task.detached { try? await Task.sleep(for: .milliseconds(2)) }.value
            } else {
                try await Task.sleep(for: .milliseconds(2))
            }
        }
        return 7
    }
}

/// Waits for a call.
struct CallingTask: RemoteTask {
    var patient: Patient
    var hold: String

    func run(on runtime: ActorRuntime) async throws -> Int { try await patient.work(1, hold) }
}
