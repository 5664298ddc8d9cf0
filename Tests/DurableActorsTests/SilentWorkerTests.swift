import DurableActors
import DurableCore
import DurableSupervisor
import Foundation
import Glibc
import Testing

/// Workers that stand still for longer than their actors allow. Checked: they are ended, and no others.
@Suite(.serialized, .timeLimit(.minutes(2))) struct SilentWorkerTests {
    private func options(_ limit: UnresponsiveLimit) -> ActorOptions {
        var options = ActorOptions.resilient
        options.unresponsiveLimit = limit
        return options
    }

    private func newestCause(in runtime: ActorRuntime) throws -> String {
        let registry = try RegistryStore(RuntimeLayout(directory: runtime.directory), readOnly: true)
        defer { registry.close() }
        return try registry.ledger(newest: 1).first.map { "\($0.cause)" } ?? "no entry"
    }

    @Test func `a process that stands still is ended after its actor's limit; a blocked thread is not its business`()
        async throws
    {
        let scratch = ScratchDirectory()
        let (log, hold) = (scratch.file("log"), scratch.hold())
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self, options: options(.process(.seconds(5))))
            let unlimited = try await runtime.spawn(Counter.self, options: .resilient)
            let crowd = try await runtime.spawn(Crowd.self, log, options: options(.process(.seconds(5))))
            #expect(try await counter.add(1) == 1)
            let (stopped, waiting) = (try await counter.processID(), try await unlimited.processID())
            let blocking = try await runtime.process(of: crowd)
            let blocked = crowd.submit { try await $0.blockLoop(3, hold: hold) }
            try await eventually("the thread is blocked") {
                Notes.lines(of: log)
            } is: {
                $0.last == "block 3"
            }
            kill(waiting, SIGSTOP)
            kill(stopped, SIGSTOP)
            #expect(try await counter.add(1) == 2)
            #expect(try await counter.processID() != stopped)
            try await eventually("the ledger says so") {
                try newestCause(in: runtime)
            } is: {
                $0.contains("stood still for longer than 5.0 seconds, its unresponsiveLimit")
            }
            // Both have been silent for longer.
            #expect(try await runtime.process(of: crowd) == blocking)
            #expect(try await runtime.process(of: unlimited) == waiting)
            kill(waiting, SIGCONT)
            unlink(hold)
            #expect(try await blocked.value == 3)
            #expect(try await runtime.process(of: crowd) == blocking)
        }
    }

    @Test func `a call that blocks its thread for longer than allowed crashes its worker, and is poison in the end`()
        async throws
    {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            var options = options(.thread(.seconds(5)))
            options.maxCallCrashes = 1
            let crowd = try await runtime.spawn(Crowd.self, scratch.file("log"), options: options)
            let error = await failure { _ = try await crowd.blockLoop(1, hold: scratch.hold()) }
            #expect(error?.code == .poisonCall)
            #expect(
                error?.message.contains("its thread was blocked for longer than 5.0 seconds") == true,
                "\(error as Any)"
            )
            #expect(try await crowd.work(3) == 9)
            #expect(try await runtime.summary(of: crowd).restarts == 1)
        }
    }
}
