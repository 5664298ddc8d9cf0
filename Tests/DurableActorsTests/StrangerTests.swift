import DurableActors
import DurableCore
import DurableSupervisor
import Foundation
import Glibc
import Testing

/// Workers that were given a shard in the last moment of their supervisor.
@Suite(.serialized, .timeLimit(.minutes(2))) struct StrangerTests {
    private static let stopsAfterAssignment: RuntimeConfiguration = {
        var configuration = RuntimeConfiguration()
        // The second assignment is that of the second life.
        configuration.faults = [FaultSpecification(.supervisorAfterAssignment, occurrence: 2, action: .stop)]
        return configuration
    }()

    /// Has the second life of an actor assigned by a supervisor that stands still before it has stored that.
    private func withStrangers(
        _ durability: Durability,
        _ body: (_ counter: Counter, _ supervisor: Int32, _ strangers: [Int32]) async throws -> Void
    ) async throws {
        try await ActorRuntime.withRuntime(configuration: Self.stopsAfterAssignment) { runtime in
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
            defer { for pid in strangers { kill(pid, SIGKILL) } }
            try await body(counter, supervisor, strangers)
        }
    }

    @Test(arguments: [Durability.none, .disk], [false, true])
    func `a worker that stands still and that the registry does not know is gone before the next life begins`(
        durability: Durability,
        isKilledMeanwhile: Bool
    ) async throws {
        try await withStrangers(durability) { counter, supervisor, strangers in
            for pid in strangers { kill(pid, SIGSTOP) }
            // Until the last of its threads has stopped, one could answer.
            try await eventually("they stand still") {
                strangers.filter { Processes.isAlive($0) && !Processes.isStopped($0) }
            } is: {
                $0.isEmpty
            }
            kill(supervisor, SIGKILL)
            // The next supervisor is asked for it while it still waits for the strangers.
            if isKilledMeanwhile { try await counter.actorSystem.kill(counter, noRestart: false) }
            try await eventually("the third life is there") {
                try await counter.actorSystem.summary(of: counter).processID
            } is: { process in
                process.map { Processes.isAlive($0) && !strangers.contains($0) } ?? false
            }
            #expect(strangers.filter(Processes.isAlive) == [], "they have ended before")
            let third = try await counter.add(10)
            #expect(third == (durability == .none ? 10 : 11))
            let sum = try await counter.add(10)
            #expect(sum == third + 10)
        }
    }

    @Test(arguments: [Durability.none, .disk])
    func `a life that the registry does not know answers until the next supervisor ends it, and another follows`(
        durability: Durability
    ) async throws {
        try await withStrangers(durability) { counter, supervisor, strangers in
            let second = try await counter.processID()
            #expect(strangers.contains(second), "the second life answers")
            let first = try await counter.add(10)
            #expect(first == (durability == .none ? 10 : 11))
            kill(supervisor, SIGKILL)
            try await eventually("the second life is gone, and the spares") {
                strangers.filter(Processes.isAlive)
            } is: {
                $0.isEmpty
            }
            let third = try await counter.add(10)
            #expect(third == (durability == .none ? 10 : 21))
        }
    }
}
