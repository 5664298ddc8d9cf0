import DurableActors
import DurableCore
import DurableSupervisor
import Foundation
import Glibc
import Testing

/// Workers that were given a shard in the last moment of their supervisor.
@Suite(.serialized, .timeLimit(.minutes(2))) struct StrangerTests {
    @Test(arguments: [Durability.none, .disk], [true, false])
    func `a worker that the registry does not know is gone before its actor's next life begins`(
        durability: Durability,
        isStopped: Bool
    ) async throws {
        var configuration = RuntimeConfiguration()
        // The second assignment is that of the second life.
        configuration.faults = [FaultSpecification(.supervisorAfterAssignment, occurrence: 2, action: .stop)]
        try await ActorRuntime.withRuntime(configuration: configuration) { runtime in
            var options = ActorOptions.resilient
            options.durability = durability
            let counter = try await runtime.spawn(Counter.self, options: options)
            #expect(try await counter.add(1) == 1)
            let supervisor = try #require(runtime.supervisorProcessID)
            kill(try await counter.processID(), SIGKILL)
            try await eventually("the second life is assigned, and not stored") {
                Processes.isStopped(supervisor)
            } is: {
                $0
            }
            // One of them has the second life; the others are spares.
            let strangers = Processes.children(of: supervisor).map(\.pid).filter(Processes.isAlive)
            #expect(!strangers.isEmpty)
            if isStopped { for pid in strangers { kill(pid, SIGSTOP) } }
            defer { for pid in strangers { kill(pid, SIGKILL) } }
            kill(supervisor, SIGKILL)
            #expect(try await counter.add(10) == (durability == .none ? 10 : 11))
            #expect(strangers.filter(Processes.isAlive) == [], "they have ended before")
            #expect(try await counter.add(10) == (durability == .none ? 20 : 21))
        }
    }
}
