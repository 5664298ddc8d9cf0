internal import CBOR
package import DurableCore
internal import DurableLMDB
internal import Glibc

/// The earlier states of an actor: which there are, how they differ, and back to one of them.
///
/// Works on the files, from any process, also while a worker has the shard.
package enum ShardHistory {
    /// A commit whose replaced rows are kept: the state before it can be had again.
    package struct Commit: Sendable, Hashable {
        /// The version that the commit made.
        package var version: UInt64
        /// When it was, and what.
        package var entry: HistoryEntry
        /// The properties that it changed, in alphabetical order.
        package var properties: [String]
    }

    /// A property, or an entry of one, that differs between two states. Payloads are CBOR.
    package struct Difference: Sendable, Hashable {
        /// The property.
        package var property: String
        /// The row key, when it is an entry of a collection.
        package var key: [UInt8]?
        /// What kind of collection it is an entry of.
        package var collection: CollectionHeader.Kind?
        /// What it was; `nil` for nothing.
        package var before: [UInt8]?
        /// What it became; `nil` for nothing.
        package var after: [UInt8]?
    }

    /// The commits that can be undone, oldest first, and the present version of the shard.
    package static func commits(
        of actor: ActorID,
        in directory: String
    ) throws(StoreError) -> (commits: [Commit], version: UInt64) {
        try read(directory) { databases, transaction in
            let version = try version(of: actor, databases, transaction)
            let log = try StoredCommit.all(of: actor, databases, transaction)
            // A row set belongs to one property for ever, so any header that names it says which.
            var names: [RowSetID: String] = [:]
            let present = try transaction.entries(prefix: actor.bytes, in: databases.state)
            let replaced = log.flatMap(\.rows).filter { $0.place == .state }
            for (key, row) in present.map({ ($0.key, $0.value) })
                + replaced.compactMap({ row in
                    row.old.map { (row.key, $0) }
                })
            {
                if let rows = try RowReader.rows(of: row) { names[rows] = propertyName(key) }
            }
            let commits = log.map { commit in
                let changed = commit.rows.map { row in
                    row.place == .state ? propertyName(row.key) : names[UInt64(bigEndian: row.key)] ?? "?"
                }
                return Commit(version: commit.version, entry: commit.entry, properties: Set(changed).sorted())
            }
            return (commits, version)
        }
    }

    /// What differs between the states after two versions, by property and entry.
    package static func difference(
        of actor: ActorID,
        from one: UInt64,
        to other: UInt64,
        in directory: String
    ) throws(StoreError) -> [Difference] {
        try read(directory) { databases, transaction in
            let log = try StoredCommit.all(of: actor, databases, transaction)
            let present = try version(of: actor, databases, transaction)
            for version in [one, other] { try check(version, log, present: present) }
            let before = HistoricState(after: one, of: actor, log, databases)
            let after = HistoricState(after: other, of: actor, log, databases)
            let (fields, newFields) = (try before.fields(transaction), try after.fields(transaction))
            var found: [Difference] = []
            for name in Set(fields.keys).union(newFields.keys).sorted() {
                let (old, new) = (fields[name]?.property, newFields[name]?.property)
                found += try differences(name, old, new, before, after, transaction)
            }
            return found
        }
    }

    private static func differences(
        _ name: String,
        _ old: StoredProperty?,
        _ new: StoredProperty?,
        _ before: HistoricState,
        _ after: HistoricState,
        _ transaction: borrowing ReadTransaction
    ) throws -> [Difference] {
        var found: [Difference] = []
        let (oldValue, newValue) = (old?.value, new?.value)
        if oldValue != newValue {
            found.append(Difference(property: name, key: nil, collection: nil, before: oldValue, after: newValue))
        }
        let (oldHeader, newHeader) = (old?.header, new?.header)
        guard let kind = newHeader?.kind ?? oldHeader?.kind else { return found }
        let oldEntries = try oldHeader.map { try before.entries(of: $0.rows, transaction) } ?? [:]
        let newEntries = try newHeader.map { try after.entries(of: $0.rows, transaction) } ?? [:]
        let keys = Set(oldEntries.keys).union(newEntries.keys).filter { oldEntries[$0] != newEntries[$0] }
        for key in keys.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
            found.append(
                Difference(
                    property: name,
                    key: key,
                    collection: kind,
                    before: oldEntries[key],
                    after: newEntries[key]
                )
            )
        }
        return found
    }

    private static func propertyName(_ key: [UInt8]) -> String { String(decoding: key.dropFirst(16), as: UTF8.self) }

    static func version(
        of actor: ActorID,
        _ databases: ShardDatabases,
        _ transaction: borrowing some ReadableTransaction & ~Copyable
    ) throws -> UInt64 {
        guard try transaction.contains(actor.bytes, in: databases.actors),
            let stored = try transaction.get(ShardLayout.fenceKey, in: databases.meta)
        else { throw StoreError(.failed, "nothing is stored of actor \(actor)") }
        return try Fence(decoding: stored).version
    }

    /// Refuses a version that was not reached yet, or whose state cannot be had any more.
    static func check(_ version: UInt64, _ log: [StoredCommit], present: UInt64) throws(StoreError) {
        let oldest = log.first.map { $0.version - 1 } ?? present
        guard (oldest...max(oldest, present)).contains(version) else {
            let kept =
                log.isEmpty ? "no earlier state is kept" : "the states of versions \(oldest) to \(present) are kept"
            throw StoreError(.failed, "there is no version \(version) to be had: \(kept)")
        }
    }

    private static func read<Result>(
        _ directory: String,
        _ body: (ShardDatabases, borrowing ReadTransaction) throws -> Result
    ) throws(StoreError) -> Result {
        do {
            var options = EnvironmentOptions(format: ShardLayout.format, databases: ShardLayout.databases)
            options.readOnly = true
            let environment = try Environment.open(directory: directory, options: options)
            defer { environment.close() }
            let databases = ShardDatabases(environment)
            return try environment.tryRead { transaction throws in try body(databases, transaction) }
        } catch {
            throw ShardStore.convert(error, "reading the history", directory)
        }
    }
}

extension StoredProperty {
    fileprivate var value: [UInt8]? { if case .value(let bytes) = self { bytes } else { nil } }
    fileprivate var header: CollectionHeader? { if case .collection(let header) = self { header } else { nil } }
}
