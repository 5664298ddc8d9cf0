internal import CLMDB

/// What every commit does for each of its rows, for keys that are arrays: other modules get code that is made for them,
/// where what takes any collection asks for every byte's place.
extension WriteTransaction {
    /// A copy of the value under a key, or nil.
    package borrowing func get(_ key: [UInt8], in database: Database) throws(LMDBError) -> [UInt8]? {
        var copy: [UInt8]?
        try lend(key, in: database) { copy = [UInt8]($0) }
        return copy
    }

    /// Says whether there is a value under a key.
    package borrowing func contains(_ key: [UInt8], in database: Database) throws(LMDBError) -> Bool {
        try lend(key, in: database) { _ in }
    }

    /// Lends the value under a key without copying it, and says whether there is one. The bytes end with the body.
    @discardableResult
    package borrowing func lend(
        _ key: [UInt8],
        in database: Database,
        _ body: (UnsafeRawBufferPointer) -> Void
    ) throws(LMDBError) -> Bool {
        try check(key, database)
        var value = MDB_val()
        let status = withKey(key) { mdb_get(access.pointer, database.index, &$0, &value) }
        if status == MDB_NOTFOUND { return false }
        guard status == 0 else {
            throw LMDBError(status: status, while: "reading from \"\(database.name)\"", at: access.path)
        }
        body(value.bytes)
        return true
    }

    /// Stores a value of this many bytes under a key. The body writes all of them to where they are kept.
    package mutating func put(
        _ key: [UInt8],
        byteCount: Int,
        in database: Database,
        _ body: (UnsafeMutableRawBufferPointer) -> Void
    ) throws(LMDBError) {
        try check(key, database)
        var value = MDB_val(mv_size: byteCount, mv_data: nil)
        let status = withKey(key) { mdb_put(access.pointer, database.index, &$0, &value, UInt32(MDB_RESERVE)) }
        try check(status, "storing a value in", database)
        body(UnsafeMutableRawBufferPointer(start: value.mv_data, count: byteCount))
    }

    /// Deletes a key and says whether it was there.
    @discardableResult
    package mutating func delete(_ key: [UInt8], in database: Database) throws(LMDBError) -> Bool {
        try check(key, database)
        let status = withKey(key) { mdb_del(access.pointer, database.index, &$0, nil) }
        if status == MDB_NOTFOUND { return false }
        try check(status, "deleting from", database)
        return true
    }

    /// Deletes the entries from one key on up to another, which stays, and says how many there were. Each is lent to the
    /// body before it goes.
    package mutating func delete(
        from start: [UInt8],
        upTo end: [UInt8],
        in database: Database,
        _ body: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Void
    ) throws(LMDBError) -> Int {
        var deleted = 0
        let cursor = try Cursor(access, database)
        // Seeks anew each time: that is correct whatever a deletion does to the pages under the cursor.
        while let entry = try cursor.seek(start), entry.key.lexicographicallyPrecedes(end) {
            body(entry.key, entry.value)
            try check(mdb_cursor_del(cursor.pointer, 0), "deleting from", database)
            deleted += 1
        }
        return deleted
    }

    private borrowing func check(_ key: [UInt8], _ database: Database) throws(LMDBError) {
        guard database.environment == access.environment, 1...511 ~= key.count else {
            return try access.check(key, database)
        }
    }
}

private func withKey(_ key: [UInt8], _ body: (inout MDB_val) -> Int32) -> Int32 {
    key.withUnsafeBytes { bytes in
        // LMDB reads through this pointer only; its C type is not const.
        var value = MDB_val(mv_size: bytes.count, mv_data: UnsafeMutableRawPointer(mutating: bytes.baseAddress))
        return body(&value)
    }
}
