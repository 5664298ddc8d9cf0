internal import DurableCore
internal import DurableStore
internal import DurableSupervisor

/// The stored layouts of actor types, kept in a text file beside the sources, so that a change of a type that would
/// make stored state unreadable is seen by a test and not by the first actor that is started again.
///
/// A layout is what the types declare: properties, and parts of their values down to plain types. Not seen are changes
/// of `CodingKeys`, of hand-written coding, and of an enum's cases.
public struct SchemaLock: Sendable, Hashable {
    /// The layout of one actor type.
    struct Layout: Sendable, Hashable {
        var version: UInt32
        var lines: [String: String]
        /// Properties by former names of theirs.
        var aliases: [String: String]
    }

    var types: [String: Layout]

    init(types: [String: Layout]) { self.types = types }

    /// What the shards of a data directory say; nothing needs to run. Of a type that several builds have served, the
    /// highest schema version counts, and of that what was written last.
    /// - Throws: ``ActorError`` with `directoryUnusable`.
    public init(directory: String) throws(ActorError) {
        let layout = RuntimeLayout(directory: directory)
        var newest: [String: StoredSchema] = [:]
        let shards = RuntimeDirectory.entries(of: layout.shards).compactMap { ShardNumber($0) }
        guard !shards.isEmpty else {
            throw ActorError(.directoryUnusable, "\(directory) holds no state of actors: there is no shard in it")
        }
        for shard in shards {
            do throws(StoreError) {
                for schema in try ShardReader.schemas(layout.shard(shard)) {
                    let known = newest[schema.type]
                    let isNewer = known.map { ($0.version, $0.milliseconds) < (schema.version, schema.milliseconds) }
                    if isNewer ?? true { newest[schema.type] = schema }
                }
            } catch {
                throw ActorError(.directoryUnusable, "shard \(shard) cannot be read", cause: error.description)
            }
        }
        types = newest.mapValues { Layout(version: $0.version, lines: $0.layout, aliases: $0.aliases) }
    }

    /// The names of the actor types, with their modules, sorted.
    public var typeNames: [String] { types.keys.sorted() }
}

extension ActorRuntime {
    /// The stored layouts of the types whose actors live in this runtime. Waits until each of them is served; one that
    /// is dormant is not started for it.
    /// - Throws: ``ActorError``, also when an actor cannot be served, as with `quarantined`.
    public func schemaLock() async throws -> SchemaLock {
        for actor in try await actors() where actor.state != .dormant {
            do {
                let outcome = try await calls.make(OutgoingCall(""), on: calls.channel(to: actor.id))
                try CallResult.check(outcome, decoder)
            } catch let error as ActorError where error.code == .unknownMethod {
                // No actor has a method without a name; that it says so means that it is served.
                continue
            }
        }
        return try SchemaLock(directory: directory)
    }
}
