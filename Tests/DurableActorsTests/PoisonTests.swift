import CBOR
import DurableActors
import DurableCore
import DurableStore
import DurableSupervisor
import Glibc
import Testing

/// Calls that crash their worker each time. Checked: three crashes, then a permanent error; all else goes on, exactly.
@Suite(.serialized) struct PoisonTests {
    private func deadLetters(_ runtime: ActorRuntime, shard: ShardNumber = 1) throws -> [DeadLetter] {
        let directory = ShardLayout.directory(of: shard, in: runtime.directory)
        return try ShardReader.read(directory).actors.flatMap(\.deadLetters)
    }

    @Test(arguments: [Fragile.Way.trap, .abort, .exit, .childTask])
    func `a call that crashes its worker is run three times, and the actor goes on with its other calls`(
        way: Fragile.Way
    ) async throws {
        let scratch = ScratchDirectory()
        let log = scratch.file("log")
        try await ActorRuntime.withRuntime { runtime in
            let fragile = try await runtime.spawn(Fragile.self, Fragile.Setup(), options: .resilient)
            #expect(try await fragile.add(5) == 5)
            let poison = fragile.submit { try await $0.crash(way, times: .max, log: log) }
            let others = (1...20).map { _ in fragile.submit { try await $0.add(1) } }
            let error = await failure { _ = try await poison.value }
            #expect(error?.code == .poisonCall, "\(String(describing: error))")
            #expect(error?.actor == fragile.id)
            let cause = way == .exit ? "exited with code 3" : "ended by signal"
            #expect(error?.message.contains("3 times in a row (lives 1, 2, 3)") == true)
            #expect(error?.message.contains(cause) == true)
            for (index, ref) in others.enumerated() { #expect(try await ref.value == 6 + index) }
            #expect(try await fragile.read() == 25, "nothing of the poison call is kept")
            #expect(Attempts.count(in: log) == 3)
            #expect(try await runtime.summary(of: fragile).restarts == 3)

            let letter = try #require(try deadLetters(runtime).first)
            #expect(letter.actor == fragile.id)
            #expect(letter.stored.method?.contains("5crash") == true)
            let arguments = try #require(letter.stored.arguments)
            #expect(try CBORDecoder().decode(Fragile.Way.self, from: arguments[0]) == way)
            #expect(try CBORDecoder().decode(String.self, from: arguments[2]) == log)
            #expect(letter.stored.incarnations == [1, 2, 3])
            #expect(letter.stored.cause.contains(cause))
            guard way == .trap else { return }
            #expect(letter.stored.stderrTail.contains("no way, größer"))
            #expect(error?.cause?.hasSuffix("no way, größer") == true, "\(error?.cause ?? "")")
        }
    }

    @Test func `a call that crashes twice is run a third time, whatever crashes in between`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let fragile = try await runtime.spawn(Fragile.self, Fragile.Setup(), options: .resilient)
            for number in 1...3 {
                let log = scratch.file("\(number)")
                #expect(try await fragile.crash(.trap, times: 2, log: log) == number * 1000)
                #expect(Attempts.count(in: log) == 3)
            }
            #expect(try await runtime.summary(of: fragile).restarts == 6)
            #expect(try deadLetters(runtime) == [])
        }
    }

    @Test(arguments: [(.unlimited, 7), (1, 1)] as [(RepeatLimit, Int)])
    func `RST-06: an actor's options say how many crashes make a call poison`(
        limit: RepeatLimit,
        runs: Int
    ) async throws {
        let scratch = ScratchDirectory()
        let log = scratch.file("log")
        try await ActorRuntime.withRuntime { runtime in
            var options = ActorOptions.resilient
            options.maxCallCrashes = limit
            let fragile = try await runtime.spawn(Fragile.self, Fragile.Setup(), options: options)
            let error = await failure { _ = try await fragile.crash(.trap, times: 6, log: log) }
            #expect(error?.code == (limit.isUnlimited ? nil : .poisonCall))
            #expect(Attempts.count(in: log) == runs)
        }
    }

    @Test func `poison calls that wait in line are each found`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let fragile = try await runtime.spawn(Fragile.self, Fragile.Setup(), options: .resilient)
            let logs = (0..<3).map { scratch.file("\($0)") }
            let refs = logs.map { log in fragile.submit { try await $0.crash(.abort, times: .max, log: log) } }
            for ref in refs { #expect(await failure { _ = try await ref.value }?.code == .poisonCall) }
            for log in logs { #expect(Attempts.count(in: log) == 3) }
            #expect(try await fragile.add(1) == 1)
            #expect(try deadLetters(runtime).count == 3)
        }
    }

    @Test func `a call whose worker is killed from outside, however often, is not to blame`() async throws {
        let scratch = ScratchDirectory()
        let (log, gate) = (scratch.file("log"), scratch.file("gate"))
        try await ActorRuntime.withRuntime { runtime in
            let fragile = try await runtime.spawn(Fragile.self, Fragile.Setup(), options: .resilient)
            let waiting = fragile.submit { try await $0.wait(for: gate, log: log) }
            for attempt in 1...5 {
                try await eventually("attempt \(attempt)") {
                    Attempts.count(in: log)
                } is: {
                    $0 == attempt
                }
                kill(try await runtime.process(of: fragile), attempt % 2 == 0 ? SIGKILL : SIGTERM)
            }
            try await eventually("the last attempt") {
                Attempts.count(in: log)
            } is: {
                $0 == 6
            }
            _ = Attempts.note(in: gate)
            #expect(try await waiting.value == 6)
            #expect(try deadLetters(runtime) == [])
        }
    }

    @Test func `without retries the caller learns that the actor was unavailable, and nothing is dead-lettered`()
        async throws
    {
        try await ActorRuntime.withRuntime { runtime in
            let options = ActorOptions(maxRestarts: .unlimited)
            let fragile = try await runtime.spawn(Fragile.self, Fragile.Setup(), options: options)
            for _ in 0..<4 {
                #expect(await failure { _ = try await fragile.explode(1) }?.code == .unavailable)
                try await eventually("the next life") {
                    try? await fragile.read()
                } is: {
                    $0 == 0
                }
            }
            #expect(try deadLetters(runtime) == [], "four calls, one crash each")
        }
    }

    @Test func `a supervisor that is killed in the middle delays the verdict and does not change it`() async throws {
        let scratch = ScratchDirectory()
        let log = scratch.file("log")
        try await ActorRuntime.withRuntime { runtime in
            let fragile = try await runtime.spawn(Fragile.self, Fragile.Setup(), options: .resilient)
            #expect(try await fragile.add(5) == 5)
            let poison = fragile.submit { try await $0.crash(.trap, times: .max, log: log) }
            let other = fragile.submit { try await $0.add(1) }
            try await eventually("a crash") {
                Attempts.count(in: log)
            } is: {
                $0 >= 1
            }
            kill(try #require(runtime.supervisorProcessID), SIGKILL)
            #expect(await failure { _ = try await poison.value }?.code == .poisonCall)
            #expect(try await other.value == 6)
            #expect((3...7).contains(Attempts.count(in: log)), "\(Attempts.count(in: log)) attempts")
            #expect(try deadLetters(runtime).count == 1)
        }
    }

    @Test func `a verdict outlives worker and supervisor, and the call is answered by it whenever it comes`()
        async throws
    {
        try await ActorRuntime.withRuntime { runtime in
            let fragile = try await runtime.spawn(Fragile.self, Fragile.Setup(), options: .resilient)
            #expect(try await fragile.add(5) == 5)
            let session = SessionID(high: 77, low: 77)
            func frame(_ caller: RawCaller, _ argument: Int) throws -> CallFrame {
                var frame = try caller.frame(1, to: fragile, "explode", argument)
                frame.id = CallID(session: session, sequence: 1)
                return frame
            }
            for life in 1...3 {
                let caller = try RawCaller(runtime, shard: 1)
                // The worker that answers this is the one that dies.
                _ = try await caller.send(caller.frame(1, to: fragile, "add", 0))
                caller.post(try frame(caller, 8))
                await #expect(throws: (any Error).self, "life \(life) ends") { try await caller.reply(to: 9) }
                #expect(try await fragile.read() == 5)
            }
            let open = try deadLetters(runtime)
            #expect(open.map(\.call) == [CallID(session: session, sequence: 1)])
            #expect(open.first?.stored.method == nil && open.first?.stored.arguments == nil)
            kill(try #require(runtime.supervisorProcessID), SIGKILL)
            kill(try await runtime.process(of: fragile), SIGKILL)
            #expect(try await fragile.read() == 5)

            let caller = try RawCaller(runtime, shard: 1)
            for _ in 0..<2 {
                #expect(try await caller.send(frame(caller, 8)).outcome.error?.code == .poisonCall)
            }
            let other = try await caller.send(frame(caller, 9))
            #expect(other.outcome.error?.code == .callIdReused)
            let letter = try #require(try deadLetters(runtime).first)
            #expect(letter.stored.method?.contains("7explode") == true)
            #expect(letter.stored.arguments == [try CBOREncoder().encode(8)])
            kill(try await runtime.process(of: fragile), SIGKILL)
            #expect(try await fragile.read() == 5)
            let last = try RawCaller(runtime, shard: 1)
            #expect(try await last.send(frame(last, 8)).outcome.error?.code == .poisonCall)
            #expect(try deadLetters(runtime) == [letter])
        }
    }
}

/// Crashes in a worker that many actors share: what one does costs the others a restart and no more.
@Suite(.serialized) struct SharedCrashTests {
    private func shared(maxRestarts: RepeatLimit, maxTaskRetries: RepeatLimit) -> ActorOptions {
        ActorOptions(maxRestarts: maxRestarts, maxTaskRetries: maxTaskRetries).shared("fragile")
    }

    @Test func `a poison call is charged to its actor, not to a neighbour whose call waits meanwhile`() async throws {
        let scratch = ScratchDirectory()
        let (gate, log) = (scratch.file("gate"), scratch.file("log"))
        try await ActorRuntime.withRuntime { runtime in
            let unlimited = shared(maxRestarts: .unlimited, maxTaskRetries: .unlimited)
            let frail = shared(maxRestarts: 0, maxTaskRetries: .unlimited)
            let fragile = try await runtime.spawn(Fragile.self, Fragile.Setup(), options: unlimited)
            let neighbour = try await runtime.spawn(Fragile.self, Fragile.Setup(), options: frail)
            #expect(try await neighbour.add(3) == 3)
            let waiting = neighbour.submit { try await $0.wait(for: gate, log: log) }
            try await eventually("the neighbour waits") {
                Attempts.count(in: log)
            } is: {
                $0 == 1
            }
            for number in 1...2 {
                let own = scratch.file("\(number)")
                let error = await failure { _ = try await fragile.crash(.trap, times: .max, log: own) }
                #expect(error?.code == .poisonCall)
                #expect(Attempts.count(in: own) == 3)
            }
            _ = Attempts.note(in: gate)
            #expect(try await waiting.value > 1, "it was begun again, and not dead-lettered")
            #expect(try await neighbour.add(1) == 4)
            #expect(try await runtime.summary(of: neighbour).restarts == 0)
            #expect(try await runtime.summary(of: fragile).restarts == 6)
        }
    }

    @Test(arguments: [0, 2]) func `an actor of a group that has used up its budget ends, and its neighbours live`(
        budget: Int
    ) async throws {
        try await ActorRuntime.withRuntime { runtime in
            let frail = shared(maxRestarts: RepeatLimit(budget), maxTaskRetries: 0)
            let fragile = try await runtime.spawn(Fragile.self, Fragile.Setup(), options: frail)
            let neighbour = try await runtime.spawn(
                Fragile.self,
                Fragile.Setup(),
                options: shared(maxRestarts: 0, maxTaskRetries: .unlimited)
            )
            for number in 0...budget {
                #expect(try await neighbour.add(1) == number + 1)
                let error = await failure { _ = try await fragile.explode(1) }
                #expect(error?.code == .unavailable || error?.code == .died, "\(String(describing: error))")
            }
            #expect(try await neighbour.add(1) == budget + 2)
            try await eventually("the end of the actor") {
                await failure { _ = try await fragile.read() }?.code
            } is: {
                $0 == .died
            }
            let actors = try await runtime.actors()
            #expect(actors.map(\.id) == [neighbour.id])
            #expect(actors.first?.restarts == 0)
        }
    }

    @Test func `the last actor of a group takes its worker with it when its budget is used up`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime(directory: scratch.file("data")) { runtime in
            let frail = shared(maxRestarts: 0, maxTaskRetries: 0)
            let fragile = try await runtime.spawn(Fragile.self, Fragile.Setup(), options: frail)
            _ = await failure { _ = try await fragile.explode(1) }
            try await eventually("the end of the shard") {
                RuntimeDirectory.entries(of: scratch.file("data/shards"))
            } is: {
                $0 == []
            }
            #expect(await failure { _ = try await fragile.read() }?.code == .died)
            let next = try await runtime.spawn(Fragile.self, Fragile.Setup(), options: frail)
            #expect(try await next.add(1) == 1)
        }
    }

    @Test func `a detached actor of a group whose budget is used up keeps its state and is not started again`()
        async throws
    {
        let scratch = ScratchDirectory()
        let directory = scratch.file("data")
        let log = scratch.file("log")
        let frail = shared(maxRestarts: 0, maxTaskRetries: 0).detached(name: "frail")
        let lasting = shared(maxRestarts: 0, maxTaskRetries: .unlimited).detached(name: "lasting")
        try await ActorRuntime.withRuntime(directory: directory) { runtime in
            let fragile = try await runtime.spawn(Fragile.self, Fragile.Setup(obstacle: "-", log: log), options: frail)
            let neighbour = try await runtime.spawn(Fragile.self, Fragile.Setup(), options: lasting)
            #expect(try await fragile.add(7) == 7)
            _ = await failure { _ = try await fragile.explode(1) }
            #expect(try await neighbour.add(1) == 1)
            #expect(await failure { _ = try await fragile.read() }?.code == .died)
            kill(try await neighbour.processID(), SIGKILL)
            #expect(try await neighbour.add(1) == 2)
            let raw = try RawCaller(runtime, shard: 1)
            #expect(try await raw.send(raw.frame(1, to: fragile, "add", 1)).outcome.error?.code == .died)
            #expect(Attempts.count(in: log) == 1, "it was built in its first life only")
            try await runtime.kill(neighbour)
            let state = try ShardReader.read(ShardLayout.directory(of: 1, in: directory)).actors
            #expect(state.map(\.id) == [fragile.id], "its rows are kept")
            try await runtime.kill(fragile)
        }
        #expect(RuntimeDirectory.entries(of: "\(directory)/shards") == [])
    }
}
