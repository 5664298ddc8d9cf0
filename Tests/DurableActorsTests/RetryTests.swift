import DurableActors
import Glibc
import Testing

/// Retries that a call asks for itself.
@Suite(.serialized) struct RetryTests {
    @Test(arguments: [0, 2], [0, -1] as [RepeatLimit])
    func `RST-08: a call's own limit of retries gives limit + 1 attempts, whatever the actor's is`(
        limit: Int,
        ofActor: RepeatLimit
    ) async throws {
        let scratch = ScratchDirectory()
        let log = scratch.file("log")
        try await ActorRuntime.withRuntime { runtime in
            let options = ActorOptions(maxRestarts: .unlimited, maxTaskRetries: ofActor)
            let counter = try await runtime.spawn(Counter.self, options: options)
            let error = await failure {
                _ = try await counter.with(.maxTaskRetries(RepeatLimit(limit))) {
                    try await $0.addDying(1, times: 100, log: log)
                }
            }
            #expect(error?.code == .unavailable)
            #expect(Attempts.count(in: log) == limit + 1)
        }
    }
}
