import DurableActors
import DurableCore
import Glibc
import Testing

/// What a runtime leaves in the program that started it.
@Suite(.serialized) struct LeakTests {
    @Test func `runtimes that were shut down leave no descriptor and no thread`() async throws {
        func use() async throws {
            try await ActorRuntime.withRuntime { runtime in
                let counter = try await runtime.spawn(Counter.self, options: .resilient)
                let shared = try await runtime.spawn(Counter.self, options: .resilient.shared("group"))
                #expect(try await counter.add(1) == 1)
                #expect(try await shared.add(1) == 1)
            }
        }
        try await use()
        let threads = Processes.threads(of: getpid())
        let before = Processes.descriptors(of: getpid())
        for _ in 0..<12 { try await use() }
        try await eventually("the descriptors are closed") {
            Processes.descriptors(of: getpid())
        } is: {
            $0 <= before + 3
        }
        try await eventually("the threads have ended") {
            Processes.threads(of: getpid())
        } is: {
            $0 <= threads + 3
        }
    }
}
