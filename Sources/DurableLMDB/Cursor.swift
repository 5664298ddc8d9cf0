internal import CLMDB

/// A position in a database; it ends with the scope, before its transaction does.
struct Cursor: ~Copyable {
    typealias Entry = (key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer)

    let pointer: OpaquePointer
    private let database: Database
    private let path: String

    init(_ access: TransactionAccess, _ database: Database) throws(LMDBError) {
        access.check(database)
        var opened: OpaquePointer?
        let status = mdb_cursor_open(access.pointer, database.index, &opened)
        guard status == 0, let opened else {
            throw LMDBError(status: status, while: "reading \"\(database.name)\"", at: access.path)
        }
        pointer = opened
        path = access.path
        self.database = database
    }

    deinit {
        mdb_cursor_close(pointer)
    }

    /// The first entry whose key is `start` or greater; the very first if `start` is empty.
    borrowing func seek(_ start: [UInt8]) throws(LMDBError) -> Entry? {
        if start.isEmpty { return try move(MDB_FIRST) }
        var found = MDB_val()
        var value = MDB_val()
        let status = withLMDBValue(of: start) { key in
            let status = mdb_cursor_get(pointer, &key, &value, MDB_SET_RANGE)
            found = key
            return status
        }
        return try entry(status, found, value)
    }

    borrowing func move(_ direction: MDB_cursor_op) throws(LMDBError) -> Entry? {
        var key = MDB_val()
        var value = MDB_val()
        let status = mdb_cursor_get(pointer, &key, &value, direction)
        return try entry(status, key, value)
    }

    private borrowing func entry(_ status: Int32, _ key: MDB_val, _ value: MDB_val) throws(LMDBError) -> Entry? {
        if status == MDB_NOTFOUND { return nil }
        guard status == 0 else {
            throw LMDBError(status: status, while: "reading \"\(database.name)\"", at: path)
        }
        return (key.bytes, value.bytes)
    }
}
