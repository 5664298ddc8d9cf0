import DurableActors
import Glibc
import Testing

/// Restart budgets, errors, names, kill.
@Suite(.serialized) struct LifecycleTests {
    @Test func `RST-03: without restarts an actor that died stays dead, and every call says so`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self)
            #expect(try await counter.add(1) == 1)
            let crash = await failure { try await counter.crash() }
            #expect(crash?.code == .died)
            for _ in 0..<100 {
                let error = await failure { _ = try await counter.read() }
                #expect(error?.code == .died)
                #expect(error?.actor == counter.id)
                #expect(error?.message.contains("SIGKILL") == true)
            }
        }
    }

    @Test(arguments: [1, 3]) func `RST-02: n restarts give n + 1 lives`(restarts: Int) async throws {
        try await ActorRuntime.withRuntime { runtime in
            let options = ActorOptions(maxRestarts: RepeatLimit(restarts), maxTaskRetries: .unlimited)
            let counter = try await runtime.spawn(Counter.self, options: options)
            var pids: Set<Int32> = []
            for life in 0...restarts {
                pids.insert(try await counter.processID())
                #expect(try await counter.add(1) == life + 1)
                kill(try await runtime.process(of: counter), SIGKILL)
            }
            let error = await failure { _ = try await counter.read() }
            #expect(error?.code == .died)
            #expect(pids.count == restarts + 1)
        }
    }

    @Test func `without retries a call fails as unavailable while the actor restarts, and works after`() async throws {
        var configuration = RuntimeConfiguration()
        configuration.warmSpares = 0
        try await ActorRuntime.withRuntime(configuration: configuration) { runtime in
            let counter = try await runtime.spawn(Counter.self, options: ActorOptions(maxRestarts: .unlimited))
            #expect(try await counter.add(1) == 1)
            let crash = await failure { try await counter.crash() }
            #expect(crash?.code == .unavailable)
            try await eventually("a call works again") {
                await failure { _ = try await counter.read() }
            } is: { error in
                #expect(error == nil || error?.code == .unavailable)
                return error == nil
            }
            #expect(try await counter.read() == 1)
        }
    }

    @Test func `RST-08: retries are bounded by their number`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let options = ActorOptions(maxRestarts: .unlimited, maxTaskRetries: 2)
            let counter = try await runtime.spawn(Counter.self, options: options)
            let error = await failure { _ = try await counter.addDying(1, times: 100, log: scratch.file("log")) }
            #expect(error?.code == .unavailable)
            #expect(Attempts.count(in: scratch.file("log")) == 3)
        }
    }

    @Test func `CRE-10: a call that throws keeps its actor alive and what it changed before`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self)
            let pid = try await counter.processID()
            await #expect(throws: Refusal(reason: "no, größer als 7")) { try await counter.addThenThrow(7) }
            let plain = await failure { try await counter.throwPlain() }
            #expect(plain?.code == .userError)
            #expect(plain?.message.contains("PlainError") == true)
            #expect(try await counter.read() == 7)
            #expect(try await counter.processID() == pid)
        }
    }

    @Test func `what a call changed before it threw is stored`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self, options: .resilient)
            let pid = try await counter.processID()
            await #expect(throws: Refusal.self) { try await counter.addThenThrow(7) }
            kill(pid, SIGKILL)
            #expect(try await counter.read() == 7)
        }
    }

    @Test func `a constructor that throws ends the actor at once, with its message`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let setup = Picky.Setup(crashes: 0, log: scratch.file("log"), throwing: true)
            let picky = try await runtime.spawn(Picky.self, setup, options: .resilient)
            let error = await failure { _ = try await picky.add(1) }
            #expect(error?.code == .died)
            #expect(error?.message.contains("not today, schön") == true)
        }
    }

    @Test func `RST-15: a constructor that crashes twice comes up the third time, and the waiting call succeeds`()
        async throws
    {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let setup = Picky.Setup(crashes: 2, log: scratch.file("log"), throwing: false)
            let options = ActorOptions(maxRestarts: 3, maxTaskRetries: .unlimited)
            let picky = try await runtime.spawn(Picky.self, setup, options: options)
            #expect(try await picky.add(1) == 1)
            #expect(Attempts.count(in: scratch.file("log")) == 3)
        }
    }

    @Test func `KIL-01, KIL-02, KIL-09: kill ends an actor for good, frees its name, and is no error the second time`()
        async throws
    {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.getOrCreate(Counter.self, name: "one")
            #expect(try await counter.add(4) == 4)
            try await runtime.kill(counter)
            try await runtime.kill(counter)
            let error = await failure { _ = try await counter.read() }
            #expect(error?.code == .died)
            #expect(error?.message.contains("kill") == true)
            let missing = await failure { _ = try await runtime.getActor(Counter.self, name: "one") }
            #expect(missing?.code == .notFound)
            let fresh = try await runtime.getOrCreate(Counter.self, name: "one")
            #expect(try await fresh.read() == 0)
            try await runtime.kill(fresh)
        }
    }

    @Test func `STA-14, KIL-04: kill with restart continues from the last commit`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self, options: .resilient)
            #expect(try await counter.add(4) == 4)
            try await runtime.kill(counter, noRestart: false)
            #expect(try await counter.add(1) == 5)
            #expect(try await runtime.summary(of: counter).restarts == 1)
        }
    }

    @Test func `1,000 callers that get or create one name at once get one actor, and none fails`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let ids = try await withThrowingTaskGroup(of: ActorID.self) { group in
                for _ in 0..<1_000 {
                    group.addTask { try await runtime.getOrCreate(Counter.self, name: "only").id }
                }
                return try await group.reduce(into: Set<ActorID>()) { $0.insert($1) }
            }
            #expect(ids.count == 1)
            #expect(Set(try await runtime.actors().map(\.id)) == ids)
            let taken = await failure {
                _ = try await runtime.spawn(Counter.self, options: .resilient.detached(name: "only"))
            }
            #expect(taken?.code == .nameTaken)
            try await runtime.kill(try await runtime.getActor(Counter.self, name: "only"))
        }
    }

    @Test func `NAM-11: bad options and names are refused where they are given`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            for options in [ActorOptions(maxRestarts: -2), ActorOptions(maxTaskRetries: -7)] {
                let error = await failure { _ = try await runtime.spawn(Counter.self, options: options) }
                #expect(error?.code == .invalidArgument)
            }
            for name in ["", ".hidden", "a/b", String(repeating: "x", count: 129), "ü"] {
                let error = await failure { _ = try await runtime.getOrCreate(Counter.self, name: name) }
                #expect(error?.code == .invalidArgument, "\(name)")
            }
        }
    }

    @Test func `arguments and results are values`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self)
            let box = Box(
                text: "ä\u{0}🙂",
                numbers: [0.1, -0.0, .infinity, 1e300],
                bytes: Array(0...255),
                nested: ["a": [1, nil], "": []],
                maybe: nil
            )
            #expect(try await counter.echo(box) == box)
            let large = Box(text: "", numbers: [], bytes: .init(repeating: 7, count: 5 << 20), nested: [:], maybe: 1)
            #expect(try await counter.echo(large) == large)
        }
    }
}
