import DurableActors
import DurableCore
import DurableProcess
import DurableStore
import Glibc
import Testing

@testable import DurableSupervisor

/// One named actor in a data directory, served by one build after the other.
///
/// Builds are types: each writes and reads in worker processes of its own. Between two of them, while no process runs,
/// the records that name the type are changed, as if both types had the same name. Nothing of the state is touched.
final class StoredBuilds {
    private let scratch = ScratchDirectory()

    var directory: String { scratch.file("data") }
    var layout: RuntimeLayout { RuntimeLayout(directory: directory) }

    func file(_ name: String) -> String { scratch.file(name) }

    /// Serves the actor with a type, until `body` returns; then no process of the runtime is left.
    func serve<Act: DurableActor, Result>(
        _ type: Act.Type,
        faults: [FaultSpecification] = [],
        _ body: (Act) async throws -> Result
    ) async throws -> Result where Act.Arguments == NoArguments {
        try retype(to: type)
        var configuration = RuntimeConfiguration()
        configuration.faults = faults
        let runtime = try await ActorRuntime.start(directory: directory, configuration: configuration)
        let supervisor = try #require(runtime.supervisorProcessID)
        do {
            var options = ActorOptions.resilient
            options.durability = .process
            let result = try await body(runtime.getOrCreate(type, name: "it", options: options))
            await runtime.shutdown()
            try await end(supervisor)
            return result
        } catch {
            await runtime.shutdown()
            try await end(supervisor)
            throw error
        }
    }

    /// Serves the actor, and returns why it is quarantined.
    func refusal<Act: DurableActor>(_ type: Act.Type, _ body: (Act) async throws -> Void) async throws -> String
    where Act.Arguments == NoArguments {
        let error = try await serve(type) { actor in await failure { try await body(actor) } }
        #expect(error?.code == .quarantined)
        return error?.message ?? ""
    }

    /// What is stored, read while no process runs.
    func stored() throws -> ShardReader.StoredState {
        try #require(try ShardReader.read(layout.shard(1), entriesMax: 10_000).actors.first)
    }

    /// Changes what is stored while no process runs.
    func change<Result>(_ body: (ShardStore, ActorID) throws -> Result) throws -> Result {
        let actor = try stored().id
        let store = try ShardStore.open(directory: layout.shard(1), durability: .process)
        defer { store.close() }
        _ = try store.claim(pid: getpid(), incarnation: 0)
        return try body(store, actor)
    }

    private func retype(to type: any DurableActor.Type) throws {
        guard !RuntimeDirectory.entries(of: layout.supervisor).isEmpty else { return }
        let registry = try RegistryStore(layout)
        defer { registry.close() }
        let (records, _, next) = try registry.load()
        guard var record = records.first, let typeName = _mangledTypeName(type), record.typeName != typeName else {
            return
        }
        record.typeName = typeName
        record.typeDescription = String(describing: type)
        try registry.write(RegistryStore.Changes(records: [record]), nextShard: next ?? 2)
        try change { store, actor in
            var stored = try #require(try store.load(actor)).actor
            stored.typeName = typeName
            stored.type = record.typeDescription
            try store.register(actor, as: stored, state: nil)
        }
    }

    private func end(_ supervisor: Int32) async throws {
        let workers = Processes.children(of: supervisor).map(\.pid)
        for pid in [supervisor] + workers { kill(pid, SIGKILL) }
        for pid in [supervisor] + workers {
            try await eventually("process \(pid) is gone") {
                Processes.isAlive(pid)
            } is: {
                !$0
            }
        }
    }
}
