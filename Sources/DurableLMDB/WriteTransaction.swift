internal import CLMDB

/// Changes that take effect together when the closure that got it returns, or not at all.
///
/// Its changes are mutating, so the compiler keeps them out of closures that look at borrowed values.
package struct WriteTransaction: ~Copyable, ReadableTransaction {
    package let access: TransactionAccess
    private(set) var hasFilledMap = false
    private var isOpen = true

    init(access: TransactionAccess) {
        self.access = access
    }

    deinit {
        if isOpen { mdb_txn_abort(access.pointer) }
    }

    /// Ends the transaction for good and returns LMDB's status.
    consuming func commit() -> Int32 {
        isOpen = false
        return mdb_txn_commit(access.pointer)
    }

    /// Stores a value under a key of 1 to 511 bytes; throws `keyExists` if it must not overwrite one.
    package mutating func put(
        _ key: some Collection<UInt8>,
        _ value: some Collection<UInt8>,
        in database: Database,
        overwriting: Bool = true
    ) throws(LMDBError) {
        try access.check(key, database)
        let flags = UInt32(overwriting ? 0 : MDB_NOOVERWRITE)
        let status = withLMDBValue(of: key) { key in
            // LMDB stores where the old value is in what it is given, hence its own variable.
            withLMDBValue(of: value) { value in mdb_put(access.pointer, database.index, &key, &value, flags) }
        }
        try check(status, "storing a value in", database)
    }

    /// Deletes a key and says whether it was there.
    @discardableResult
    package mutating func delete(_ key: some Collection<UInt8>, in database: Database) throws(LMDBError) -> Bool {
        try access.check(key, database)
        let status = withLMDBValue(of: key) { key in mdb_del(access.pointer, database.index, &key, nil) }
        if status == MDB_NOTFOUND { return false }
        try check(status, "deleting from", database)
        return true
    }

    /// Deletes every key that starts with a prefix and says how many there were. An empty prefix means all keys.
    @discardableResult
    package mutating func deletePrefix(
        _ prefix: some Collection<UInt8>,
        in database: Database
    ) throws(LMDBError) -> Int {
        let prefix = Array(prefix)
        var deleted = 0
        let cursor = try Cursor(access, database)
        // Seeks anew each time: that is correct whatever a deletion does to the pages under the cursor.
        while let entry = try cursor.seek(prefix), entry.key.starts(with: prefix) {
            try check(mdb_cursor_del(cursor.pointer, 0), "deleting from", database)
            deleted += 1
        }
        return deleted
    }

    /// Deletes every entry of a database.
    package mutating func deleteAll(in database: Database) throws(LMDBError) {
        access.check(database)
        try check(mdb_drop(access.pointer, database.index, 0), "emptying", database)
    }

    /// Records the format version that the files have from this commit on, after a migration.
    package mutating func setFormatVersion(_ version: Int) throws(LMDBError) {
        var main: MDB_dbi = 0
        var value = MDB_val()
        var status = mdb_dbi_open(access.pointer, nil, 0, &main)
        if status == 0 {
            status = withLMDBValue(of: FormatMarker.key) { key in mdb_get(access.pointer, main, &key, &value) }
        }
        if status == 0 {
            guard var format = FormatMarker.decode(value.bytes) else {
                throw LMDBError(.damaged, "\(access.path): its format marker is garbage. Restore from a copy.")
            }
            format.version = version
            status = FormatMarker.put(format, access.pointer, main)
        }
        if status == MDB_MAP_FULL { hasFilledMap = true }
        if status != 0 { throw LMDBError(status: status, while: "recording the format", at: access.path) }
    }

    mutating func check(_ status: Int32, _ action: String, _ database: Database) throws(LMDBError) {
        if status == 0 { return }
        if status == MDB_MAP_FULL { hasFilledMap = true }
        throw LMDBError(status: status, while: "\(action) \"\(database.name)\"", at: access.path)
    }
}
