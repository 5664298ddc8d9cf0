import DurableActors
import DurableCore
import DurableStore
import Glibc
import Testing

/// Calls that come again late, too many at once, or under a key. Checked each time: nothing runs twice in silence.
@Suite(.serialized) struct ExactlyOnceTests {
    private func records(_ runtime: ActorRuntime, shard: ShardNumber = 1) throws -> Int {
        let directory = ShardLayout.directory(of: shard, in: runtime.directory)
        return try ShardReader.read(directory).actors.reduce(0) { $0 + $1.completions }
    }

    @Test func `a call that comes again when its record has expired is refused and not run`() async throws {
        var configuration = RuntimeConfiguration()
        configuration.sessionLease = .seconds(1)
        try await ActorRuntime.withRuntime(configuration: configuration) { runtime in
            let counter = try await runtime.spawn(Counter.self, options: .resilient)
            #expect(try await counter.read() == 0)
            let caller = try RawCaller(runtime, shard: 1)
            let sent = MachineClock.bootMilliseconds
            var frame = try caller.frame(1, to: counter, "add", 5)
            #expect(try await caller.send(frame).outcome.number == 5)
            frame.firstSent = sent
            let second = try await caller.send(frame).outcome
            // On a busy machine the lease can be over by now.
            if MachineClock.bootMilliseconds - sent < 1000 { #expect(second.number == 5, "by its record") }
            try await eventually("the record has expired") {
                try records(runtime)
            } is: {
                $0 == 0
            }
            #expect(MachineClock.bootMilliseconds - sent >= 1000)
            #expect(try await caller.send(frame).outcome.error?.code == .sessionExpired)
            kill(try await runtime.process(of: counter), SIGKILL)
            #expect(try await counter.read() == 5)
            let again = try RawCaller(runtime, shard: 1)
            #expect(try await again.send(frame).outcome.error?.code == .sessionExpired, "in a later life as well")
            // A caller that was idle for longer than the lease just goes on.
            let fresh = try caller.frame(2, to: counter, "add", 1)
            #expect(try await again.send(fresh).outcome.number == 6)
            #expect(try await counter.add(1) == 7)
        }
    }

    @Test func `a session that goes on keeps its records, and calls beyond their number are refused`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self, options: .resilient)
            #expect(try await counter.read() == 0)
            let caller = try RawCaller(runtime, shard: 1)
            let last = Limits.unacknowledgedCallsMax
            #expect(try await caller.send(caller.frame(last, to: counter, "add", 1)).outcome.number == 1)
            let refused = try await caller.send(caller.frame(last + 1, to: counter, "add", 1)).outcome.error
            #expect(refused?.code == .limitExceeded)
            #expect(refused?.message.contains("still waits for call 1,") == true, "\(refused?.message ?? "")")
            let later = try caller.frame(last + 1, to: counter, "add", 1, firstIncomplete: 2)
            #expect(try await caller.send(later).outcome.number == 2)
            #expect(try await counter.read() == 2)
        }
    }

    @Test func `more calls than records are kept for are made at once, and all are answered`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            var options = ActorOptions.resilient
            options.durability = .process
            let counter = try await runtime.spawn(Counter.self, options: options)
            let count = Int(Limits.unacknowledgedCallsMax) + 500
            let refs = (0..<count).map { _ in counter.submit { try await $0.add(1) } }
            for (index, ref) in refs.enumerated() { #expect(try await ref.value == index + 1) }
        }
    }

    @Test func `calls under one key are one call, whoever makes them in whatever life`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self, options: .resilient)
            let key = CallOptions.idempotencyKey("order-42")
            #expect(try await counter.with(key) { try await $0.add(5) } == 5)
            #expect(try await counter.with(key) { try await $0.add(5) } == 5)
            kill(try await runtime.process(of: counter), SIGKILL)
            #expect(try await counter.submit(key) { try await $0.add(5) }.value == 5)
            let other = await failure { _ = try await counter.with(key) { try await $0.add(6) } }
            #expect(other?.code == .callIdReused)
            #expect(try await counter.with(key) { [try await $0.add(5), try await $0.add(1)] } == [5, 6])
            #expect(try await counter.with(.idempotencyKey("order-43")) { try await $0.read() } == 6)
            #expect(try await counter.add(1) == 7)
            let same = try await counter.with(.idempotencyKey("order-43")) { try await $0.read() }
            #expect(same == 6, "the answer is kept also when nothing was changed")
            // The key is the actor's own.
            let second = try await runtime.spawn(Counter.self, options: .resilient)
            #expect(try await second.with(key) { try await $0.add(5) } == 5)
        }
    }

    @Test func `a call under a key that comes again while it runs is joined, also by another caller`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self, options: .resilient)
            let pid = try await counter.processID()
            let (first, second) = (try RawCaller(runtime, shard: 1), try RawCaller(runtime, shard: 1))
            for caller in [first, second] { _ = try await caller.send(caller.frame(1, to: counter, "add", 0)) }
            var frames = [try first.frame(2, to: counter, "add", 5), try second.frame(9, to: counter, "add", 5)]
            var reused = try second.frame(10, to: counter, "add", 6)
            let key = CallKey(text: "k", of: counter.id)
            let deduplication = Deduplication(key, retentionMilliseconds: 60_000, isExplicit: true)
            for index in 0..<2 { frames[index].deduplication = deduplication }
            reused.deduplication = deduplication
            kill(pid, SIGSTOP)
            try await eventually("the worker is stopped") {
                Processes.isStopped(pid)
            } is: {
                $0
            }
            first.post(frames[0])
            second.post(frames[1])
            second.post(reused)
            kill(pid, SIGCONT)
            #expect(try await first.reply(to: 2).outcome.number == 5)
            #expect(try await second.reply(to: 9).outcome.number == 5)
            #expect(try await second.reply(to: 10).outcome.error?.code == .callIdReused)
            #expect(try await counter.read() == 5)
        }
    }

    @Test func `after its retention a key is a new call, and an old frame under it is refused`() async throws {
        var configuration = RuntimeConfiguration()
        configuration.sessionLease = .seconds(2)
        try await ActorRuntime.withRuntime(configuration: configuration) { runtime in
            let counter = try await runtime.spawn(Counter.self, options: .resilient)
            #expect(try await counter.read() == 0)
            let caller = try RawCaller(runtime, shard: 1)
            var frame = try caller.frame(1, to: counter, "add", 5)
            let sent = MachineClock.bootMilliseconds
            let key = CallKey(text: "k", of: counter.id)
            frame.deduplication = Deduplication(key, retentionMilliseconds: 300, isExplicit: true)
            #expect(try await caller.send(frame).outcome.number == 5)
            let short = CallOptions.idempotencyKey("k", retention: .milliseconds(300))
            try await eventually("the key is a new call") {
                try await counter.with(short) { try await $0.add(5) }
            } is: {
                $0 == 10
            }
            try await eventually("the records are removed") {
                try records(runtime)
            } is: {
                $0 == 0
            }
            frame.firstSent = sent
            #expect(try await caller.send(frame).outcome.error?.code == .sessionExpired)
            #expect(try await counter.read() == 10)
        }
    }

    @Test func `an actor that keeps as many records with a key as it may refuses new keys until some expire`()
        async throws
    {
        var configuration = RuntimeConfiguration()
        configuration.sessionLease = .seconds(1)
        configuration.keyedRecordsMax = 3
        try await ActorRuntime.withRuntime(configuration: configuration) { runtime in
            let counter = try await runtime.spawn(Counter.self, options: .resilient)
            func add(_ number: Int, for retention: Duration = .seconds(60)) async throws -> Int {
                try await counter.with(.idempotencyKey("\(number)", retention: retention)) { try await $0.add(1) }
            }
            for number in 1...2 { #expect(try await add(number) == number) }
            #expect(try await add(3, for: .milliseconds(500)) == 3)
            kill(try await runtime.process(of: counter), SIGKILL)
            let refused = await failure { _ = try await add(4) }
            #expect(refused?.code == .limitExceeded)
            #expect(refused?.message.contains("keeps 3 records of calls with a key") == true)
            for number in 1...2 { #expect(try await add(number) == number, "none was evicted") }
            #expect(try await counter.add(1) == 4, "calls without a key go on")
            try await eventually("a record has expired and the next key is taken") {
                try? await add(4)
            } is: {
                $0 == 5
            }
        }
    }

    @Test func `options that are not allowed are refused by name`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self)
            let long = String(repeating: "k", count: 513)
            for (options, name) in [
                (CallOptions.idempotencyKey(""), "idempotencyKey"), (.idempotencyKey(long), "idempotencyKey"),
                (.idempotencyKey("k", retention: .zero), "retention"),
                (.idempotencyKey("k", retention: .seconds(31 * 86_400)), "retention"),
            ] {
                let error = await failure { _ = try await counter.with(options) { try await $0.add(1) } }
                #expect(error?.code == .invalidArgument)
                #expect(error?.message.hasPrefix(name) == true)
            }
            #expect(try await counter.read() == 0)
        }
        var configuration = RuntimeConfiguration()
        configuration.sessionLease = .milliseconds(999)
        let error = await failure { _ = try await ActorRuntime.start(configuration: configuration) }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.hasPrefix("sessionLease") == true)
    }

    @Test func `a caller that is killed and started again makes its call with a key once`() async throws {
        let scratch = ScratchDirectory()
        let runtime = try await ActorRuntime.start(directory: scratch.file("data"))
        for round in 1...4 {
            let driver = try TestProcess(["key", scratch.file("data"), "order-\(round / 2)", "5"])
            let expected = ["1": 5, "2": 10, "3": 10, "4": 15]["\(round)"]
            #expect(Int(driver.line) == expected, "round \(round)")
            kill(driver.pid, SIGKILL)
            driver.end()
        }
        for actor in try await runtime.actors() { try await runtime.kill(actor.id) }
        await runtime.shutdown()
    }
}
