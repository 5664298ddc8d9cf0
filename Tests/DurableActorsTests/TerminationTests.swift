import DurableActors
import Glibc
import Testing

/// Actors that are ended when they have done their work.
@Suite(.serialized, .timeLimit(.minutes(2))) struct TerminationTests {
    static let kinds = [ActorOptions.default, .resilient, .resilient.shared("group"), .resilient.detached(name: "one")]

    @Test(arguments: kinds)
    func
        `EXT-02, EXT-09, EXT-10: what came before a termination ends first, then its hook runs once, what follows fails`(
            options: ActorOptions
        ) async throws
    {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let setup = Worker.Setup(log: scratch.file("log"))
            let worker = try await runtime.spawn(Worker.self, setup, options: options)
            let hold = scratch.hold()
            let before = (1...5).map { number in worker.submit { try await $0.work(number, hold: hold) } }
            let end = Task.immediate { try await runtime.terminate(worker) }
            let behind = (6...8).map { number in worker.submit { try await $0.work(number, hold: "") } }
            try await eventually("the first call runs") {
                Notes.lines(of: setup.log)
            } is: {
                $0 == ["init", "work 1"]
            }
            unlink(hold)
            for (index, ref) in before.enumerated() { #expect(try await ref.value == index + 1) }
            try await end.value
            for ref in behind {
                let error = await failure { _ = try await ref.value }
                #expect(error?.code == .died && error?.message.contains("intended exit") == true)
            }
            #expect(await failure { _ = try await worker.work(9, hold: "") }?.code == .died)
            let works = (1...5).map { "work \($0)" }
            #expect(Notes.lines(of: setup.log) == ["init"] + works + ["hook 5"])
            #expect(try await runtime.actors().isEmpty)
            try await runtime.terminate(worker)
        }
    }

    @Test func `EXT-09: a termination lets earlier calls finish, fails later ones, and reports nothing in the log`()
        throws
    {
        let scratch = ScratchDirectory()
        let log = scratch.file("stderr")
        let driver = try TestProcess(["terminate", scratch.file("data")], errors: log)
        #expect(driver.line == "1 2 3 4 5 died died died")
        driver.end()
        #expect(Notes.lines(of: log) == [])
    }

    @Test(arguments: [false, true])
    func `EXT-02: calls that run at once all end before the termination begins`(isShared: Bool) async throws {
        let scratch = ScratchDirectory()
        var options = ActorOptions.resilient
        if isShared { options = options.shared("group") }
        options.maxConcurrency = 3
        try await ActorRuntime.withRuntime { [options] runtime in
            let setup = Worker.Setup(log: scratch.file("log"))
            let worker = try await runtime.spawn(Worker.self, setup, options: options)
            let hold = scratch.hold()
            let last = scratch.file("last")
            _ = Attempts.note(in: last)
            let first = [worker.submit { try await $0.work(1, hold: last) }]
            let before = (2...6).map { number in worker.submit { try await $0.work(number, hold: hold) } }
            let end = Task.immediate { try await runtime.terminate(worker) }
            let behind = worker.submit { try await $0.work(7, hold: "") }
            try await eventually("three calls run") {
                Notes.lines(of: setup.log).count
            } is: {
                $0 == 4
            }
            unlink(hold)
            for ref in before { #expect((1...5).contains(try await ref.value)) }
            #expect(!Notes.lines(of: setup.log).contains { $0.hasPrefix("hook") })
            unlink(last)
            #expect(try await first[0].value == 6)
            try await end.value
            #expect(await failure { _ = try await behind.value }?.code == .died)
            #expect(Notes.lines(of: setup.log) == ["init"] + (1...6).map { "work \($0)" } + ["hook 6"])
        }
    }

    @Test func `EXT-10: the hook does not run when an actor is killed, exits, crashes, or loses its owner`()
        async throws
    {
        let scratch = ScratchDirectory()
        let setup = Worker.Setup(log: scratch.file("log"))
        try await ActorRuntime.withRuntime { runtime in
            for way in Worker.Way.allCases {
                let worker = try await runtime.spawn(Worker.self, setup)
                #expect(try await worker.work(0, hold: "") == 1)
                if way == .kill {
                    try await runtime.kill(worker)
                } else {
                    await #expect(throws: ActorError.self) { try await worker.end(way) }
                }
                #expect(await failure { _ = try await worker.work(1, hold: "") }?.code == .died)
            }
            _ = try await runtime.spawn(Worker.self, setup).work(1, hold: "")
        }
        let lives = Worker.Way.allCases.flatMap { _ in ["init", "work 0"] }
        #expect(Notes.lines(of: setup.log) == lives + ["init", "work 1"])
    }

    @Test(arguments: [ActorOptions.default, .resilient.shared("group")])
    func `EXT-11: a hook that throws does not keep its actor`(options: ActorOptions) async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let setup = Worker.Setup(log: scratch.file("log"), isThrowing: true)
            let worker = try await runtime.spawn(Worker.self, setup, options: options)
            try await runtime.terminate(worker)
            #expect(Notes.lines(of: setup.log) == ["init", "hook 0"])
            #expect(try await runtime.actors().isEmpty)
        }
    }

    @Test func `an actor that is not done in time is killed`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let setup = Worker.Setup(log: scratch.file("log"))
            let worker = try await runtime.spawn(Worker.self, setup, options: .resilient)
            let hold = scratch.hold()
            let stuck = worker.submit { try await $0.work(1, hold: hold) }
            try await eventually("the call runs") {
                Notes.lines(of: setup.log)
            } is: {
                $0 == ["init", "work 1"]
            }
            try await runtime.terminate(worker, timeout: .milliseconds(50))
            let error = await failure { _ = try await stuck.value }
            #expect(error?.code == .died && error?.message.contains("killed") == true)
            #expect(Notes.lines(of: setup.log) == ["init", "work 1"])
            #expect(await failure { try await runtime.terminate(worker, timeout: .zero) }?.code == .invalidArgument)
        }
    }

    @Test func `a crash before the end lets the next life finish and terminate`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let setup = Worker.Setup(log: scratch.file("log"))
            let worker = try await runtime.spawn(Worker.self, setup, options: .resilient)
            let hold = scratch.hold()
            let before = worker.submit { try await $0.work(1, hold: hold) }
            let end = Task.immediate { try await runtime.terminate(worker) }
            try await eventually("the call runs") {
                Notes.lines(of: setup.log)
            } is: {
                $0 == ["init", "work 1"]
            }
            kill(try await runtime.process(of: worker), SIGKILL)
            unlink(hold)
            try await end.value
            #expect(try await before.value == 1)
            #expect(Notes.lines(of: setup.log) == ["init", "work 1", "init", "work 1", "hook 1"])
        }
    }

    @Test func `an actor can terminate another one`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let setup = Worker.Setup(log: scratch.file("log"))
            let worker = try await runtime.spawn(Worker.self, setup)
            let other = try await runtime.spawn(Worker.self, Worker.Setup(log: scratch.file("other")))
            try await other.terminate(worker)
            #expect(Notes.lines(of: setup.log) == ["init", "hook 0"])
            #expect(try await runtime.actors().map(\.id) == [other.id])
        }
    }
}

/// Notes what it does, and its end.
distributed actor Worker: DurableActor {
    struct Setup: Codable, Sendable {
        var log: String
        var isThrowing = false
    }

    enum Way: String, Codable, Sendable, CaseIterable {
        case kill, exit, crash
    }

    @Checkpointed var done = 0
    private let setup: Setup

    init(_ setup: Setup, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
        self.setup = setup
        Notes.write("init", to: setup.log)
    }

    func willTerminate() async throws {
        Notes.write("hook \(done)", to: setup.log)
        if setup.isThrowing { throw PlainError() }
    }

    distributed func work(_ number: Int, hold: String) async throws -> Int {
        Notes.write("work \(number)", to: setup.log)
        while access(hold, F_OK) == 0 { try await Task.sleep(for: .milliseconds(2)) }
        done += 1
        return done
    }

    distributed func end(_ way: Way) async throws {
        if way == .exit { try await ActorContext.exit() }
        raise(SIGKILL)
    }

    distributed func terminate(_ other: Worker) async throws { try await actorSystem.terminate(other) }
}
