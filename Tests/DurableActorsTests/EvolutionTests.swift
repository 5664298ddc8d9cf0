import CBOR
import DurableActors
import DurableCore
import DurableLMDB
import DurableStore
import DurableSupervisor
import Glibc
import Testing

/// State that another build of the program stored: properties that this one does not know, and some that it lacks.
@Suite(.serialized) struct EvolutionTests {
    @Test func `rows of unknown properties are kept, and a new property starts with the constructor's value`()
        async throws
    {
        let scratch = ScratchDirectory()
        let directory = scratch.file("data")
        let shard = ShardLayout.directory(of: 1, in: directory)
        let runtime = try await ActorRuntime.start(directory: directory)
        let before = try await runtime.getOrCreate(Evolving.self, name: "old", 41)
        #expect(try await before.add(5) == 5)
        #expect(try await before.raise() == 42)
        try await end(runtime)

        // The other build knew a property `former` and none that was called `latest`.
        let unknown = try CBOREncoder().encode(["key": [1, 2, 3]])
        try rewrite(shard, of: before.id) { environment, transaction throws in
            let state = environment.database("state")
            try transaction.put(before.id.bytes + Array("former".utf8), StoredValue.seal(unknown), in: state)
            #expect(try transaction.delete(before.id.bytes + Array("latest".utf8), in: state))
        }
        try await ActorRuntime.withRuntime(directory: directory) { runtime in
            let actor = try await runtime.getActor(Evolving.self, name: "old")
            #expect(try await actor.newest() == 41, "the constructor's, from the recorded arguments")
            #expect(try await actor.add(5) == 10)
            #expect(try stored(shard) == ["known": 10], "what did not change is not stored")
            #expect(try former(in: shard) == unknown)
            #expect(try await actor.raise() == 42)
            kill(try await runtime.process(of: actor), SIGKILL)
            #expect(try await actor.newest() == 42, "stored once it was changed")
            #expect(try await actor.add(1) == 11)
            #expect(try stored(shard) == ["known": 11, "latest": 42])
            #expect(try former(in: shard) == unknown)
            try await runtime.kill(actor)
        }
    }

    @Test func `a property that was stored as another type quarantines the actor and keeps every row`() async throws {
        let scratch = ScratchDirectory()
        let directory = scratch.file("data")
        let shard = ShardLayout.directory(of: 1, in: directory)
        let runtime = try await ActorRuntime.start(directory: directory)
        let before = try await runtime.getOrCreate(Evolving.self, name: "old", 1)
        #expect(try await before.add(5) == 5)
        try await end(runtime)
        let text = try CBOREncoder().encode("five")
        try rewrite(shard, of: before.id) { environment, transaction throws in
            let key = before.id.bytes + Array("known".utf8)
            try transaction.put(key, StoredValue.seal(text), in: environment.database("state"))
        }
        try await ActorRuntime.withRuntime(directory: directory) { runtime in
            let actor = try await runtime.getActor(Evolving.self, name: "old")
            let error = await failure { _ = try await actor.add(1) }
            #expect(error?.code == .quarantined)
            #expect(error?.message.contains("known") == true, "\(String(describing: error))")
            #expect(try ShardReader.read(shard).actors.first?.fields["known"]?.property == .value(text))
            try await runtime.kill(actor)
        }
    }

    @Test func `an owned actor whose state cannot be read keeps its bytes until it is killed`() async throws {
        let scratch = ScratchDirectory()
        let directory = scratch.file("data")
        try await ActorRuntime.withRuntime(directory: directory) { runtime in
            let actor = try await runtime.spawn(Evolving.self, 1, options: .resilient)
            #expect(try await actor.add(5) == 5)
            let shard = ShardLayout.directory(of: 1, in: directory)
            let text = StoredValue.seal(try CBOREncoder().encode("five"))
            try rewrite(shard, of: actor.id) { environment, transaction throws in
                try transaction.put(actor.id.bytes + Array("known".utf8), text, in: environment.database("state"))
            }
            kill(try await runtime.process(of: actor), SIGKILL)
            #expect(await failure { _ = try await actor.add(1) }?.code == .quarantined)
            #expect(try ShardReader.read(shard).actors.first?.id == actor.id)
            try await runtime.kill(actor)
            #expect(RuntimeDirectory.entries(of: "\(directory)/shards") == [])
        }
    }

    /// Leaves the runtime and ends what goes on without a driver.
    private func end(_ runtime: ActorRuntime) async throws {
        let supervisor = try #require(runtime.supervisorProcessID)
        let workers = try await runtime.actors().compactMap(\.processID)
        await runtime.shutdown()
        for pid in [supervisor] + workers {
            kill(pid, SIGKILL)
            try await eventually("process \(pid) is gone") {
                Processes.isAlive(pid)
            } is: {
                !$0
            }
        }
    }

    /// Changes the rows of a shard that nobody has open, as its format's document names them.
    private func rewrite(
        _ shard: String,
        of actor: ActorID,
        _ body: (Environment, inout WriteTransaction) throws -> Void
    ) throws {
        let format = StoreFormat(name: "durable-shard", version: 1)
        let options = EnvironmentOptions(format: format, databases: ["meta", "actors", "state", "done"])
        let environment = try Environment.open(directory: shard, options: options)
        defer { environment.close() }
        try environment.tryWrite { try body(environment, &$0) }
    }

    private func stored(_ shard: String) throws -> [String: Int] {
        try values(in: shard).filter { $0.key != "former" }.mapValues { try CBORDecoder().decode(Int.self, from: $0) }
    }

    private func former(in shard: String) throws -> [UInt8]? {
        try values(in: shard)["former"]
    }

    private func values(in shard: String) throws -> [String: [UInt8]] {
        let fields = try ShardReader.read(shard).actors.first?.fields ?? [:]
        return fields.compactMapValues { field in
            if case .value(let bytes) = field.property { bytes } else { nil }
        }
    }
}

/// Starts one of its properties with its argument.
distributed actor Evolving: DurableActor {
    @Checkpointed var known = 0
    @Checkpointed var latest: Int

    init(_ start: Int, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
        latest = start
    }

    distributed func add(_ amount: Int) -> Int {
        known += amount
        return known
    }

    distributed func newest() -> Int { latest }

    distributed func raise() -> Int {
        latest += 1
        return latest
    }
}
