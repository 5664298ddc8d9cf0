import DurableActors
import DurableChaos
import DurableTesting
import Glibc
import Testing

/// A test's own program that is killed, as the documentation says it.
@Suite(.serialized) struct DriverChaosTests {
    @Test(.chaos(.killDriver(every: .milliseconds(300)), seed: 42))
    func `a program that uses the runtime is killed, and its actor goes on`() async throws {
        let runtime = try TestRuntime.current
        let tally = try await runtime.getOrCreate(Tally.self, name: "tally")
        await #expect(processExitsWith: .signal(SIGKILL)) { [directory = runtime.directory as String] in
            let runtime = try await ActorRuntime.start(directory: directory)
            let tally = try await runtime.getOrCreate(Tally.self, name: "tally")
            while true { _ = try await tally.add(1) }
        }
        // How far the program came is up to the schedule.
        let before = try await tally.add(0)
        #expect(try await tally.add(1) == before + 1)
    }
}
