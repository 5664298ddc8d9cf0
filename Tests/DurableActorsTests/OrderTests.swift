import DurableActors
import Glibc
import Testing

/// The order of one submitter's calls.
@Suite(.serialized) struct OrderTests {
    @Test func `ORD-01: calls run in the order of submission, from inside and outside of tasks`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self)
            let refs = (0..<2000).map { number in counter.submit { try await $0.append(number) } }
            for ref in refs { _ = try await ref.value }
            #expect(try await counter.list() == Array(0..<2000))
        }
    }

    @Test func `submissions that make no call, throw, or call another actor hold nobody up`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self)
            let other = try await runtime.spawn(Counter.self)
            let idle = counter.submit { _ in 1 }
            let throwing = counter.submit { _ -> Int in throw Refusal(reason: "no call") }
            let elsewhere = counter.submit { _ in try await other.add(2) }
            let twice = counter.submit { try await ($0.add(1), $0.add(1)) }
            let last = counter.submit { try await $0.read() }
            #expect(try await idle.value == 1)
            await #expect(throws: Refusal.self) { try await throwing.value }
            #expect(try await elsewhere.value == 2)
            let pair = try await twice.value
            #expect(pair.0 == 1 && pair.1 == 2)
            #expect([1, 2].contains(try await last.value))
        }
    }

    @Test func `a cancelled caller does not wait, and does not hold up those behind it`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self, options: .resilient)
            #expect(try await counter.add(1) == 1)
            let pid = try await counter.processID()
            kill(pid, SIGSTOP)
            try await eventually("the worker is stopped") {
                Processes.isStopped(pid)
            } is: {
                $0
            }
            let waiting = Task { try await counter.add(0) }
            let behind = counter.submit { try await $0.read() }
            waiting.cancel()
            await #expect(throws: CancellationError.self) { try await waiting.value }
            kill(pid, SIGCONT)
            #expect(try await behind.value == 1)
        }
    }
}
