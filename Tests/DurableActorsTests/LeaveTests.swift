import DurableActors
import Testing

/// Makes others, which end with it.
distributed actor Brood: DurableActor {
    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }

    /// - Returns: When they are recorded, started or not.
    distributed func spawn(_ count: Int) async throws {
        try await withThrowingTaskGroup(of: Void.self) { [actorSystem] group in
            for _ in 0..<count { group.addTask { _ = try await actorSystem.spawn(Counter.self) } }
            try await group.waitForAll()
        }
    }
}

/// What is left when the last driver has left.
@Suite(.serialized) struct LeaveTests {
    @Test(arguments: [false, true])
    func `a shutdown waits for the supervisor, also when some actors have no worker yet`(areChildren: Bool) async throws
    {
        for round in 0..<5 {
            let runtime = try await ActorRuntime.start()
            // More than there are workers in wait, and nobody waits for their start.
            if areChildren {
                try await runtime.spawn(Brood.self).spawn(8)
            } else {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<8 { group.addTask { _ = try await runtime.spawn(Counter.self) } }
                    try await group.waitForAll()
                }
            }
            let supervisor = try #require(runtime.supervisorProcessID)
            let workers = try await runtime.actors().compactMap(\.processID)
            await runtime.shutdown()
            #expect(!Processes.isAlive(supervisor), "round \(round)")
            #expect(workers.allSatisfy { !Processes.isAlive($0) }, "round \(round)")
        }
    }
}
