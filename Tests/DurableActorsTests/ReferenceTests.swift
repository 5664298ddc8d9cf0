import DurableActors
import Glibc
import Testing

/// Waiting for submitted calls.
@Suite(.serialized) struct ReferenceTests {
    @Test func `REF-01: a list of references, some twice, gives its values in the order of the list`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let first = try await runtime.spawn(Counter.self)
            let second = try await runtime.spawn(Counter.self)
            let slow = first.submit { try await $0.add(1) }
            let quick = second.submit { try await $0.add(2) }
            #expect(try await runtime.get([slow, quick, slow]) == [1, 2, 1])
            #expect(try await runtime.get([ObjectRef<Int>]()) == [])
            #expect(slow != quick && Set([slow, quick, slow]).count == 2)
        }
    }

    @Test func `REF-02: a wait that runs out of time fails, and the reference still gives its value`() async throws {
        try await withStopped { (runtime, counter, pid) async throws -> Void in
            let ref = counter.submit { try await $0.add(5) }
            for timeout in [Duration.zero, .milliseconds(50)] {
                let single = await failure { _ = try await ref.value(timeout: timeout) }
                #expect(single?.code == .timedOut)
                let list = await failure { _ = try await runtime.get([ref, ref], timeout: timeout) }
                #expect(list?.code == .timedOut)
            }
            #expect(!ref.isReady)
            let refused = await failure { _ = try await runtime.get([ref], timeout: .milliseconds(-1)) }
            #expect(refused?.code == .invalidArgument)
            kill(pid, SIGCONT)
            #expect(try await runtime.get([ref], timeout: .seconds(60)) == [5])
            #expect(ref.isReady)
            #expect(try await ref.value(timeout: .zero) == 5)
            #expect(try await runtime.get([ref], timeout: .zero) == [5])
        }
    }

    @Test func `REF-02: the first failure is raised without waiting for the others`() async throws {
        try await withStopped { (runtime, counter, pid) async throws -> Void in
            let never = counter.submit { try await $0.add(1) }
            let other = try await runtime.spawn(Counter.self)
            let failing = other.submit { counter -> Int in
                try await counter.addThenThrow(1)
                return 0
            }
            await #expect(throws: Refusal.self) { try await runtime.get([never, failing]) }
            #expect(!never.isReady)
            kill(pid, SIGCONT)
            #expect(try await never.value == 1)
        }
    }

    @Test func `REF-01: of several failures the first in the list is raised, whichever came first`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self)
            let refs = (0..<20).map { number in
                counter.submit { counter -> Int in
                    try await counter.addThenThrow(number)
                    return 0
                }
            }
            _ = try await runtime.wait(refs, count: refs.count)
            for first in 0..<20 {
                let list = Array(refs[first...] + refs[..<first])
                let error = Refusal(reason: "no, größer als \(first)")
                await #expect(throws: error) { try await runtime.get(list) }
                await #expect(throws: error) { try await runtime.get(list, timeout: .zero) }
            }
        }
    }

    @Test func `REF-05: a wait with too few ready gives what is ready, in order, not before its time`() async throws {
        try await withStopped { (runtime, counter, pid) async throws -> Void in
            let other = try await runtime.spawn(Counter.self)
            let never = counter.submit { try await $0.add(1) }
            let done = (1...3).map { _ in other.submit { try await $0.add(1) } }
            let failed = other.submit { counter -> Int in throw Refusal(reason: "no") }
            _ = try await runtime.wait(done + [failed], count: 4)
            let start = ContinuousClock.now
            let all = [done[2], never, failed, done[0], done[1]]
            let partial = try await runtime.wait(all, count: 5, timeout: .milliseconds(200))
            #expect(ContinuousClock.now - start >= .milliseconds(200))
            #expect(partial.ready == [done[2], failed, done[0], done[1]])
            #expect(partial.remaining == [never])
            let two = try await runtime.wait(all, count: 2)
            #expect(two.ready == [done[2], failed])
            #expect(two.remaining == [never, done[0], done[1]])
            kill(pid, SIGCONT)
            #expect(try await runtime.wait(all, count: 5).remaining.isEmpty)
        }
    }

    @Test func `REF-05: a wait refuses duplicates, counts and times out of range, and takes an empty list`()
        async throws
    {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self)
            let ref = counter.submit { try await $0.add(1) }
            let empty = try await runtime.wait([ObjectRef<Int>]())
            #expect(empty.ready.isEmpty && empty.remaining.isEmpty)
            let cases: [([ObjectRef<Int>], Int, Duration?)] = [
                ([ref, ref], 1, nil), ([ref], 0, nil), ([ref], -1, nil), ([ref], 2, nil), ([ref], 1, .seconds(-1)),
            ]
            for (refs, count, timeout) in cases {
                let refused = await failure { _ = try await runtime.wait(refs, count: count, timeout: timeout) }
                #expect(refused?.code == .invalidArgument)
            }
        }
    }

    @Test func `REF-08: many gets and waits for one reference all return, and the method ran once`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self)
            let ref = counter.submit { try await $0.add(1) }
            try await withThrowingTaskGroup(of: Int.self) { group in
                for number in 0..<60 {
                    group.addTask {
                        switch number % 3 {
                        case 0: try await ref.value
                        case 1: try await runtime.get([ref])[0]
                        default: try await runtime.wait([ref]).ready[0].value(timeout: .zero)
                        }
                    }
                }
                for try await value in group { #expect(value == 1) }
            }
            #expect(try await counter.read() == 1)
        }
    }

    @Test func `REF-08: a cancelled wait ends at once, and the call goes on`() async throws {
        try await withStopped { (runtime, counter, pid) async throws -> Void in
            let ref = counter.submit { try await $0.add(1) }
            let waiting = Task { try await runtime.get([ref]) }
            waiting.cancel()
            await #expect(throws: CancellationError.self) { try await waiting.value }
            kill(pid, SIGCONT)
            #expect(try await ref.value == 1)
        }
    }

    @Test func `REF-13: with a window of W, never more than W + 1 calls are outstanding, and none is lost`()
        async throws
    {
        try await ActorRuntime.withRuntime { runtime in
            let counters = [try await runtime.spawn(Counter.self), try await runtime.spawn(Counter.self)]
            let window = 5
            var outstanding: [ObjectRef<Int>] = []
            var results = 0
            for number in 0..<100 {
                if outstanding.count > window {
                    let (ready, remaining) = try await runtime.wait(outstanding)
                    results += try await runtime.get(ready).count
                    outstanding = remaining
                }
                outstanding.append(counters[number % 2].submit { try await $0.add(1) })
                #expect(outstanding.count <= window + 1)
            }
            results += try await runtime.get(outstanding).count
            #expect(results == 100)
            #expect(try await counters[0].read() + counters[1].read() == 100)
        }
    }

    /// Runs with a counter whose worker has been stopped, so that its calls do not end; `SIGCONT` lets them.
    private func withStopped(
        _ body: @Sendable (ActorRuntime, Counter, Int32) async throws -> Void
    ) async throws {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self)
            let pid = try await counter.processID()
            kill(pid, SIGSTOP)
            defer { kill(pid, SIGCONT) }
            try await eventually("the worker is stopped") {
                Processes.isStopped(pid)
            } is: {
                $0
            }
            try await body(runtime, counter, pid)
        }
    }
}
