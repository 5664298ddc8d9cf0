internal import CBOR
internal import DurableCore
internal import DurableLMDB

/// Turns changes into rows, within one transaction.
struct RowWriter {
    let databases: ShardDatabases
    /// What the transaction will leave; row sets are numbered from it.
    private(set) var fence: Fence
    /// Whether rows are left to be deleted later.
    var hasDiscarded = false
    /// The checksum over all rows; `nil` where none is kept.
    var contents: ContentsSum?
    /// What the transaction replaces, of the actors whose history is kept.
    var undo: [ActorID: UndoLog] = [:]
    /// Actors whose earlier states were dropped with them.
    var forgotten: Set<ActorID> = []
    /// What the transaction's records change of their sessions.
    var sessions = SessionChanges()

    init(databases: ShardDatabases, fence: Fence, contents: ContentsSum? = nil) {
        self.databases = databases
        self.fence = fence
        self.contents = contents
    }

    mutating func apply(
        _ change: WriteSet.Change,
        of set: WriteSet,
        _ transaction: inout WriteTransaction
    ) throws {
        switch change {
        case .actor(let stored):
            let row = StoredValue.seal(try CBOREncoder().encode(stored))
            try store(set.actor.bytes, row, in: databases.actors, &transaction)
        case .property(let name, .value(let bytes)):
            let key = ShardLayout.stateKey(set.actor, field: name)
            try put(key, bytes, set, in: databases.state, &transaction)
        case .property(let name, .collection(let header)):
            let key = ShardLayout.stateKey(set.actor, field: name)
            try discardPortions(of: key, set.actor, in: databases.state, &transaction)
            let row = StoredValue.seal(try CBOREncoder().encode(header), kind: .collection, schemaVersion: set.schema)
            try note(key, set.actor, in: databases.state, transaction)
            try store(key, row, in: databases.state, &transaction)
        case .removeProperty(let name):
            let key = ShardLayout.stateKey(set.actor, field: name)
            try discardRows(of: key, set.actor, &transaction)
            try note(key, set.actor, in: databases.state, transaction)
            try delete(key, in: databases.state, &transaction)
        case .entry(let rows, let key, let payload):
            let key = ShardLayout.entryKey(rows, key)
            try put(key, payload, set, in: databases.entries, &transaction)
        case .removeEntry(let rows, let key):
            let key = ShardLayout.entryKey(rows, key)
            try discardPortions(of: key, set.actor, in: databases.entries, &transaction)
            try note(key, set.actor, in: databases.entries, transaction)
            try delete(key, in: databases.entries, &transaction)
        case .discard(let rows):
            try discard(rows, set.actor, &transaction)
        case .keep(let rows):
            try delete(ShardLayout.rowsPrefix(rows), in: databases.discarded, &transaction)
        case .schema(let schema):
            let row = StoredValue.seal(try CBOREncoder().encode(schema), schemaVersion: set.schema)
            try transaction.put(ShardLayout.schemaKey(set.actor), row, in: databases.meta)
        case .deadLetter(let call, let letter):
            try bury(call, of: set.actor, letter, &transaction)
        case .release(let key):
            try delete(ShardLayout.keyedKey(set.actor, key), in: databases.keyed, &transaction)
        case .removeActor:
            undo[set.actor] = nil
            forgetSessions(of: set.actor)
            try forgetHistory(of: set.actor, &transaction)
            for (key, _) in try transaction.entries(prefix: set.actor.bytes, in: databases.state) {
                try discardRows(of: key, set.actor, &transaction)
            }
            try deletePrefix(set.actor.bytes, in: databases.state, &transaction)
            try deletePrefix(set.actor.bytes, in: databases.done, &transaction)
            try deletePrefix(set.actor.bytes, in: databases.keyed, &transaction)
            try deletePrefix(set.actor.bytes, in: databases.dead, &transaction)
            try delete(set.actor.bytes, in: databases.actors, &transaction)
            try transaction.delete(ShardLayout.schemaKey(set.actor), in: databases.meta)
        }
    }

    /// Stores a value; a large one in portions, because LMDB needs as many free pages in a row as a value fills.
    private mutating func put(
        _ key: [UInt8],
        _ payload: [UInt8],
        _ set: WriteSet,
        in database: Database,
        _ transaction: inout WriteTransaction
    ) throws {
        let schema = set.schema
        try discardPortions(of: key, set.actor, in: database, &transaction)
        try note(key, set.actor, in: database, transaction)
        guard payload.count > Limits.storedValueBytesMax else {
            try store(key, payload: payload, schemaVersion: schema, in: database, &transaction)
            return
        }
        let reference = PortionsReference(rows: fence.nextRows, length: UInt64(payload.count))
        fence.nextRows += 1
        fence.hasPortions = true
        let starts = stride(from: 0, to: payload.count, by: Limits.storedPortionBytes)
        for (index, start) in starts.enumerated() {
            let portion = Array(payload[start..<min(start + Limits.storedPortionBytes, payload.count)])
            let key = ShardLayout.portionKey(reference.rows, index)
            try store(key, payload: portion, schemaVersion: schema, in: databases.entries, &transaction)
        }
        let row = StoredValue.seal(reference.encoded(), kind: .portions, schemaVersion: schema)
        try store(key, row, in: database, &transaction)
    }

    /// Has the rows of a set deleted; later, when an earlier state that is kept needs them.
    private mutating func discard(
        _ rows: RowSetID,
        _ actor: ActorID,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        if !undo.isEmpty, undo[actor]?.keeps(rows) == true { return }
        try discardNow(rows, &transaction)
    }

    mutating func discardNow(_ rows: RowSetID, _ transaction: inout WriteTransaction) throws(LMDBError) {
        try store(ShardLayout.rowsPrefix(rows), StoredValue.seal([]), in: databases.discarded, &transaction)
        hasDiscarded = true
    }

    /// Frees the portions of a large value that is about to be replaced. Costs nothing where there never was one.
    private mutating func discardPortions(
        of key: [UInt8],
        _ actor: ActorID,
        in database: Database,
        _ transaction: inout WriteTransaction
    ) throws {
        guard fence.hasPortions else { return }
        var old: [UInt8]?
        try transaction.lend(key, in: database) { row in
            if row.first == StoredValue.Kind.portions.rawValue { old = Array(row) }
        }
        guard let old else { return }
        try discard(PortionsReference(decoding: StoredValue.openAny(old).payload).rows, actor, &transaction)
    }

    /// Discards whatever rows a property has beside its own.
    private mutating func discardRows(
        of key: [UInt8],
        _ actor: ActorID,
        _ transaction: inout WriteTransaction
    ) throws {
        guard let old = try transaction.get(key, in: databases.state) else { return }
        if let rows = try RowReader.rows(of: old) { try discard(rows, actor, &transaction) }
    }
}
