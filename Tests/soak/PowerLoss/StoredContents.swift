import CBOR
import DurableCore
import DurableLMDB
import DurableSupervisor

/// What one environment holds, read page by page, with every checksum looked at.
struct StoredContents {
    /// Over all rows.
    var rows = 0
    /// Over all rows but the owner's and those that the check itself adds.
    var stableRows = 0
    /// Of an actor: its number, how many changes it has had, and its id.
    var number: Int?
    var count = 0
    var actor: ActorID?

    static let shardFormat = StoreFormat(name: "durable-shard", version: 1)
    /// The property that checks add.
    static let probe = "probe"
    private static let propertyStart = 16

    /// - Throws: What is wrong with the file.
    static func read(_ directory: String, isRegistry: Bool) throws -> StoredContents {
        var contents = StoredContents()
        var (all, stable) = (Hasher(), Hasher())
        try DataFileWalk.run(directory: directory, format: isRegistry ? RegistryFile.format : shardFormat) {
            database,
            key,
            row in
            let payload = try StoredValue.openAny(row).payload
            all.combine(database)
            key.withUnsafeBytes { all.combine(bytes: $0) }
            row.withUnsafeBytes { all.combine(bytes: $0) }
            let name = database == "state" ? String(decoding: key.dropFirst(propertyStart), as: UTF8.self) : ""
            // The checks add records to a registry, under keys of its own kind.
            if database != "meta", name != probe, !isRegistry {
                stable.combine(database)
                key.withUnsafeBytes { stable.combine(bytes: $0) }
                row.withUnsafeBytes { stable.combine(bytes: $0) }
            }
            switch (database, name) {
            case ("actors", _) where !isRegistry: contents.actor = ActorID(bytes: key)
            case ("state", "number"): contents.number = try CBORDecoder().decode(Int.self, from: Array(payload))
            case ("state", "count"): contents.count = try CBORDecoder().decode(Int.self, from: Array(payload))
            default: break
            }
        }
        contents.rows = all.finalize()
        contents.stableRows = stable.finalize()
        return contents
    }
}

/// What a trace made of its environments, commit by commit: nothing else may ever be found in them.
struct TraceTruth {
    struct Commit {
        /// The record whose write made it.
        var index: Int
        var rows: Int
        var count: Int
    }

    final class Environment {
        var commits: [Commit] = []
        /// Where in `commits` each content is.
        var places: [Int: [Int]] = [:]
        var number: Int?
        var isUnsynced = false
    }

    private(set) var environments: [String: Environment] = [:]

    /// Reads the environment's file after each commit, as the processes saw it.
    init(_ trace: WriteTrace, scratch: String) throws {
        let disk = try ModelDisk(trace)
        let bytes = Bytes()
        for (index, record) in trace.records.enumerated() {
            guard let node = disk.apply(index) else { continue }
            let isMeta = record.number < 8192 && record.bytes.count < 4096
            guard record.kind == .write || record.kind == .syncedWrite, isMeta, let name = node.environment else {
                continue
            }
            // Snapshots are written whole.
            node.current(bytes, trace)
            guard bytes.count >= 8192, bytes.buffer.loadUnaligned(fromByteOffset: 16, as: UInt32.self) == 0xBEEF_C0DE
            else { continue }
            RuntimeDirectory.remove(scratch)
            try SmallFile.write(bytes, to: "data.mdb", in: scratch)
            guard let contents = try? StoredContents.read(scratch, isRegistry: name == "supervisor") else {
                // A file in the making, or a meta page that was put back after an error.
                continue
            }
            let environment = environments[name] ?? Environment()
            environments[name] = environment
            environment.places[contents.rows, default: []].append(environment.commits.count)
            environment.commits.append(Commit(index: index, rows: contents.rows, count: contents.count))
            if let number = contents.number {
                environment.number = number
                environment.isUnsynced = !TraceLoad.isFlushed(number)
            }
        }
        RuntimeDirectory.remove(scratch)
    }
}
