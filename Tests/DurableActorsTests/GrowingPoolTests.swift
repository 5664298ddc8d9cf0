import Testing

@testable import DurableActors

/// The pool behind remote tasks, with workers that can have another life.
@Suite(.serialized) struct GrowingPoolTests {
    @Test(arguments: [(1, true), (0, false)])
    func `what a worker died with is tried again in its next life, if it may be`(retries: Int, succeeds: Bool)
        async throws
    {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let pool = PoolWorkers<PoolWorker>(growsTo: 1) {
                try await runtime.spawn(PoolWorker.self, options: ActorOptions(maxRestarts: .unlimited))
            }
            let log = scratch.file("log")
            let ended = OneShot<Result<Int, any Error>>()
            pool.submit(.init(retries: RepeatLimit(retries))) {
                try await $0.squareDying(3, times: 1, log: log)
            } ended: {
                ended.settle($0)
            }
            let result = try #require(try await ended.wait(timeout: .seconds(60)))
            if succeeds {
                #expect(try result.get() == 9)
            } else {
                let error = await failure { _ = try result.get() }
                #expect(error?.code == .unavailable)
            }
            #expect(Attempts.count(in: log) == retries + 1)
            #expect(pool.count == 1)
            #expect(try await runtime.actors().count == 1)
        }
    }
}
