internal import DurableCore
internal import DurableLMDB

/// The only ways in which rows change, so that the checksum over them does as well.
extension RowWriter {
    /// Stores a row in place of whatever was there.
    mutating func store(
        _ key: [UInt8],
        _ row: [UInt8],
        in database: Database,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        try takeOut(key, in: database, transaction)
        contents?.add(key, row, in: database.name)
        try transaction.put(key, row, in: database)
    }

    /// Stores a row with this payload in place of whatever was there. The payload is copied once, to where it is kept.
    mutating func store(
        _ key: [UInt8],
        payload: [UInt8],
        schemaVersion: UInt32 = 0,
        in database: Database,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        try takeOut(key, in: database, transaction)
        let header = payload.withUnsafeBytes { StoredValue.Header($0, schemaVersion: schemaVersion) }
        contents?.add(key, header, in: database.name)
        try transaction.put(key, byteCount: StoredValue.headerBytes + payload.count, in: database) { row in
            header.write(to: row)
            UnsafeMutableRawBufferPointer(rebasing: row[StoredValue.headerBytes...]).copyBytes(from: payload)
        }
    }

    /// Deletes a row, if it is there.
    mutating func delete(
        _ key: [UInt8],
        in database: Database,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        try takeOut(key, in: database, transaction)
        try transaction.delete(key, in: database)
    }

    /// Deletes the rows from one key on up to another, which stays, and says how many there were.
    mutating func delete(
        from start: [UInt8],
        upTo end: [UInt8],
        in database: Database,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) -> Int {
        try transaction.delete(from: start, upTo: end, in: database) { key, row in
            contents?.remove(Array(key), row, in: database.name)
        }
    }

    /// Deletes all rows whose keys start with a prefix.
    mutating func deletePrefix(
        _ prefix: [UInt8],
        in database: Database,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        guard contents != nil else {
            try transaction.deletePrefix(prefix, in: database)
            return
        }
        var keys: [[UInt8]] = []
        try transaction.forEach(prefix: prefix, in: database) { key, _ in
            keys.append(Array(key))
            return true
        }
        for key in keys { try delete(key, in: database, &transaction) }
    }

    /// Stores the checksum as it is after all changes.
    func storeContents(_ transaction: inout WriteTransaction) throws(LMDBError) {
        guard let contents else { return }
        try transaction.put(ShardLayout.contentsKey, contents.encoded(), in: databases.meta)
    }

    private mutating func takeOut(
        _ key: [UInt8],
        in database: Database,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) {
        guard contents != nil else { return }
        try transaction.lend(key, in: database) { contents?.remove(key, $0, in: database.name) }
    }
}
