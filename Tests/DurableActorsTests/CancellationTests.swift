import DurableActors
import DurableChaos
import DurableCore
import Glibc
import Testing

/// Calls that are cancelled: while they wait, while they run, when they have ended, and over crashes.
@Suite(.serialized, .timeLimit(.minutes(2))) struct CancellationTests {
    private func expect(_ expected: [String], in log: String) async throws {
        try await eventually("the notes are there") {
            Notes.lines(of: log)
        } is: {
            $0 == expected
        }
    }

    private func isCancelled<Value>(_ ref: ObjectRef<Value>) async -> Bool {
        await failure { _ = try await ref.value(timeout: .seconds(30)) }?.code == .cancelled
    }

    @Test func `CAN-01: a call to an actor that is not created yet never runs when it is cancelled`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let setup = Witness.Setup(log: scratch.file("log"), hold: scratch.hold())
            let witness = try await runtime.spawn(Witness.self, setup, options: .resilient)
            let refs = (1...5).map { number in witness.submit { try await $0.append(number) } }
            try await expect(["constructing"], in: setup.log)
            for ref in [refs[1], refs[3]] { ref.cancel() }
            for ref in [refs[1], refs[3]] { #expect(await isCancelled(ref), "at once: the constructor still runs") }
            unlink(setup.hold)
            #expect(try await runtime.get([refs[0], refs[2], refs[4]]) == [1, 2, 3])
            #expect(try await witness.list() == [1, 3, 5])
        }
    }

    @Test func `CAN-02: a call whose arguments are not there yet is cancelled at once, and holds up nobody`()
        async throws
    {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let setup = Patient.Setup(log: scratch.file("log"))
            let slow = try await runtime.spawn(Patient.self, setup)
            let counter = try await runtime.spawn(Counter.self)
            let hold = scratch.hold()
            let argument = slow.submit { try await $0.work(1, hold) }
            let waiting = counter.submit { try await $0.add(try await argument.value) }
            let behind = counter.submit { try await $0.add(10) }
            waiting.cancel()
            #expect(await isCancelled(waiting))
            #expect(try await behind.value == 10)
            #expect(!argument.isReady)
            unlink(hold)
            #expect(try await argument.value == 1)
            #expect(try await counter.read() == 10)
        }
    }

    @Test(arguments: [ActorOptions.default, .resilient.shared("group")])
    func `CAN-04: a running call gets the signal where it waits, cleans up, and fails as cancelled`(
        options: ActorOptions
    ) async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let setup = Patient.Setup(log: scratch.file("log"))
            let patient = try await runtime.spawn(Patient.self, setup, options: options)
            let hold = scratch.hold()
            var expected: [String] = []
            for round in 1...25 {
                let ref = patient.submit { try await $0.work(round, hold) }
                expected.append("begin \(round)")
                try await expect(expected, in: setup.log)
                ref.cancel()
                #expect(await isCancelled(ref))
                expected.append("clean \(round)")
                #expect(Notes.lines(of: setup.log) == expected)
                #expect(try await patient.read() == round, "what it had changed is kept")
            }
        }
    }

    @Test func `CAN-06: a call that has ended is not affected, and neither is one that pays no attention`() async throws
    {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let setup = Patient.Setup(log: scratch.file("log"))
            let patient = try await runtime.spawn(Patient.self, setup)
            let done = patient.submit { try await $0.work(1, "") }
            #expect(try await done.value == 1)
            done.cancel()
            #expect(try await done.value == 1)
            let hold = scratch.hold()
            let deaf = patient.submit { try await $0.workOn(2, hold) }
            try await expect(["begin 1", "clean 1", "begin 2"], in: setup.log)
            deaf.cancel()
            let next = patient.submit { try await $0.read() }
            unlink(hold)
            #expect(try await deaf.value == 2)
            #expect(try await next.value == 2)
            let failed = patient.submit { try await $0.refuse() }
            await #expect(throws: Refusal.self) { try await failed.value }
            failed.cancel()
            await #expect(throws: Refusal.self) { try await failed.value }
        }
    }

    @Test(arguments: [true, false])
    func `CAN-09: a chain of four is cancelled as a whole, or at its head only`(recursive: Bool) async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let setup = Patient.Setup(log: scratch.file("log"))
            var chain: [Patient] = []
            for _ in 0..<4 { chain.append(try await runtime.spawn(Patient.self, setup, options: .resilient)) }
            let (head, rest, hold) = (chain[0], Array(chain.dropFirst()), scratch.hold())
            let ref = head.submit { try await $0.pass(rest, hold) }
            let begun = (0..<4).reversed().map { "begin \($0)" }
            try await expect(begun, in: setup.log)
            ref.cancel(recursive: recursive)
            #expect(await isCancelled(ref))
            #expect(try await head.read() == 1)
            if recursive {
                for patient in rest { #expect(try await patient.read() == 1) }
                #expect(Notes.lines(of: setup.log) == begun + (0..<4).map { "cancelled \($0)" })
            } else {
                #expect(Notes.lines(of: setup.log) == begun + ["cancelled 3"])
                unlink(hold)
                for patient in rest { #expect(try await patient.read() == 2, "they went on to their end") }
            }
        }
    }

    @Test func `CAN-12: of three calls at once, only the cancelled one observes it`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let setup = Patient.Setup(log: scratch.file("log"))
            let patient = try await runtime.spawn(Patient.self, setup)
            let hold = scratch.hold()
            let refs = (1...3).map { number in patient.submit { try await $0.work(number, hold) } }
            try await expect(["begin 1"], in: setup.log)
            refs[1].cancel()
            #expect(await isCancelled(refs[1]), "at once: the first still runs")
            unlink(hold)
            #expect(try await refs[0].value == 1)
            #expect(try await refs[2].value == 2)
            #expect(Notes.lines(of: setup.log) == ["begin 1", "clean 1", "begin 3", "clean 3"])
        }
    }

    @Test func `CAN-14: a call that was cancelled when it was stored and not answered has its value, over a crash too`()
        async throws
    {
        for isKilled in [false, true] {
            var configuration = RuntimeConfiguration()
            // The first state and the first call are stored before.
            let fault = FaultSpecification(.workerAfterCommit, occurrence: 3, incarnation: 1, action: .stop)
            configuration.faults = [fault]
            try await ActorRuntime.withRuntime(configuration: configuration) { runtime in
                let counter = try await runtime.spawn(Counter.self, options: .resilient)
                let pid = try await runtime.process(of: counter)
                #expect(try await counter.add(1) == 1)
                let ref = counter.submit { try await $0.add(5) }
                try await eventually("the worker has committed") {
                    Processes.isStopped(pid)
                } is: {
                    $0
                }
                ref.cancel()
                kill(pid, isKilled ? SIGKILL : SIGCONT)
                #expect(try await ref.value == 6)
                #expect(try await counter.read() == 6)
            }
        }
    }

    @Test func `a cancelled call never runs in a later life, whether it waited or ran`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let setup = Patient.Setup(log: scratch.file("log"))
            let patient = try await runtime.spawn(Patient.self, setup, options: .resilient)
            let hold = scratch.hold()
            let running = patient.submit { try await $0.workOn(1, hold) }
            let waiting = patient.submit { try await $0.work(2, "") }
            let last = patient.submit { try await $0.work(3, "") }
            try await expect(["begin 1"], in: setup.log)
            waiting.cancel()
            #expect(await isCancelled(waiting))
            running.cancel()
            kill(try await runtime.process(of: patient), SIGKILL)
            #expect(await isCancelled(running))
            #expect(try await last.value == 1)
            #expect(Notes.lines(of: setup.log) == ["begin 1", "begin 3", "clean 3"])
        }
    }

    @Test func `a call with a key that was cancelled stays cancelled for everyone who makes it`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let setup = Patient.Setup(log: scratch.file("log"))
            let patient = try await runtime.spawn(Patient.self, setup, options: .resilient)
            let hold = scratch.hold()
            let first = patient.submit { try await $0.work(1, hold) }
            let keyed = patient.submit(.idempotencyKey("key")) { try await $0.work(2, "") }
            try await expect(["begin 1"], in: setup.log)
            keyed.cancel()
            #expect(await isCancelled(keyed))
            unlink(hold)
            #expect(try await first.value == 1)
            kill(try await runtime.process(of: patient), SIGKILL)
            let again = patient.submit(.idempotencyKey("key")) { try await $0.work(2, "") }
            #expect(await isCancelled(again))
            #expect(Notes.lines(of: setup.log) == ["begin 1", "clean 1"])
        }
    }

    @Test func `cancellations at any moment and kills in between leave calls that ran once or never`() async throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var generator = SeededGenerator(seed: seed)
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self, options: .resilient)
            for round in 0..<10 {
                let refs = (0..<40).map { number in counter.submit { try await $0.append(round * 40 + number) } }
                for _ in 0..<Int.random(in: 0...5, using: &generator) { await Task.yield() }
                for ref in refs where Bool.random(using: &generator) { ref.cancel() }
                if Bool.random(using: &generator) { kill(try await runtime.process(of: counter), SIGKILL) }
                var ran: [Int] = []
                for (number, ref) in refs.enumerated() {
                    do {
                        #expect(try await ref.value == 1)
                        ran.append(round * 40 + number)
                    } catch {
                        #expect((error as? ActorError)?.code == .cancelled, "\(error)")
                    }
                }
                let list = try await counter.list()
                #expect(list.filter { $0 >= round * 40 } == ran)
            }
        }
    }
}

/// Waits when it is told to.
distributed actor Patient: DurableActor {
    struct Setup: Codable, Sendable {
        var log: String
    }

    @Checkpointed var count = 0
    private let log: String

    init(_ setup: Setup, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
        log = setup.log
    }

    /// Changes something, waits while the file is there, and cleans up.
    distributed func work(_ number: Int, _ hold: String) async throws -> Int {
        Notes.write("begin \(number)", to: log)
        defer { Notes.write("clean \(number)", to: log) }
        count += 1
        while access(hold, F_OK) == 0 { try await Task.sleep(for: .milliseconds(2)) }
        return count
    }

    /// Does not care whether it is cancelled.
    distributed func workOn(_ number: Int, _ hold: String) async throws -> Int {
        Notes.write("begin \(number)", to: log)
        while access(hold, F_OK) == 0 {
            await Task.detached { try? await Task.sleep(for: .milliseconds(2)) }.value
        }
        count += 1
        return count
    }

    /// Has the others wait, each for the next.
    distributed func pass(_ others: [Patient], _ hold: String) async throws {
        Notes.write("begin \(others.count)", to: log)
        count += 1
        do {
            if let next = others.first {
                try await next.pass(Array(others.dropFirst()), hold)
            } else {
                while access(hold, F_OK) == 0 { try await Task.sleep(for: .milliseconds(2)) }
            }
        } catch {
            Notes.write("cancelled \(others.count)", to: log)
            throw error
        }
        count += 1
    }

    distributed func refuse() throws { throw Refusal(reason: "no") }

    distributed func read() -> Int { count }
}
