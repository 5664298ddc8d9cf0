internal import CBOR
internal import DurableCore
internal import DurableLMDB

/// An actor's rows as they were after one version, seen through what later commits replaced.
struct HistoricState {
    let version: UInt64
    let databases: ShardDatabases
    let actor: ActorID
    /// What is different from the present; `nil` where there was no row.
    private(set) var replaced: [UndoLog.Row.Place: [[UInt8]: [UInt8]?]] = [.state: [:], .entries: [:]]

    init(after version: UInt64, of actor: ActorID, _ log: [StoredCommit], _ databases: ShardDatabases) {
        self.version = version
        self.databases = databases
        self.actor = actor
        for commit in log where commit.version > version {
            for row in commit.rows where replaced[row.place]?[row.key] == nil {
                // The oldest commit behind the version replaced what the version had.
                replaced[row.place]?[row.key] = .some(row.old)
            }
        }
    }

    /// The properties as they were.
    func fields(_ transaction: borrowing ReadTransaction) throws -> [String: StoredField] {
        var fields: [String: StoredField] = [:]
        for (key, row) in try rows(.state, prefix: actor.bytes, transaction) {
            let name = String(decoding: key.dropFirst(16), as: UTF8.self)
            fields[name] = try RowReader.field(row, databases, transaction)
        }
        return fields
    }

    /// The entries of a collection as they were, by row key.
    func entries(of rows: RowSetID, _ transaction: borrowing ReadTransaction) throws -> [[UInt8]: [UInt8]] {
        let prefix = ShardLayout.rowsPrefix(rows)
        var entries: [[UInt8]: [UInt8]] = [:]
        for (key, row) in try self.rows(.entries, prefix: prefix, transaction) {
            entries[Array(key.dropFirst(8))] = try RowReader.payload(row, databases, transaction)
        }
        return entries
    }

    private func rows(
        _ place: UndoLog.Row.Place,
        prefix: [UInt8],
        _ transaction: borrowing ReadTransaction
    ) throws -> [[UInt8]: [UInt8]] {
        var rows: [[UInt8]: [UInt8]] = [:]
        try transaction.forEach(
            prefix: prefix,
            in: place == .state ? databases.state : databases.entries
        ) { key, value in
            rows[Array(key)] = Array(value)
            return true
        }
        for (key, old) in replaced[place] ?? [:] where key.starts(with: prefix) { rows[key] = old }
        return rows
    }
}

/// An entry of the history with the rows that it replaced.
struct StoredCommit {
    var version: UInt64
    var entry: HistoryEntry
    var rows: [UndoLog.Row] = []

    /// All that is kept of an actor, oldest first.
    static func all(
        of actor: ActorID,
        _ databases: ShardDatabases,
        _ transaction: borrowing some ReadableTransaction & ~Copyable
    ) throws -> [StoredCommit] {
        var commits: [StoredCommit] = []
        for (key, value) in try transaction.entries(prefix: actor.bytes, in: databases.history) {
            guard key.count == 28 else { throw MalformedBytes("a key of the history has \(key.count) bytes") }
            let version = UInt64(bigEndian: key.dropFirst(16))
            if key.suffix(4).allSatisfy({ $0 == 0 }) {
                commits.append(StoredCommit(version: version, entry: try HistoryEntry(decoding: value)))
            } else if commits.last?.version == version {
                commits[commits.count - 1].rows.append(try UndoLog.Row(decoding: value))
            } else {
                throw MalformedBytes("version \(version) of the history has no beginning")
            }
        }
        if let commit = commits.first(where: { $0.rows.count != $0.entry.rows }) {
            throw MalformedBytes(
                "version \(commit.version) of the history has \(commit.rows.count) of \(commit.entry.rows) rows"
            )
        }
        return commits
    }
}
