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

    /// Deletes a row, if it is there.
    mutating func delete(
        _ key: [UInt8],
        in database: Database,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        try takeOut(key, in: database, transaction)
        try transaction.delete(key, in: database)
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
        guard var contents else { return }
        _ = try transaction.withValue(key, in: database) { contents.remove(key, $0, in: database.name) }
        self.contents = contents
    }
}
