import DurableActors
import DurableProcess
import Glibc
import Synchronization
import Testing

@testable import DurableTesting

/// The trait as users write it.
@Suite(.runtime) struct RuntimeTraitTests {
    /// Directories of runtimes that tests of this suite have seen.
    private static let seen = Mutex<Set<String>>([])

    @Test(arguments: 0..<3) func `every test case has a runtime of its own, without state of others`(
        number: Int
    ) async throws {
        let runtime = try TestRuntime.current
        let directory = runtime.directory
        #expect(Self.seen.withLock { $0.insert(directory).inserted })
        let tally = try await runtime.getOrCreate(Tally.self, name: "only")
        #expect(try await tally.add(number + 1) == number + 1)
    }

    @Test func `an actor of the test file survives SIGKILL`() async throws {
        let tally = try await TestRuntime.current.spawn(Tally.self, options: .resilient)
        for kills in 1...3 {
            #expect(try await tally.add(1) == kills)
            let pid = try await tally.processID()
            #expect(pid != getpid() && kill(pid, SIGKILL) == 0)
        }
        #expect(try await tally.add(1) == 4)
    }

    @Test func `tasks of the test see its runtime, detached ones are told what is missing`() async throws {
        let directory = try TestRuntime.current.directory
        async let child = TestRuntime.current.directory
        #expect(try await child == directory)
        #expect(try await Task { try TestRuntime.current.directory }.value == directory)
        await #expect {
            _ = try await Task.detached { try TestRuntime.current.directory }.value
        } throws: {
            ($0 as? ActorError)?.code == .runtimeStopped && "\($0)".contains(".runtime")
        }
    }

    @Test(.runtime(.withoutSpares)) func `the test's own trait counts, not its suite's`() async throws {
        let runtime = try TestRuntime.current
        let tally = try await runtime.spawn(Tally.self)
        #expect(try await tally.add(1) == 1)
        let processes = RuntimeProcesses(directory: runtime.directory).all().map(\.pid)
        let expected = [try #require(runtime.supervisorProcessID), try await tally.processID()]
        #expect(processes.sorted() == expected.sorted())
    }

    @Test func `what belongs to the runtime is found: supervisor, worker and spares`() async throws {
        let runtime = try TestRuntime.current
        let tally = try await runtime.spawn(Tally.self)
        let processes = RuntimeProcesses(directory: runtime.directory).all().map(\.pid)
        #expect(processes.contains(try #require(runtime.supervisorProcessID)))
        #expect(processes.contains(try await tally.processID()))
        #expect(!processes.contains(getpid()))
    }
}

extension RuntimeConfiguration {
    fileprivate static var withoutSpares: Self {
        var configuration = RuntimeConfiguration()
        configuration.warmSpares = 0
        return configuration
    }
}
