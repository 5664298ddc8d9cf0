import DurableActors
import DurableChaos
import DurableCore
import Glibc
import Synchronization
import Testing

/// Values that are put, and references that travel.
@Suite(.serialized) struct ObjectStoreTests {
    @Test func `REF-09: what is put is a copy, which later changes do not touch`() async throws {
        final class Note: Codable, Sendable {
            let text = Mutex("old")
            init() {}
            init(from decoder: any Decoder) throws {
                let text = try decoder.singleValueContainer().decode(String.self)
                self.text.withLock { $0 = text }
            }
            func encode(to encoder: any Encoder) throws {
                var container = encoder.singleValueContainer()
                try container.encode(text.withLock(\.self))
            }
        }
        try await ActorRuntime.withRuntime { runtime in
            let note = Note()
            let ref = try runtime.put(note)
            note.text.withLock { $0 = "new" }
            let read = try await ref.value
            #expect(read.text.withLock(\.self) == "old")
            read.text.withLock { $0 = "newer" }
            #expect(try await ref.value.text.withLock(\.self) == "old")
            #expect(ref.isReady)
            #expect(try await runtime.get([runtime.put(1), runtime.put(2)]) == [1, 2])
        }
    }

    @Test
    func `BUF-08: a reference that is an argument is ready when the method begins, one in a container need not be`()
        async throws
    {
        try await withSlow { runtime, slow, hold in
            let librarian = try await runtime.spawn(Librarian.self, Librarian.Setup())
            let ref = slow.submit { try await $0.work(1, hold) }
            let never = try await librarian.isReady(in: ["refs": [ref, runtime.put(2)]])
            #expect(never.first == false && never.count == 2)
            let noted = librarian.submit { try await $0.note(ref) }
            let other = try await runtime.spawn(Mediator.self)
            #expect(try await other.list(of: librarian) == [])
            #expect(!noted.isReady)
            unlink(hold)
            try await noted.value
            #expect(try await librarian.list() == [1])
            #expect(try await librarian.isSame(ref, [ref, ref]))
            #expect(try await librarian.sum([ref, runtime.put(41)]) == 42)
        }
    }

    @Test func `ORD-04: a call that waits for its argument does not hold up another submitter's`() async throws {
        try await withSlow { runtime, slow, hold in
            let librarian = try await runtime.spawn(Librarian.self, Librarian.Setup())
            let other = try await runtime.spawn(Mediator.self)
            let ref = slow.submit { try await $0.work(1, hold) }
            let blocked = librarian.submit { try await $0.note(ref) }
            try await other.note(7, at: librarian)
            #expect(!blocked.isReady)
            unlink(hold)
            _ = try await blocked.value
            #expect(try await librarian.list() == [7, 1])
        }
    }

    @Test func `ORD-05: behind a call that waits for its argument a submitter's later calls wait as well`() async throws
    {
        let seed = UInt64.random(in: 0...UInt64.max)
        try await ActorRuntime.withRuntime { runtime in
            let librarian = try await runtime.spawn(Librarian.self, Librarian.Setup())
            var generator = SeededGenerator(seed: seed)
            // Each has a task that ends after some other calls.
            let counter = try await runtime.spawn(Counter.self)
            let delays = (0..<100).map { _ in Int.random(in: 0..<20, using: &generator) }
            var refs: [ObjectRef<Void>] = []
            for number in 0..<100 {
                let argument = counter.submit { counter -> Int in
                    for _ in 0..<delays[number] { _ = try await counter.read() }
                    return number
                }
                refs.append(librarian.submit { try await $0.note(argument) })
            }
            _ = try await runtime.get(refs)
            #expect(try await librarian.list() == Array(0..<100), "seed \(seed)")
        }
    }

    @Test
    func `ORD-06: where calls run beside one another, one that is ready overtakes one that waits for its argument`()
        async throws
    {
        try await withSlow { runtime, slow, hold in
            let options = ActorOptions.maxConcurrency(4)
            let librarian = try await runtime.spawn(Librarian.self, Librarian.Setup(), options: options)
            let ref = slow.submit { try await $0.work(1, hold) }
            let blocked = librarian.submit { try await $0.note(ref) }
            let ready = librarian.submit { try await $0.note(plain: 2) }
            try await ready.value
            #expect(!blocked.isReady)
            unlink(hold)
            _ = try await blocked.value
            #expect(try await librarian.list() == [2, 1])
        }
    }

    @Test func `BUF-05: a constructor waits for the references that it is given, and the actor's calls wait for it`()
        async throws
    {
        try await withSlow { runtime, slow, hold in
            let librarian = try await Self.spawn(on: runtime, waitingFor: slow, hold)
            let given = librarian.submit { try await $0.given() }
            #expect(!given.isReady)
            unlink(hold)
            #expect(try await given.value == 1)
            // Each life gets it again, also when nobody but the actor needs it any more.
            kill(try await librarian.processID(), SIGKILL)
            #expect(try await librarian.given() == 1)
        }
    }

    @Test func `BUF-05: when a constructor's reference fails, the actor dies and its callers get the cause`()
        async throws
    {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self)
            let failing = counter.submit { counter -> Int in
                try await counter.addThenThrow(1)
                return 0
            }
            let librarian = try await runtime.spawn(Librarian.self, Librarian.Setup(source: failing))
            let error = await failure { _ = try await librarian.given() }
            #expect(error?.code == .died)
            #expect(error?.description.contains("größer als 1") == true, "\(String(describing: error))")
        }
    }

    @Test func `BUF-10: when the owner of a constructor's reference dies first, callers get that instead of waiting`()
        async throws
    {
        try await withSlow { runtime, slow, hold in
            let owner = try await runtime.spawn(Mediator.self)
            let librarian = try await owner.make(waitingFor: slow, hold)
            let given = librarian.submit { try await $0.given() }
            #expect(!given.isReady)
            kill(try await owner.processID(), SIGKILL)
            let error = await failure { _ = try await given.value }
            #expect(error?.code == .died)
            #expect(error?.description.contains("ownerDied") == true, "\(String(describing: error))")
            unlink(hold)
        }
    }

    @Test func `RST-36: a call that is retried gets the values of its references again`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime(configuration: Self.forgetful) { runtime in
            let options = ActorOptions.resilient
            let librarian = try await runtime.spawn(Librarian.self, Librarian.Setup(), options: options)
            let attempts = scratch.file("attempts")
            let result = librarian.submit { [runtime] librarian in
                // Nobody but the call has the reference.
                try await librarian.noteDying(runtime.put(5), times: 2, attempts: attempts)
            }
            #expect(try await result.value == 5)
            #expect(try await librarian.list() == [5])
        }
    }

    @Test func `REF-11: what an actor has put goes with its process, and who has not fetched it gets an error`()
        async throws
    {
        try await ActorRuntime.withRuntime { runtime in
            let librarian = try await runtime.spawn(Librarian.self, Librarian.Setup(), options: .resilient)
            let other = try await runtime.spawn(Librarian.self, Librarian.Setup())
            let fetched = try await librarian.put(7)
            #expect(try await fetched.value == 7)
            let pid = try await librarian.processID()
            kill(pid, SIGKILL)
            try await eventually("the process is gone") {
                Processes.isAlive(pid)
            } is: {
                !$0
            }
            // What this process has fetched, it has; another cannot fetch it any more, also from the next life.
            #expect(try await fetched.value == 7)
            #expect(try await librarian.list() == [])
            let error = await failure { _ = try await other.sum([fetched]) }
            #expect(error?.code == .ownerDied)
        }
    }

    @Test func `REF-12: references in a result have their values, also when who made them is gone by then`()
        async throws
    {
        try await ActorRuntime.withRuntime { runtime in
            let librarian = try await runtime.spawn(Librarian.self, Librarian.Setup())
            let counter = try await runtime.spawn(Counter.self)
            let outer = librarian.submit { try await $0.submit(3, to: counter) }
            let inner = try await outer.value
            #expect(try await inner.value(timeout: .seconds(60)) == 3)
            try await runtime.kill(librarian)
            #expect(try await inner.value == 3)
        }
    }

    @Test func `REF-14: a completion callback is called once, at a result, at a failure, and when it comes late`()
        async throws
    {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self)
            let librarian = try await runtime.spawn(Librarian.self, Librarian.Setup())
            let heard = Mutex<[String]>([])
            let good = counter.submit { try await $0.add(2) }
            let bad = counter.submit { try await $0.addThenThrow(1) }
            let far = try await librarian.put(9)
            good.onCompletion { result in
                heard.withLock { $0.append("good \((try? result.get()) ?? 0)") }
                throw PlainError()
            }
            bad.onCompletion { result in
                if case .failure(let error) = result { heard.withLock { $0.append("bad \(error is Refusal)") } }
            }
            far.onCompletion { result in heard.withLock { $0.append("far \((try? result.get()) ?? 0)") } }
            #expect(try await good.value == 2)
            _ = try? await bad.value
            #expect(try await far.value == 9)
            good.onCompletion { _ in heard.withLock { $0.append("late") } }
            try await eventually("all were called") {
                heard.withLock(\.count)
            } is: {
                $0 >= 4
            }
            #expect(heard.withLock { $0.sorted() } == ["bad true", "far 9", "good 2", "late"])
        }
    }

    @Test func `REF-15: a failure that nobody looks at is reported once, and one that was looked at is not`()
        async throws
    {
        let said = Mutex<[String]>([])
        var configuration = RuntimeConfiguration()
        configuration.log = { line in said.withLock { $0.append(line) } }
        try await ActorRuntime.withRuntime(configuration: configuration) { runtime in
            let counter = try await runtime.spawn(Counter.self)
            _ = counter.submit { try await $0.addThenThrow(1) }
            let read = counter.submit { try await $0.addThenThrow(2) }
            _ = try? await read.value
            #expect(try await counter.read() == 3)
            try await eventually("it is reported") {
                said.withLock(\.count)
            } is: {
                $0 > 0
            }
        }
        let reports = said.withLock { $0 }
        #expect(reports.count == 1 && reports[0].contains("größer als 1"), "\(reports)")
    }

    @Test func `REF-16: a caller that starts again gets the recorded outcome of a call that it knows the key of`()
        async throws
    {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self, options: .resilient)
            let caller = try await runtime.spawn(Mediator.self, options: .resilient)
            let first = try await caller.add(5, to: counter, key: "order-1")
            kill(try await caller.processID(), SIGKILL)
            let again = try await caller.add(5, to: counter, key: "order-1")
            #expect((first.outcome, again.outcome) == (5, 5))
            #expect(first.process != again.process)
            #expect(try await counter.read() == 5)
        }
    }

    @Test func `CAN-11: a process that was given a reference can cancel the call`() async throws {
        try await withSlow { runtime, slow, hold in
            let librarian = try await runtime.spawn(Librarian.self, Librarian.Setup())
            let running = slow.submit { try await $0.work(1, hold) }
            let queued = slow.submit { try await $0.work(2, hold) }
            try await librarian.cancel([running, queued])
            for ref in [running, queued] {
                let error = await failure { _ = try await ref.value }
                #expect(error?.code == .cancelled)
            }
        }
    }

    @Test func `CAN-02: a call that waits for its argument is cancelled at once`() async throws {
        try await withSlow { runtime, slow, hold in
            let librarian = try await runtime.spawn(Librarian.self, Librarian.Setup())
            let ref = slow.submit { try await $0.work(1, hold) }
            let blocked = librarian.submit { try await $0.note(ref) }
            let behind = librarian.submit { try await $0.note(plain: 2) }
            blocked.cancel()
            let error = await failure { _ = try await blocked.value }
            #expect(error?.code == .cancelled)
            try await behind.value
            unlink(hold)
            #expect(try await ref.value == 1)
            #expect(try await librarian.list() == [2])
        }
    }

    @Test func `a remote task gets the values of the references that it holds`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self)
            let refs = [counter.submit { try await $0.add(1) }, try runtime.put(10)]
            #expect(try await runtime.run(SumTask(refs: refs)) == 11)
        }
    }

    @Test func `a call whose argument fails is not made, and fails with that error`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self)
            let librarian = try await runtime.spawn(Librarian.self, Librarian.Setup())
            let failing = counter.submit { counter -> Int in
                try await counter.addThenThrow(1)
                return 0
            }
            await #expect(throws: Refusal.self) { try await librarian.note(failing) }
            try await librarian.note(plain: 3)
            #expect(try await librarian.list() == [3])
        }
    }

    @Test func `a reference that a process passes on is there for the next one, who owns it or not`() async throws {
        try await ActorRuntime.withRuntime(configuration: Self.lending) { runtime in
            let shelf = try await runtime.spawn(Librarian.self, Librarian.Setup())
            for number in 1...2 {
                try await Self.put(number, on: shelf, runtime)
                try await Self.outlastLease(shelf)
                #expect(try await shelf.take().value == number)
            }
        }
    }

    @Test func `references in a result are kept for whoever has a reference to the result`() async throws {
        try await ActorRuntime.withRuntime(configuration: Self.lending) { runtime in
            let counter = try await runtime.spawn(Counter.self)
            let reader = try await runtime.spawn(Librarian.self, Librarian.Setup())
            try await Self.give(reader, resultOf: counter, runtime)
            // Nobody here has any of it now.
            try await Self.outlastLease(reader)
            #expect(try await reader.readInner() == 8)
        }
    }

    @Test func `a call is the same with a reference to what was put anew`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let librarian = try await runtime.spawn(Librarian.self, Librarian.Setup(), options: .resilient)
            for _ in 1...3 {
                let ref = try runtime.put(4)
                try await librarian.with(.idempotencyKey("once")) { try await $0.note(ref) }
            }
            #expect(try await librarian.list() == [4])
            let caller = try await runtime.spawn(Mediator.self, options: .resilient)
            let scratch = ScratchDirectory()
            let attempts = scratch.file("attempts")
            _ = try await caller.with(.maxTaskRetries(.unlimited)) {
                try await $0.noteDying(9, at: librarian, times: 2, attempts: attempts)
            }
            #expect(try await librarian.list() == [4, 9])
        }
    }

    @Test func `a constructor's arguments have a bound, and a reference to more has none`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let large = [UInt8](repeating: 1, count: 17 << 20)
            let error = await failure { _ = try await runtime.spawn(Archivist.self, large) }
            #expect(error?.code == .limitExceeded && error?.message.contains("reference") == true)
            let near = try await runtime.spawn(Archivist.self, Array(large.prefix(15 << 20)), options: .resilient)
            #expect(try await near.size() == 15 << 20)
        }
    }

    @Test func `calls with more bytes than a connection buffers all arrive, in order`() async throws {
        try await withSlow { runtime, slow, hold in
            let ref = slow.submit { try await $0.work(1, hold) }
            // Its constructor waits, so that all of these are sent at once.
            let librarian = try await runtime.spawn(Librarian.self, Librarian.Setup(source: ref))
            let bytes = [UInt8](repeating: 3, count: 700 << 10)
            let calls = (0..<400).map { number in
                librarian.submit { try await $0.weigh(bytes, number) }
            }
            unlink(hold)
            #expect(try await runtime.get(calls) == Array(repeating: 700 << 10, count: 400))
            #expect(try await librarian.list() == Array(0..<400))
        }
    }

    /// Nobody here has the reference behind this.
    private static func put(_ number: Int, on shelf: Librarian, _ runtime: ActorRuntime) async throws {
        try await shelf.lay(runtime.put(number))
    }

    private static func give(_ reader: Librarian, resultOf counter: Counter, _ runtime: ActorRuntime) async throws {
        let outer = counter.submit { [runtime] counter in [try runtime.put(try await counter.add(8))] }
        try await reader.keepOuter(outer)
    }

    /// Nobody but the actor has the reference behind this.
    private static func spawn(on runtime: ActorRuntime, waitingFor slow: Patient, _ hold: String) async throws
        -> Librarian
    {
        let setup = Librarian.Setup(source: slow.submit { try await $0.work(1, hold) })
        return try await runtime.spawn(Librarian.self, setup, options: .resilient)
    }

    /// What is sent away is kept here until the next process has asked for it, and not much longer.
    private static var lending: RuntimeConfiguration {
        var configuration = RuntimeConfiguration()
        configuration.objectLease = .seconds(1)
        return configuration
    }

    /// Goes on until nothing is kept any more because it was sent a moment ago.
    private static func outlastLease(_ librarian: Librarian) async throws {
        let end = ContinuousClock.now + .milliseconds(1_700)
        while ContinuousClock.now < end { _ = try await librarian.list() }
    }

    /// What is kept here is kept by those who have it, and not because it was sent a moment ago.
    private static var forgetful: RuntimeConfiguration {
        var configuration = RuntimeConfiguration()
        configuration.objectLease = .milliseconds(1)
        return configuration
    }

    /// A runtime with an actor whose calls wait while a file is there.
    private func withSlow(_ body: (ActorRuntime, Patient, String) async throws -> Void) async throws {
        let scratch = ScratchDirectory()
        let hold = scratch.file("hold")
        Notes.write("", to: hold)
        defer { unlink(hold) }
        try await ActorRuntime.withRuntime(configuration: Self.forgetful) { runtime in
            let slow = try await runtime.spawn(Patient.self, Patient.Setup(log: scratch.file("log")))
            try await body(runtime, slow, hold)
        }
    }
}

/// Has what it was made with.
distributed actor Archivist: DurableActor {
    private let bytes: [UInt8]

    init(_ bytes: [UInt8], actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
        self.bytes = bytes
    }

    distributed func size() -> Int { bytes.count }
}

/// Makes calls of its own.
distributed actor Mediator: DurableActor {
    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
    }

    distributed func processID() -> Int32 { getpid() }

    struct Added: Codable, Sendable {
        var outcome: Int
        var process: Int32
    }

    distributed func add(_ amount: Int, to counter: Counter, key: String) async throws -> Added {
        let outcome = try await counter.with(.idempotencyKey(key)) { try await $0.add(amount) }
        return Added(outcome: outcome, process: getpid())
    }

    /// Has a value noted, and dies behind that as often as the file has fewer lines than `times`.
    distributed func noteDying(_ value: Int, at librarian: Librarian, times: Int, attempts: String) async throws {
        try await librarian.note(actorSystem.put(value))
        if Attempts.note(in: attempts) <= times { raise(SIGKILL) }
    }

    distributed func note(_ number: Int, at librarian: Librarian) async throws {
        try await librarian.note(plain: number)
    }

    distributed func list(of librarian: Librarian) async throws -> [Int] { try await librarian.list() }

    /// A detached actor, which does not end with this one, that waits for a call of this one.
    distributed func make(waitingFor slow: Patient, _ hold: String) async throws -> Librarian {
        let ref = slow.submit { try await $0.work(1, hold) }
        let options = ActorOptions.default.detached(name: "waiting")
        return try await actorSystem.spawn(Librarian.self, Librarian.Setup(source: ref), options: options)
    }
}
