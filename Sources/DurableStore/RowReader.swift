internal import CBOR
internal import DurableCore
internal import DurableLMDB

#if SEEDED_BUGS
internal import SeededBugs
#endif

/// Reads rows within one transaction, checksums compared.
enum RowReader {
    /// All checkpointed properties of an actor.
    static func fields(
        of actor: ActorID,
        _ databases: ShardDatabases,
        _ transaction: borrowing ReadTransaction
    ) throws -> [String: StoredField] {
        var rows: [(name: String, value: [UInt8])] = []
        try transaction.forEach(prefix: actor.bytes, in: databases.state) { key, value in
            rows.append((String(decoding: key.dropFirst(16), as: UTF8.self), Array(value)))
            return true
        }
        var fields: [String: StoredField] = [:]
        for row in rows {
            do {
                fields[row.name] = try field(row.value, databases, transaction)
            } catch let error as LMDBError {
                throw error
            } catch {
                #if SEEDED_BUGS
                if SeededBug.unreadableStartsAnew.isActive { continue }
                #endif
                throw MalformedBytes("property \"\(row.name)\" of actor \(actor): \(error)")
            }
        }
        return fields
    }

    /// How an actor's properties are laid out.
    static func schema(
        of actor: ActorID,
        _ databases: ShardDatabases,
        _ transaction: borrowing ReadTransaction
    ) throws -> StoredSchema? {
        guard let row = try transaction.get(ShardLayout.schemaKey(actor), in: databases.meta) else { return nil }
        // It describes the state and is no part of it: what another build wrote differently is as good as nothing.
        return try? CBORDecoder().decode(StoredSchema.self, from: StoredValue.open(row).payload)
    }

    static func field(
        _ row: [UInt8],
        _ databases: ShardDatabases,
        _ transaction: borrowing ReadTransaction
    ) throws -> StoredField {
        let opened = try StoredValue.openAny(row)
        switch opened.kind {
        case .value, .portions:
            let bytes = try payload(row, databases, transaction)
            return StoredField(property: .value(bytes), schema: opened.schema)
        case .collection:
            let header = try CBORDecoder().decode(CollectionHeader.self, from: opened.payload)
            return StoredField(property: .collection(header), schema: opened.schema)
        }
    }

    /// The row set that a row refers to: a collection's, or the portions of a large value.
    static func rows(of row: [UInt8]) throws -> RowSetID? {
        let opened = try StoredValue.openAny(row)
        switch opened.kind {
        case .value: return nil
        case .portions: return try PortionsReference(decoding: opened.payload).rows
        case .collection: return try CBORDecoder().decode(CollectionHeader.self, from: opened.payload).rows
        }
    }

    /// Entries of a row set, in order.
    static func entries(
        of rows: RowSetID,
        from start: [UInt8],
        _ limit: Int,
        _ databases: ShardDatabases,
        _ transaction: borrowing ReadTransaction
    ) throws -> [StoredEntry] {
        let prefix = ShardLayout.rowsPrefix(rows)
        var found: [(key: [UInt8], row: [UInt8])] = []
        try transaction.forEach(from: prefix + start, in: databases.entries) { key, value in
            guard found.count < limit, key.starts(with: prefix) else { return false }
            found.append((Array(key.dropFirst(prefix.count)), Array(value)))
            return true
        }
        return try found.map { key, row in
            StoredEntry(key: key, payload: try payload(row, databases, transaction))
        }
    }

    /// A value as it was before it was sealed, put together when it was stored in portions.
    static func payload(
        _ row: [UInt8],
        _ databases: ShardDatabases,
        _ transaction: borrowing ReadTransaction
    ) throws -> [UInt8] {
        let opened = try StoredValue.openAny(row)
        switch opened.kind {
        case .value: return Array(opened.payload)
        case .collection: throw MalformedBytes("a collection's header stands where a value is expected")
        case .portions: break
        }
        let reference = try PortionsReference(decoding: opened.payload)
        var portions: [[UInt8]] = []
        try transaction.forEach(prefix: ShardLayout.rowsPrefix(reference.rows), in: databases.entries) { _, value in
            portions.append(Array(value))
            return true
        }
        var payload: [UInt8] = []
        for portion in portions { payload += try StoredValue.open(portion).payload }
        guard payload.count == reference.length else {
            throw MalformedBytes("\(payload.count) of \(reference.length) bytes of a large value are there")
        }
        return payload
    }
}
