import CBOR
import DurableActors
import DurableCore
import DurableProcess
import Glibc
import Testing

/// Old owners and repeated call ids.
@Suite(.serialized) struct FencingTests {
    @Test func `a stopped worker that was replaced commits nothing when it goes on`() async throws {
        let scratch = ScratchDirectory()
        var configuration = RuntimeConfiguration()
        configuration.faults = [FaultSpecification(.supervisorKillBeforeReplace, action: .skip)]
        let runtime = try await ActorRuntime.start(directory: scratch.file("data"), configuration: configuration)
        let counter = try await runtime.getOrCreate(Counter.self, name: "fenced")
        #expect(try await counter.add(1) == 1)
        let old = try await counter.processID()
        kill(old, SIGSTOP)
        try await eventually("the worker is stopped") {
            Processes.isStopped(old)
        } is: {
            $0
        }

        // A change and a read reach the stopped worker's socket before it is replaced.
        let change = counter.submit { try await $0.add(10) }
        let read = counter.submit { try await $0.read() }
        try await runtime.kill(counter, noRestart: false)

        // Another driver knows nothing of the old worker and reaches the new one.
        let other = try await ActorRuntime.start(directory: scratch.file("data"))
        let same = try await other.getActor(Counter.self, name: "fenced")
        #expect(try await same.add(100) == 101)
        #expect(try await same.processID() != old)

        // Continued, the old one finds the shard taken; its callers are served by the new one.
        kill(old, SIGCONT)
        #expect(try await change.value == 111)
        #expect(try await read.value == 111)
        #expect(try await same.read() == 111)
        try await eventually("the old worker is gone") {
            Processes.isAlive(old)
        } is: {
            !$0
        }
        await other.shutdown()
        try await runtime.kill(counter)
        await runtime.shutdown()
    }

    @Test(.timeLimit(.minutes(1)))
    func `an idle life whose shard a former one took for a moment is replaced when callers refuse it`() async throws {
        let scratch = ScratchDirectory()
        let tally = try FaultTally(creating: scratch.file("tally"))
        var configuration = RuntimeConfiguration()
        configuration.faultTally = scratch.file("tally")
        configuration.faults = [
            FaultSpecification(.workerBeforeClaim, incarnation: 1, action: .stop),
            FaultSpecification(.supervisorKillBeforeReplace, action: .skip),
        ]
        let runtime = try await ActorRuntime.start(directory: scratch.file("data"), configuration: configuration)
        let counter = try await runtime.getOrCreate(Counter.self, name: "taken", options: .resilient)
        try await eventually("the first life stands still before it claims") {
            tally.marks.first.map { Processes.isStopped($0.pid) } ?? false
        } is: {
            $0
        }
        let former = try #require(tally.marks.first).pid
        try await runtime.kill(counter, noRestart: false)
        // Another driver uses the second life, which is idle from then on.
        let other = try await ActorRuntime.start(directory: scratch.file("data"))
        let present = try await other.getActor(Counter.self, name: "taken").processID()
        await other.shutdown()
        try await stop(present)

        // The first life claims the shard behind the second and answers; then the supervisor ends it.
        let supervisor = try #require(runtime.supervisorProcessID)
        try await stop(supervisor)
        kill(former, SIGCONT)
        #expect(try await counter.add(1) == 1)
        kill(supervisor, SIGCONT)
        try await eventually("the former life is gone") {
            Processes.isAlive(former)
        } is: {
            !$0
        }
        let begun = ContinuousClock.now
        kill(present, SIGCONT)
        #expect(try await counter.add(1) == 2)
        // It would notice by itself when it looks for expired records.
        #expect(ContinuousClock.now - begun < Limits.firstExpirySweep / 2)
        try await runtime.kill(counter)
        await runtime.shutdown()
    }

    @Test func `a worker that a caller refuses goes on if it owns its shard, and ends where nothing is stored`()
        async throws
    {
        try await ActorRuntime.withRuntime { runtime in
            let stored = try await runtime.spawn(Counter.self, options: .resilient)
            #expect(try await stored.add(1) == 1)
            let owner = try await stored.processID()
            let caller = try RawCaller(runtime, shard: 1)
            #expect(try await caller.send(caller.frame(1, to: stored, "add", 1)).outcome.number == 2)
            caller.refuse(superseded: .max)
            #expect(try await caller.send(caller.frame(2, to: stored, "add", 1)).outcome.number == 3)
            #expect(try await stored.processID() == owner)

            var options = ActorOptions.resilient
            options.durability = .none
            let stateless = try await runtime.spawn(Counter.self, options: options)
            #expect(try await stateless.add(1) == 1)
            let life = try await stateless.processID()
            let other = try RawCaller(runtime, shard: 2)
            #expect(try await other.send(other.frame(1, to: stateless, "add", 1)).outcome.number == 2)
            let epoch = try #require(other.greeting).epoch
            other.refuse(superseded: epoch)
            #expect(try await other.send(other.frame(2, to: stateless, "add", 1)).outcome.number == 3, "it is the one")
            other.refuse(superseded: epoch + 1)
            try await eventually("the worker is gone") {
                Processes.isAlive(life)
            } is: {
                !$0
            }
            #expect(try await stateless.add(1) == 1, "the next life begins anew")
            #expect(try await runtime.summary(of: stateless).restarts == 1)
            #expect(try await runtime.summary(of: stored).restarts == 0)
        }
    }

    private func stop(_ pid: Int32) async throws {
        kill(pid, SIGSTOP)
        try await eventually("process \(pid) is stopped") {
            Processes.isStopped(pid)
        } is: {
            $0
        }
    }

    @Test func `the same call id is never applied twice, whoever sends it`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self, options: .resilient)
            #expect(try await counter.add(1) == 1)
            let caller = try RawCaller(runtime, shard: 1)
            let frame = try caller.frame(1, to: counter, "add", 5)
            let first = try await caller.send(frame)
            #expect(first.outcome == .returned(try CBOREncoder().encode(6)))
            #expect(try await caller.send(frame).outcome == first.outcome)
            kill(try await runtime.process(of: counter), SIGKILL)
            #expect(try await counter.read() == 6)
            let again = try RawCaller(runtime, shard: 1)
            #expect(try await again.send(frame).outcome == first.outcome)
            #expect(try await counter.read() == 6)

            // The record says which call it was: neither other arguments nor another method get its reply.
            var (otherArgument, otherMethod) = (frame, frame)
            otherArgument.arguments = [try CBOREncoder().encode(7)]
            otherMethod.method = RawCaller.method("append", of: Counter.self)
            for reused in [otherArgument, otherMethod] {
                #expect(try await again.send(reused).outcome.error?.code == .callIdReused)
            }
            #expect(try await counter.read() == 6)
        }
    }

    @Test func `a call id that comes again while its call runs is refused for another call, and joined for the same`()
        async throws
    {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self, options: .resilient)
            let pid = try await counter.processID()
            // The worker accepts the first before the second.
            let first = try RawCaller(runtime, shard: 1)
            #expect(try await first.send(first.frame(1, to: counter, "add", 0)).outcome.number == 0)
            let second = try RawCaller(runtime, shard: 1)
            #expect(try await second.send(second.frame(1, to: counter, "add", 0)).outcome.number == 0)
            let frame = try first.frame(2, to: counter, "add", 5)
            var reused = frame
            reused.arguments = [try CBOREncoder().encode(7)]
            kill(pid, SIGSTOP)
            try await eventually("the worker is stopped") {
                Processes.isStopped(pid)
            } is: {
                $0
            }
            for copy in [frame, reused, frame] { second.post(copy) }
            first.post(frame)
            kill(pid, SIGCONT)
            #expect(try await second.reply(to: 2).outcome.error?.code == .callIdReused)
            #expect(try await second.reply(to: 2).outcome.number == 5)
            // Read before those of the later connection it is joined, and behind them it comes from a replaced one.
            let former = try await first.reply(to: 2).outcome
            #expect(former.number == 5 || former.error?.code == .staleCall)
            #expect(try await counter.add(0) == 5, "the call was run once")
        }
    }

    @Test func `a call below what its caller has acknowledged is refused and not run, also in a later life`()
        async throws
    {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self, options: .resilient)
            let caller = try RawCaller(runtime, shard: 1)
            let late = try caller.frame(1, to: counter, "add", 5)
            #expect(try await caller.send(late).outcome.number == 5)
            let skipped = try caller.frame(2, to: counter, "add", 100)
            // The third says that the caller has the outcomes of the first two.
            let third = try caller.frame(3, to: counter, "add", 1, firstIncomplete: 3)
            #expect(try await caller.send(third).outcome.number == 6)
            for stale in [late, skipped] {
                #expect(try await caller.send(stale).outcome.error?.code == .staleCall)
            }
            #expect(try await caller.send(third).outcome.number == 6, "the frontier's own call has its record")
            kill(try await runtime.process(of: counter), SIGKILL)
            #expect(try await counter.read() == 6)
            let again = try RawCaller(runtime, shard: 1)
            for stale in [late, skipped] {
                #expect(try await again.send(stale).outcome.error?.code == .staleCall)
            }
            #expect(try await again.send(third).outcome.number == 6)
            #expect(try await counter.read() == 6)
        }
    }
}
