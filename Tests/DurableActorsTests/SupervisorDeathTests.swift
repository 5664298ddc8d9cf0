import DurableActors
import Foundation
import Glibc
import Testing

/// The supervisor dies; workers, callers and restarts go on.
@Suite(.serialized) struct SupervisorDeathTests {
    @Test func `CHA-03: a killed supervisor does not fail a single call, and its workers go on`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self)
            let worker = try await counter.processID()
            var supervisors: Set<Int32> = []
            for round in 1...5 {
                let supervisor = try #require(runtime.supervisorProcessID)
                supervisors.insert(supervisor)
                let refs = (1...50).map { _ in counter.submit { try await $0.add(1) } }
                kill(supervisor, SIGKILL)
                for ref in refs { _ = try await ref.value }
                #expect(try await counter.read() == 50 * round)
                try await eventually("a new supervisor") {
                    runtime.supervisorProcessID
                } is: {
                    $0 != nil && $0 != supervisor
                }
                // Adopted: the next supervisor knows the worker that goes on.
                #expect(try await runtime.process(of: counter) == worker)
                #expect(try await counter.processID() == worker)
            }
            #expect(supervisors.count == 5)
        }
    }

    @Test func `a worker that dies together with its supervisor is restarted by the next one`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self, options: .resilient)
            for expected in 1...5 {
                #expect(try await counter.add(1) == expected)
                let worker = try await runtime.process(of: counter)
                kill(try #require(runtime.supervisorProcessID), SIGKILL)
                kill(worker, SIGKILL)
            }
            #expect(try await counter.read() == 5)
        }
    }

    @Test(arguments: [ActorOptions.default, .resilient.shared("group"), .resilient.detached(name: "one")])
    func `a worker that was assigned in its supervisor's last moment is adopted by the next one`(
        options: ActorOptions
    ) async throws {
        for _ in 0..<5 {
            let scratch = ScratchDirectory()
            try await ActorRuntime.withRuntime { runtime in
                let setup = Recorder.Setup(log: scratch.file("log"))
                let supervisor = try #require(runtime.supervisorProcessID)
                let recorder = try await runtime.spawn(Recorder.self, setup, options: options)
                kill(supervisor, SIGKILL)
                #expect(try await recorder.step(1) == 1)
                _ = try await runtime.process(of: recorder)
                #expect(try await recorder.step(2) == 2)
                #expect(Notes.lines(of: setup.log) == ["init", "step 1", "step 2"])
                try await runtime.kill(recorder)
            }
        }
    }

    @Test func `a constructor that throws while no supervisor is there is refused by the next one`() async throws {
        for _ in 0..<5 {
            let scratch = ScratchDirectory()
            try await ActorRuntime.withRuntime { runtime in
                let setup = Thrower.Setup(log: scratch.file("log"), hold: scratch.hold())
                let thrower = try await runtime.spawn(Thrower.self, setup)
                try await eventually("the constructor runs") {
                    Notes.lines(of: setup.log)
                } is: {
                    $0 == ["init"]
                }
                kill(try #require(runtime.supervisorProcessID), SIGKILL)
                unlink(setup.hold)
                let error = await failure { try await thrower.nothing() }
                #expect(error?.code == .died)
                #expect(error?.message.contains("constructor threw") == true, "\(String(describing: error))")
                #expect(Notes.lines(of: setup.log) == ["init"])
            }
        }
    }

    @Test(arguments: [ActorOptions.default, .resilient, .resilient.shared("group"), .resilient.detached(name: "one")])
    func `an actor that was killed does not come back when the supervisor dies as well`(
        options: ActorOptions
    ) async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            for round in 1...3 {
                let setup = Recorder.Setup(log: scratch.file("log-\(round)"))
                let recorder = try await runtime.spawn(Recorder.self, setup, options: options)
                #expect(try await recorder.step(1) == 1)
                let supervisor = try #require(runtime.supervisorProcessID)
                try await runtime.kill(recorder)
                kill(supervisor, SIGKILL)
                #expect(try await runtime.actors().isEmpty)
                #expect(await failure { _ = try await recorder.read() }?.code == .died)
                #expect(Notes.lines(of: setup.log) == ["init", "step 1"])
            }
        }
    }

    @Test func `a worker that was adopted and then dies is restarted on the same socket`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self, options: .resilient)
            #expect(try await counter.add(1) == 1)
            let supervisor = runtime.supervisorProcessID
            kill(try #require(supervisor), SIGKILL)
            try await eventually("a new supervisor") {
                runtime.supervisorProcessID
            } is: {
                $0 != nil && $0 != supervisor
            }
            kill(try await runtime.process(of: counter), SIGKILL)
            #expect(try await counter.add(1) == 2)
        }
    }

    @Test func `NAM-19: everything killed at once loses no acknowledged change of a detached actor`() async throws {
        let scratch = ScratchDirectory()
        let directory = scratch.file("data")
        var expected = 0
        for _ in 0..<3 {
            let driver = try TestDriver(directory, "detached", additions: 20)
            expected += 20
            #expect(driver.value == expected)
            for pid in Processes.children(of: driver.supervisor).map(\.pid) + [driver.supervisor, driver.pid] {
                kill(pid, SIGKILL)
            }
            for pid in [driver.supervisor, driver.worker] {
                try await eventually("process \(pid) is gone") {
                    Processes.isAlive(pid)
                } is: {
                    !$0
                }
            }
            driver.end()
        }
        let last = try TestDriver(directory, "detached", additions: 0)
        #expect(last.value == expected)
        last.killEverything()
    }

    @Test func `workers of a supervisor that nobody replaces end after the grace period`() async throws {
        let scratch = ScratchDirectory()
        let driver = try TestDriver(scratch.file("data"), "detached", additions: 1, graceMilliseconds: 300)
        kill(driver.pid, SIGKILL)
        driver.end()
        #expect(Processes.isAlive(driver.worker), "a detached actor goes on without its driver")
        #expect(Processes.isAlive(driver.supervisor))
        kill(driver.supervisor, SIGKILL)
        try await eventually("the worker is gone") {
            Processes.isAlive(driver.worker)
        } is: {
            !$0
        }
    }

    @Test func `the supervisor of a killed driver ends, with all that the driver owned`() async throws {
        let scratch = ScratchDirectory()
        let driver = try TestDriver(scratch.file("data"), "owned", additions: 1)
        let children = Processes.children(of: driver.supervisor).map(\.pid)
        #expect(children.contains(driver.worker))
        kill(driver.pid, SIGKILL)
        driver.end()
        for pid in children + [driver.supervisor] {
            try await eventually("process \(pid) is gone") {
                Processes.isAlive(pid)
            } is: {
                !$0
            }
        }
    }

    @Test func `a shut down runtime leaves no process and no file`() async throws {
        let runtime = try await ActorRuntime.start()
        let counter = try await runtime.spawn(Counter.self)
        _ = try await counter.add(1)
        let supervisor = try #require(runtime.supervisorProcessID)
        let children = Processes.children(of: supervisor).map(\.pid)
        #expect(!children.isEmpty)
        await runtime.shutdown()
        for pid in children + [supervisor] { #expect(!Processes.isAlive(pid)) }
        #expect(!FileManager.default.fileExists(atPath: runtime.directory))
        let error = await failure { _ = try await counter.read() }
        #expect(error?.code == .runtimeStopped)
    }
}

/// Throws in its constructor, when a file is gone.
distributed actor Thrower: DurableActor {
    struct Setup: Codable, Sendable {
        var log: String
        var hold: String
    }

    init(_ setup: Setup, actorSystem: ActorRuntime) async throws {
        self.actorSystem = actorSystem
        Notes.write("init", to: setup.log)
        while access(setup.hold, F_OK) == 0 { try await Task.sleep(for: .milliseconds(2)) }
        throw PlainError()
    }

    distributed func nothing() {}
}
