import DurableActors
import DurableChaos
import DurableCore
import DurableSupervisor
import Glibc
import Testing

/// A counter that is added to, as the histories of its calls see it.
private struct Sum: SequentialModel {
    var value = 0

    mutating func apply(_ amount: Int) -> Int {
        value += amount
        return value
    }
}

/// Faults that no signal makes: what each does, that it bites, and that what was acknowledged is there once.
@Suite(.serialized, .timeLimit(.minutes(2))) struct LiveFaultTests {
    private static let options: ActorOptions = {
        var options = ActorOptions.resilient
        // An exit of its own looks like a crash of the call that runs.
        options.maxCallCrashes = .unlimited
        return options
    }()

    /// Gives `body` a counter at 1, for which the faults have come and whose schedule has not ended.
    @discardableResult
    private static func use(
        _ faults: [ChaosFault],
        _ body: @escaping @Sendable (ActorRuntime, Counter, ChaosLog) async throws -> Void
    ) async throws -> ChaosLog {
        let log = ChaosLog()
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self, options: options)
            #expect(try await counter.add(1) == 1)
            try await withChaos(runtime, ChaosSchedule(faults), log: log) {
                try await eventually("all faults have come") {
                    log.entries.count
                } is: {
                    $0 == faults.count
                }
                try await body(runtime, counter, log)
            }
        }
        #expect(log.entries.allSatisfy { !$0.victims.isEmpty }, "\(log.entries)")
        return log
    }

    private static func deaths(of runtime: ActorRuntime) async throws -> [LedgerEntry] {
        let read = {
            let store = try RegistryStore(RuntimeLayout(directory: runtime.directory), readOnly: true)
            defer { store.close() }
            return try store.ledger(newest: 10)
        }
        try await eventually("the death is in the ledger", read) { !$0.isEmpty }
        return try read()
    }

    @Test(arguments: [ChaosFault.Kind.exit, .kill, .abort, .terminate])
    func `a worker that a fault has ended is followed by the next life, and the ledger says that it was meant`(
        kind: ChaosFault.Kind
    ) async throws {
        try await Self.use([ChaosFault(kind, at: .zero)]) { runtime, counter, log async throws in
            let victim = try #require(log.entries.first?.victims.first)
            #expect(try await counter.add(1) == 2)
            #expect(try await counter.processID() != victim.processID)
            let death = try #require(try await Self.deaths(of: runtime).first)
            #expect(death.pid == victim.processID && death.isInjected == true, "\(death)")
            if kind == .exit { #expect(death.cause == .exit(code: 0)) }
        }
    }

    @Test func `a death that nobody has announced is not marked`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self, options: .resilient)
            let pid = try await counter.processID()
            kill(pid, SIGKILL)
            #expect(try await counter.add(1) == 1)
            #expect(try await Self.deaths(of: runtime).map(\.isInjected) == [nil])
        }
    }

    @Test func `a reply that is dropped behind its commit comes from the record, and the call has run once`()
        async throws
    {
        try await Self.use([ChaosFault(.dropReply, at: .zero)]) { _, counter, log async throws in
            let recorder = HistoryRecorder<Sum>()
            for expected in 2...5 { #expect(try await recorder.record(1) { try await counter.add(1) } == expected) }
            let history = recorder.history
            #expect(history.calls.map(\.stamp?.isRepeated) == [true, false, false, false], "\(history.calls)")
            #expect(history.witness(from: Sum(value: 1)).isWitnessed)
            #expect(try await counter.processID() == log.entries[0].victims[0].processID, "nobody died")
        }
    }

    @Test func `a reply that is late is waited for, and those behind it keep their order`() async throws {
        let time = Duration.milliseconds(300)
        try await Self.use([ChaosFault(.delayReply, at: .zero, lasting: time)]) { _, counter, _ async throws in
            let begin = ContinuousClock.now
            let calls = (2...5).map { _ in counter.submit { try await $0.add(1) } }
            for (call, expected) in zip(calls, 2...5) { #expect(try await call.value == expected) }
            #expect(ContinuousClock.now - begin >= time)
        }
    }

    @Test func `a reply that comes twice is taken once`() async throws {
        try await Self.use([ChaosFault(.duplicateReply, at: .zero)]) { runtime, counter, _ async throws in
            for expected in 2...5 { #expect(try await counter.add(1) == expected) }
        }
        try await Self.use([ChaosFault(.duplicateReply, at: .zero)]) { runtime, counter, _ async throws in
            let caller = try RawCaller(runtime, shard: 1)
            let first = try await caller.send(try caller.frame(1, to: counter, "add", 1))
            #expect(first.outcome.number == 2)
            #expect(try await caller.reply(to: 1) == first, "it does come twice")
        }
    }

    @Test func `a slow disk makes a commit slow`() async throws {
        let time = Duration.milliseconds(300)
        try await Self.use([ChaosFault(.slowDisk, at: .zero, lasting: time)]) { _, counter, _ async throws in
            let begin = ContinuousClock.now
            #expect(try await counter.add(1) == 2)
            #expect(ContinuousClock.now - begin >= time)
        }
    }

    @Test(arguments: [(ChaosFault.Kind.failDisk, ActorError.Code.storageFailed), (.fullDisk, .storageFull)])
    func `a commit that fails fails its call alone, which has changed nothing`(
        kind: ChaosFault.Kind,
        code: ActorError.Code
    ) async throws {
        try await Self.use([ChaosFault(kind, at: .zero)]) { _, counter, log async throws in
            let error = await #expect(throws: ActorError.self) { try await counter.add(1) }
            #expect(error?.code == code)
            #expect(try await counter.add(1) == 2)
            #expect(try await counter.processID() == log.entries[0].victims[0].processID, "nobody died")
        }
    }

    @Test func `a disk that is full for a while ends with the schedule at the latest`() async throws {
        let sums = AcknowledgedSums { error in
            [.storageFull, .storageFailed].contains((error as? ActorError)?.code)
        }
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self, options: Self.options)
            _ = try await sums.record(1) { try await counter.add(1) }
            let fault = ChaosFault(.fullDisk, at: .zero, lasting: .seconds(3600))
            let log = ChaosLog()
            try await withChaos(runtime, ChaosSchedule([fault]), log: log) {
                try await eventually("the fault has come") {
                    log.entries.count
                } is: {
                    $0 == 1
                }
                for _ in 0..<5 {
                    await #expect(throws: ActorError.self) { try await sums.record(1) { try await counter.add(1) } }
                }
            }
            // The actor may be about to be built anew.
            try await eventually("the disk has room again") {
                do { return try await sums.record(1) { try await counter.add(1) } } catch is ActorError { return -1 }
            } is: {
                $0 > 0
            }
            try sums.verify(try await counter.read())
        }
    }

    @Test func `a clock that jumps changes what people read, and nothing else`() async throws {
        let jump = ChaosFault(.jumpClock, at: .zero, lasting: .seconds(7200), choice: 1)
        try await Self.use([jump, ChaosFault(.kill, at: .milliseconds(1))]) { runtime, counter, log async throws in
            #expect(log.entries[0].victims.count == 2, "the worker and the supervisor")
            #expect(try await counter.add(1) == 2)
            let death = try #require(try await Self.deaths(of: runtime).first)
            let age = Int64(time(nil)) - death.milliseconds / 1000
            #expect((7190...7290).contains(age), "two hours back: \(age)")
        }
    }

    @Test func `another program that uses the runtime is killed, and never the one that runs the schedule`()
        async throws
    {
        let scratch = ScratchDirectory()
        let driver = try TestDriver(scratch.file("data"), "detached", additions: 3)
        defer { driver.end() }
        try await ActorRuntime.withRuntime(directory: scratch.file("data")) { runtime in
            let log = ChaosLog()
            let faults = [ChaosFault(.killDriver, at: .zero), ChaosFault(.killDriver, at: .milliseconds(300))]
            try await withChaos(runtime, ChaosSchedule(faults), log: log) {
                try await eventually("both have come due") {
                    log.entries.count
                } is: {
                    $0 == 2
                }
            }
            #expect(log.entries[0].victims.map(\.processID) == [driver.pid], "\(log.entries)")
            #expect(log.entries[1].victims.isEmpty, "\(log.entries)")
            #expect(!Processes.isAlive(driver.pid))
            for actor in try await runtime.actors() { try await runtime.kill(actor.id) }
        }
    }
}
