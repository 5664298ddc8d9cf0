import DurableActors
import Glibc
import Testing

/// Calls others in a row, and perhaps itself.
distributed actor Caller: DurableActor {
    @Checkpointed var visits = 0

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }

    distributed func count() -> Int { visits }

    /// Has the first one of a path visit the rest; says how many there were.
    distributed func visit(_ path: [Caller]) async throws -> Int {
        visits += 1
        guard let next = path.first else { return 1 }
        return 1 + (try await next.visit(Array(path.dropFirst())))
    }

    /// Calls itself without waiting, in the two ways that there are.
    distributed func leave(_ me: Caller) async throws -> Int {
        _ = me.submit { try await $0.visit([]) }
        // Nobody waits for it; it ends with its call.
        Task { try await me.visit([]) }
        return visits
    }

    /// Calls itself and waits for a limited time; says what became of it.
    distributed func visitInTime(_ me: Caller) async throws -> String {
        do {
            _ = try await me.with(.timeout(.milliseconds(100))) { try await $0.visit([]) }
            return "answered"
        } catch let error as ActorError {
            return "\(error.code)"
        }
    }

    /// The same, in a child task that is given up when another one has ended.
    distributed func visitInRace(_ me: Caller) async throws -> String {
        try await withThrowingTaskGroup(of: String.self) { group in
            group.addTask { "\(try await me.visit([]))" }
            group.addTask {
                try await Task.sleep(for: .milliseconds(100))
                return "too late"
            }
            defer { group.cancelAll() }
            return try await group.next() ?? ""
        }
    }

    /// Goes on when the call that waits for itself has failed.
    distributed func visitAndGoOn(_ path: [Caller]) async throws -> String {
        do {
            return "\(try await path[0].visit(Array(path.dropFirst())))"
        } catch let error as ActorError where error.code == .deadlock {
            visits += 100
            return error.message
        }
    }

    /// Makes the same call again through another one, under the key that it has itself.
    distributed func knock(at other: Caller) async throws -> Int { try await other.knockBack(at: self, for: other) }

    distributed func knockBack(at first: Caller, for second: Caller) async throws -> Int {
        try await first.with(.idempotencyKey("knock")) { try await $0.knock(at: second) }
    }

    /// Waits while a file of this name exists, then has another one visited.
    distributed func visitLater(_ other: Caller, hold: String, log: String) async throws -> Int {
        Notes.write("waits", to: log)
        while access(hold, F_OK) == 0 { try await Task.sleep(for: .milliseconds(2)) }
        return try await other.visit([])
    }

    distributed func visitBack(by other: Caller, hold: String, log: String) async throws -> Int {
        try await other.visitLater(self, hold: hold, log: log)
    }
}

/// Its constructor has another one call it.
distributed actor Newborn: DurableActor {
    init(_ godparent: Godparent, actorSystem: ActorRuntime) async throws {
        self.actorSystem = actorSystem
        _ = try await godparent.greet(self)
    }

    distributed func age() -> Int { 0 }
}

distributed actor Godparent: DurableActor {
    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }

    distributed func greet(_ newborn: Newborn) async throws -> Int { try await newborn.age() }
}

/// Calls that would wait for themselves. Checked: they fail with the cycle instead of hanging, and nothing else does.
@Suite(.serialized, .timeLimit(.minutes(1))) struct DeadlockTests {
    private func name(_ caller: some DurableActor) -> String {
        "\(type(of: caller)) \(caller.id.description.prefix(8))"
    }

    @Test(arguments: [ActorOptions(), .resilient, .resilient.shared("callers")])
    func `a serial actor that waits for itself, directly or over others, gets an error that names the cycle`(
        options: ActorOptions
    ) async throws {
        try await ActorRuntime.withRuntime { runtime in
            let a = try await runtime.spawn(Caller.self, options: options)
            let b = try await runtime.spawn(Caller.self, options: options)
            let c = try await runtime.spawn(Caller.self, options: options)
            for (path, cycle) in [([a], [a, a]), ([b, a], [a, b, a]), ([b, c, b, a], [b, c, b])] {
                let error = await failure { _ = try await a.visit(path) }
                #expect(error?.code == .deadlock)
                #expect(error?.actor == cycle.last?.id)
                let names = cycle.map { name($0) }.joined(separator: " -> ")
                #expect(error?.message.contains(", and was not run: \(names);") == true, "\(error?.message ?? "")")
            }
            #expect(try await a.visitAndGoOn([b, c, a]).contains("\(name(c)) -> \(name(a));"))
            #expect(try await a.visit([b, c]) == 3)
            // Each visit but the refused ones has been, once.
            #expect(try await a.count() == 3 + 100 + 1)
            #expect(try await b.count() == 4)
            #expect(try await c.count() == 3)
        }
    }

    @Test func `an actor that lets several calls run may call itself, until all of them wait`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let a = try await runtime.spawn(Caller.self, options: .maxConcurrency(3))
            let b = try await runtime.spawn(Caller.self)
            #expect(try await a.visit([a, b, a]) == 4)
            #expect(await failure { _ = try await a.visit([a, a, b, a]) }?.code == .deadlock)
            #expect(try await a.visit([a, a]) == 3)
        }
    }

    @Test func `a call that nobody waits for, or not for ever, runs when its maker has ended`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let a = try await runtime.spawn(Caller.self, options: .resilient)
            #expect(try await a.leave(a) == 0)
            try await eventually("both calls have run") {
                try await a.count()
            } is: {
                $0 == 2
            }
            #expect(try await a.visitInTime(a) == "timedOut")
            try await eventually("the call that was given up runs") {
                try await a.count()
            } is: {
                $0 == 3
            }
            #expect(try await a.visitInRace(a) == "too late")
        }
    }

    @Test func `a call that waits for its own outcome under its own key gets the error`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let a = try await runtime.spawn(Caller.self, options: .maxConcurrency(4))
            let b = try await runtime.spawn(Caller.self)
            let error = await failure {
                _ = try await a.with(.idempotencyKey("knock")) { try await $0.knock(at: b) }
            }
            #expect(error?.code == .deadlock)
            #expect(try await a.count() == 0)
        }
    }

    @Test func `a constructor that waits for a call to its own actor fails with the cycle`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let godparent = try await runtime.spawn(Godparent.self)
            let newborn = try await runtime.spawn(Newborn.self, godparent)
            let error = await failure { _ = try await newborn.age() }
            #expect(error?.code == .died)
            let cycle = "\(name(newborn)) -> \(name(godparent)) -> \(name(newborn))"
            #expect(error?.message.contains(cycle) == true, "\(error?.message ?? "")")
        }
    }

    @Test func `when the life that waited is over, the call runs in the next one`() async throws {
        let scratch = ScratchDirectory()
        let (log, hold) = (scratch.file("log"), scratch.hold())
        try await ActorRuntime.withRuntime { runtime in
            let a = try await runtime.spawn(Caller.self, options: .resilient)
            let b = try await runtime.spawn(Caller.self, options: .resilient)
            let waiting = a.submit(.maxTaskRetries(0)) { try await $0.visitBack(by: b, hold: hold, log: log) }
            try await eventually("the other one waits") {
                Notes.lines(of: log)
            } is: {
                $0 == ["waits"]
            }
            kill(try await runtime.process(of: a), SIGKILL)
            #expect(await failure { _ = try await waiting.value }?.code == .unavailable)
            unlink(hold)
            try await eventually("it was visited") {
                try await a.count()
            } is: {
                $0 == 1
            }
        }
    }
}
