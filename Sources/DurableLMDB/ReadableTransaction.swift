internal import CLMDB

/// What every transaction can do.
package protocol ReadableTransaction: ~Copyable {
    /// The way to LMDB, for this module only.
    var access: TransactionAccess { get }
}

/// What the operations of a transaction need; opaque to other modules.
package struct TransactionAccess {
    let pointer: OpaquePointer
    let environment: UInt64
    let path: String

    init(pointer: OpaquePointer, environment: Environment) {
        self.pointer = pointer
        self.environment = environment.number
        path = environment.directory
    }

    func check(_ database: Database) {
        precondition(
            database.environment == environment,
            "database \"\(database.name)\" belongs to another environment than \(path)"
        )
    }

    func check(_ key: some Collection<UInt8>, _ database: Database) throws(LMDBError) {
        check(database)
        if !(1...511).contains(key.count) {
            let limits = "keys have 1 to 511 bytes, this one has \(key.count)"
            throw LMDBError(.badValueSize, "\(path): database \"\(database.name)\": \(limits).")
        }
    }
}

extension ReadableTransaction where Self: ~Copyable {
    /// A copy of the value under a key, or nil.
    package borrowing func get(_ key: some Collection<UInt8>, in database: Database) throws(LMDBError) -> [UInt8]? {
        try withValue(key, in: database) { Array($0) }
    }

    /// Lends the value under a key without copying it; nil if there is none. The bytes end with the body.
    package borrowing func withValue<R>(
        _ key: some Collection<UInt8>,
        in database: Database,
        _ body: (UnsafeRawBufferPointer) -> R
    ) throws(LMDBError) -> R? {
        let access = access
        try access.check(key, database)
        var value = MDB_val()
        let status = withLMDBValue(of: key) { key in mdb_get(access.pointer, database.index, &key, &value) }
        if status == MDB_NOTFOUND { return nil }
        guard status == 0 else {
            throw LMDBError(status: status, while: "reading from \"\(database.name)\"", at: access.path)
        }
        return body(value.bytes)
    }

    /// Says whether there is a value under a key.
    package borrowing func contains(_ key: some Collection<UInt8>, in database: Database) throws(LMDBError) -> Bool {
        try withValue(key, in: database) { _ in true } ?? false
    }

    /// The number of entries.
    package borrowing func count(in database: Database) throws(LMDBError) -> Int {
        access.check(database)
        var statistics = MDB_stat()
        let status = mdb_stat(access.pointer, database.index, &statistics)
        guard status == 0 else {
            throw LMDBError(status: status, while: "counting \"\(database.name)\"", at: access.path)
        }
        return statistics.ms_entries
    }

    /// Lends all entries in key order until the body returns false.
    package borrowing func forEach(
        in database: Database,
        _ body: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Bool
    ) throws(LMDBError) {
        try forEach(prefix: [], in: database, body)
    }

    /// Lends the entries whose keys start with a prefix, in key order, until the body returns false.
    package borrowing func forEach(
        prefix: some Collection<UInt8>,
        in database: Database,
        _ body: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Bool
    ) throws(LMDBError) {
        let prefix = Array(prefix)
        let cursor = try Cursor(access, database)
        var entry = try cursor.seek(prefix)
        while let (key, value) = entry, key.starts(with: prefix), body(key, value) {
            entry = try cursor.move(MDB_NEXT)
        }
    }

    /// Lends the entries from a key on, itself included, in key order, until the body returns false.
    package borrowing func forEach(
        from start: some Collection<UInt8>,
        in database: Database,
        _ body: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Bool
    ) throws(LMDBError) {
        let cursor = try Cursor(access, database)
        var entry = try cursor.seek(Array(start))
        while let (key, value) = entry, body(key, value) {
            entry = try cursor.move(MDB_NEXT)
        }
    }

    /// Copies of all entries whose keys start with a prefix; for small sets.
    package borrowing func entries(
        prefix: some Collection<UInt8>,
        in database: Database
    ) throws(LMDBError) -> [(key: [UInt8], value: [UInt8])] {
        var entries: [(key: [UInt8], value: [UInt8])] = []
        try forEach(prefix: prefix, in: database) { key, value in
            entries.append((Array(key), Array(value)))
            return true
        }
        return entries
    }

    /// A copy of the entry with the smallest key that starts with a prefix; any key unless one is given.
    package borrowing func first(
        prefix: some Collection<UInt8> = [UInt8](),
        in database: Database
    ) throws(LMDBError) -> (key: [UInt8], value: [UInt8])? {
        let prefix = Array(prefix)
        let cursor = try Cursor(access, database)
        guard let entry = try cursor.seek(prefix), entry.key.starts(with: prefix) else { return nil }
        return (Array(entry.key), Array(entry.value))
    }

    /// A copy of the entry with the largest key that starts with a prefix; any key unless one is given.
    package borrowing func last(
        prefix: some Collection<UInt8> = [UInt8](),
        in database: Database
    ) throws(LMDBError) -> (key: [UInt8], value: [UInt8])? {
        let prefix = Array(prefix)
        let cursor = try Cursor(access, database)
        var behind = prefix
        while behind.last == UInt8.max { behind.removeLast() }
        if let byte = behind.popLast() { behind.append(byte + 1) }
        // The entry before the first one behind the prefix, or the very last if nothing is behind it.
        let follower = behind.isEmpty ? nil : try cursor.seek(behind)
        let entry = try cursor.move(follower == nil ? MDB_LAST : MDB_PREV)
        guard let entry, entry.key.starts(with: prefix) else { return nil }
        return (Array(entry.key), Array(entry.value))
    }
}
