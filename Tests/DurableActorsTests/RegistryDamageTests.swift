import DurableActors
import DurableSupervisor
import Foundation
import Glibc
import Testing

/// A registry in which bits have changed while nobody had it open.
@Suite(.serialized, .timeLimit(.minutes(1))) struct RegistryDamageTests {
    @Test func `a registry that has lost its actors is refused, and their shards are kept`() async throws {
        let scratch = ScratchDirectory()
        let directory = scratch.file("data")
        let options = ActorOptions.resilient.detached(name: "counter")
        let processes = try await ActorRuntime.withRuntime(directory: directory) { runtime in
            let counter = try await runtime.spawn(Counter.self, options: options)
            #expect(try await counter.add(7) == 7)
            let supervisor = try #require(runtime.supervisorProcessID)
            return [supervisor] + Processes.children(of: supervisor).map(\.pid)
        }
        for process in processes { kill(process, SIGKILL) }
        try await eventually("all have ended") {
            processes.filter { Processes.isAlive($0) }
        } is: {
            $0.isEmpty
        }
        let file = URL(fileURLWithPath: "\(RuntimeLayout(directory: directory).supervisor)/data.mdb")
        let sound = try Data(contentsOf: file)
        var damaged = sound
        // The name of the database that holds the actors, wherever it stands.
        while let place = damaged.range(of: Data("actors".utf8)) {
            damaged.replaceSubrange(place, with: Data("actorr".utf8))
        }
        #expect(damaged != sound)
        try damaged.write(to: file)
        let error = await failure { _ = try await ActorRuntime.start(directory: directory) }
        #expect(error?.code == .directoryUnusable)
        #expect(error?.message.contains("damaged") == true, "\(String(describing: error))")
        try sound.write(to: file)
        try await ActorRuntime.withRuntime(directory: directory) { runtime in
            let counter = try await runtime.getActor(Counter.self, name: "counter")
            #expect(try await counter.add(1) == 8)
            try await runtime.kill(counter)
        }
    }
}
