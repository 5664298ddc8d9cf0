import DurableActors
import Foundation
import Glibc
import Testing

/// Workers that stand still. Checked: it is seen which, for how long, and that it is over.
@Suite(.serialized, .timeLimit(.minutes(2))) struct HealthTests {
    /// The time that a worker may be silent is half of what `eventually` waits.
    private func silence(_ runtime: ActorRuntime, _ actor: some DurableActor) async throws -> Duration? {
        try await runtime.summary(of: actor).unresponsiveFor
    }

    @Test(arguments: [true, false])
    func `an actor whose thread is blocked, or whose process is stopped, is shown as unresponsive until it goes on`(
        isStopped: Bool
    ) async throws {
        let scratch = ScratchDirectory()
        let (log, hold) = (scratch.file("log"), scratch.hold())
        try await ActorRuntime.withRuntime { runtime in
            let crowd = try await runtime.spawn(Crowd.self, log)
            let other = try await runtime.spawn(Crowd.self, log)
            // A call that waits, and a section that blocks, do not hold up the thread.
            let waiting = [
                other.submit { try await $0.fetch(1, hold: hold) },
                other.submit { try await $0.workBlocking(2, hold: hold) },
            ]
            #expect(try await crowd.health() == "healthy")
            let pid = try await runtime.process(of: crowd)
            let blocked = crowd.submit { isStopped ? try await $0.work(3) : try await $0.blockLoop(3, hold: hold) }
            if isStopped { kill(pid, SIGSTOP) }
            try await eventually("it is shown") {
                try await silence(runtime, crowd)
            } is: {
                $0.map { $0 > .seconds(5) && $0 < .seconds(60) } == true
            }
            #expect(try await silence(runtime, other) == nil)
            if isStopped { kill(pid, SIGCONT) }
            unlink(hold)
            #expect(try await blocked.value == (isStopped ? 9 : 3))
            for ref in waiting { _ = try await ref.value }
            try await eventually("it is over") {
                try await silence(runtime, crowd)
            } is: {
                $0 == nil
            }
            #expect(try await runtime.process(of: crowd) == pid)
        }
    }
}
