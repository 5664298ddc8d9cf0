internal import CBOR
internal import DurableCore
internal import DurableLMDB

/// Turns changes into rows, within one transaction.
struct RowWriter {
    let databases: ShardDatabases
    /// What the transaction will leave; row sets are numbered from it.
    private(set) var fence: Fence
    /// Whether rows are left to be deleted later.
    private(set) var hasDiscarded = false

    init(databases: ShardDatabases, fence: Fence) {
        self.databases = databases
        self.fence = fence
    }

    mutating func apply(
        _ change: WriteSet.Change,
        of set: WriteSet,
        _ transaction: inout WriteTransaction
    ) throws {
        switch change {
        case .property(let name, .value(let bytes)):
            let key = ShardLayout.stateKey(set.actor, field: name)
            try put(key, bytes, set.schema, in: databases.state, &transaction)
        case .property(let name, .collection(let header)):
            let key = ShardLayout.stateKey(set.actor, field: name)
            try discardPortions(of: key, in: databases.state, &transaction)
            let row = StoredValue.seal(try CBOREncoder().encode(header), kind: .collection, schemaVersion: set.schema)
            try transaction.put(key, row, in: databases.state)
        case .removeProperty(let name):
            let key = ShardLayout.stateKey(set.actor, field: name)
            try discardRows(of: key, &transaction)
            try transaction.delete(key, in: databases.state)
        case .entry(let rows, let key, let payload):
            let key = ShardLayout.entryKey(rows, key)
            try put(key, payload, set.schema, in: databases.entries, &transaction)
        case .removeEntry(let rows, let key):
            let key = ShardLayout.entryKey(rows, key)
            try discardPortions(of: key, in: databases.entries, &transaction)
            try transaction.delete(key, in: databases.entries)
        case .discard(let rows):
            try discard(rows, &transaction)
        case .release(let key):
            try transaction.delete(ShardLayout.keyedKey(set.actor, key), in: databases.keyed)
        case .removeActor:
            for (key, _) in try transaction.entries(prefix: set.actor.bytes, in: databases.state) {
                try discardRows(of: key, &transaction)
            }
            try transaction.deletePrefix(set.actor.bytes, in: databases.state)
            try transaction.deletePrefix(set.actor.bytes, in: databases.done)
            try transaction.deletePrefix(set.actor.bytes, in: databases.keyed)
            try transaction.delete(set.actor.bytes, in: databases.actors)
        }
    }

    /// Stores a value; a large one in portions, because LMDB needs as many free pages in a row as a value fills.
    private mutating func put(
        _ key: [UInt8],
        _ payload: [UInt8],
        _ schema: UInt32,
        in database: Database,
        _ transaction: inout WriteTransaction
    ) throws {
        try discardPortions(of: key, in: database, &transaction)
        guard payload.count > Limits.storedValueBytesMax else {
            try transaction.put(key, StoredValue.seal(payload, schemaVersion: schema), in: database)
            return
        }
        let reference = PortionsReference(rows: fence.nextRows, length: UInt64(payload.count))
        fence.nextRows += 1
        fence.hasPortions = true
        let starts = stride(from: 0, to: payload.count, by: Limits.storedPortionBytes)
        for (index, start) in starts.enumerated() {
            let portion = payload[start..<min(start + Limits.storedPortionBytes, payload.count)]
            let key = ShardLayout.portionKey(reference.rows, index)
            try transaction.put(key, StoredValue.seal(portion, schemaVersion: schema), in: databases.entries)
        }
        let row = StoredValue.seal(reference.encoded(), kind: .portions, schemaVersion: schema)
        try transaction.put(key, row, in: database)
    }

    private mutating func discard(_ rows: RowSetID, _ transaction: inout WriteTransaction) throws(LMDBError) {
        try transaction.put(ShardLayout.rowsPrefix(rows), StoredValue.seal([]), in: databases.discarded)
        hasDiscarded = true
    }

    /// Frees the portions of a large value that is about to be replaced. Costs nothing where there never was one.
    private mutating func discardPortions(
        of key: [UInt8],
        in database: Database,
        _ transaction: inout WriteTransaction
    ) throws {
        guard fence.hasPortions,
            try transaction.withValue(key, in: database, { $0.first == StoredValue.Kind.portions.rawValue }) == true,
            let old = try transaction.get(key, in: database)
        else { return }
        try discard(PortionsReference(decoding: StoredValue.openAny(old).payload).rows, &transaction)
    }

    /// Discards whatever rows a property has beside its own.
    private mutating func discardRows(of key: [UInt8], _ transaction: inout WriteTransaction) throws {
        guard let old = try transaction.get(key, in: databases.state) else { return }
        let opened = try StoredValue.openAny(old)
        switch opened.kind {
        case .value:
            break
        case .portions:
            try discard(PortionsReference(decoding: opened.payload).rows, &transaction)
        case .collection:
            let header = try CBORDecoder().decode(CollectionHeader.self, from: opened.payload)
            try discard(header.rows, &transaction)
        }
    }
}
