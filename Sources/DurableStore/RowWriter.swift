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
    /// The checksum over all rows; `nil` where none is kept.
    var contents: ContentsSum?

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
            try put(key, bytes, set.schema, in: databases.state, &transaction)
        case .property(let name, .collection(let header)):
            let key = ShardLayout.stateKey(set.actor, field: name)
            try discardPortions(of: key, in: databases.state, &transaction)
            let row = StoredValue.seal(try CBOREncoder().encode(header), kind: .collection, schemaVersion: set.schema)
            try store(key, row, in: databases.state, &transaction)
        case .removeProperty(let name):
            let key = ShardLayout.stateKey(set.actor, field: name)
            try discardRows(of: key, &transaction)
            try delete(key, in: databases.state, &transaction)
        case .entry(let rows, let key, let payload):
            let key = ShardLayout.entryKey(rows, key)
            try put(key, payload, set.schema, in: databases.entries, &transaction)
        case .removeEntry(let rows, let key):
            let key = ShardLayout.entryKey(rows, key)
            try discardPortions(of: key, in: databases.entries, &transaction)
            try delete(key, in: databases.entries, &transaction)
        case .discard(let rows):
            try discard(rows, &transaction)
        case .keep(let rows):
            try delete(ShardLayout.rowsPrefix(rows), in: databases.discarded, &transaction)
        case .schema(let schema):
            let row = StoredValue.seal(try CBOREncoder().encode(schema), schemaVersion: set.schema)
            try store(ShardLayout.schemaKey(set.actor), row, in: databases.meta, &transaction)
        case .removeActor:
            for (key, _) in try transaction.entries(prefix: set.actor.bytes, in: databases.state) {
                try discardRows(of: key, &transaction)
            }
            try deletePrefix(set.actor.bytes, in: databases.state, &transaction)
            try deletePrefix(set.actor.bytes, in: databases.done, &transaction)
            try delete(set.actor.bytes, in: databases.actors, &transaction)
            try delete(ShardLayout.schemaKey(set.actor), in: databases.meta, &transaction)
        }
    }

    /// Stores a call's outcome, and forgets those that its caller needs no more.
    mutating func record(_ completion: Completion, of actor: ActorID, _ transaction: inout WriteTransaction) throws {
        try forget(below: completion.firstIncomplete, completion.id.session, actor, &transaction)
        let key = ShardLayout.doneKey(actor, completion.id)
        try store(key, completion.encoded(), in: databases.done, &transaction)
    }

    private mutating func forget(
        below sequence: UInt64,
        _ session: SessionID,
        _ actor: ActorID,
        _ transaction: inout WriteTransaction
    ) throws {
        let frontier = ShardLayout.frontierKey(actor, session)
        var stale: [[UInt8]] = []
        try transaction.forEach(prefix: ShardLayout.donePrefix(actor, session), in: databases.done) { key, _ in
            guard key.suffix(8).reduce(0, { $0 << 8 | UInt64($1) }) < sequence else { return false }
            if !key.elementsEqual(frontier) { stale.append(Array(key)) }
            return true
        }
        guard !stale.isEmpty else { return }
        for key in stale { try delete(key, in: databases.done, &transaction) }
        // What is forgotten must not be run again: the frontier says up to where.
        var writer = ByteWriter(reserving: 8)
        writer.write(sequence)
        try store(frontier, StoredValue.seal(writer.bytes), in: databases.done, &transaction)
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
            try store(key, StoredValue.seal(payload, schemaVersion: schema), in: database, &transaction)
            return
        }
        let reference = PortionsReference(rows: fence.nextRows, length: UInt64(payload.count))
        fence.nextRows += 1
        fence.hasPortions = true
        let starts = stride(from: 0, to: payload.count, by: Limits.storedPortionBytes)
        for (index, start) in starts.enumerated() {
            let portion = payload[start..<min(start + Limits.storedPortionBytes, payload.count)]
            let key = ShardLayout.portionKey(reference.rows, index)
            try store(
                key,
                StoredValue.seal(portion, schemaVersion: schema),
                in: databases.entries,
                &transaction
            )
        }
        let row = StoredValue.seal(reference.encoded(), kind: .portions, schemaVersion: schema)
        try store(key, row, in: database, &transaction)
    }

    mutating func discard(_ rows: RowSetID, _ transaction: inout WriteTransaction) throws(LMDBError) {
        try store(ShardLayout.rowsPrefix(rows), StoredValue.seal([]), in: databases.discarded, &transaction)
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
