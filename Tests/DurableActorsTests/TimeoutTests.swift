import DurableActors
import Testing

/// Callers that wait for a limited time.
@Suite(.serialized) struct TimeoutTests {
    @Test func `a caller stops waiting at its time, and the call that was sent still runs`() async throws {
        let scratch = ScratchDirectory()
        let gate = scratch.file("gate")
        try await ActorRuntime.withRuntime { runtime in
            let keeper = try await runtime.spawn(Gatekeeper.self)
            let free = scratch.file("free")
            _ = Attempts.note(in: free)
            #expect(try await keeper.with(.timeout(.seconds(3600))) { try await $0.pass(free) } == 1)
            let error = await failure {
                _ = try await keeper.with(.timeout(.milliseconds(50))) { try await $0.pass(gate) }
            }
            #expect(error?.code == .timedOut)
            #expect(error?.actor == keeper.id)
            _ = Attempts.note(in: gate)
            #expect(try await keeper.pass(gate) == 3)
        }
    }

    @Test func `a call that was not sent when its time was over never runs, and those behind it do`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self)
            #expect(try await counter.add(1) == 1)
            let (signal, opener) = AsyncStream.makeStream(of: Void.self)
            // It keeps its place in the order, and with it everything behind it, until it makes its call.
            let first = counter.submit { actor in
                for await _ in signal {}
                return try await actor.read()
            }
            let late = counter.submit(.timeout(.milliseconds(20))) { try await $0.add(10) }
            let behind = counter.submit { try await $0.add(100) }
            let error = await failure { _ = try await late.value }
            #expect(error?.code == .timedOut)
            opener.finish()
            #expect(try await first.value == 1)
            #expect(try await behind.value == 101)
        }
    }

    @Test func `options that are not allowed are named, and nothing is sent`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self)
            for options in [CallOptions.timeout(.zero), .timeout(.seconds(-1)), .maxTaskRetries(-2)] {
                let error = await failure { _ = try await counter.with(options) { try await $0.add(1) } }
                #expect(error?.code == .invalidArgument)
                let name = options.timeout == nil ? "maxTaskRetries" : "timeout"
                #expect(error?.message.hasPrefix(name) == true)
            }
            #expect(try await counter.read() == 0)
        }
    }
}
