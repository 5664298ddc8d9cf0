internal import CLMDB
internal import Synchronization

extension Environment {
    /// Figures about the files and their contents.
    package struct Statistics: Sendable {
        /// Address space reserved for the file.
        package var mapBytes: Int
        /// How far into the map the file has ever reached, free pages included.
        package var usedBytes: Int
        /// Pages that later commits can reuse.
        package var freeBytes: Int
        /// How many reader slots have ever been taken at once since the lock file was made.
        package var readerSlotsUsed: Int
        /// Grows by one with each commit that changed anything.
        package var lastTransaction: Int
        /// The number of entries of each database named in the options.
        package var entries: [String: Int]
    }

    /// Makes every commit so far survive a power loss; needed with `noSync` only.
    package func sync() throws(LMDBError) {
        let pointer = handle.pointer
        let status: Int32
        if mustReopen { throw reopenError }
        if options.readOnly { return }
        do { status = try gate.pinned { mdb_env_sync(pointer, 1) } } catch { throw self.error(for: error) }
        guard status == 0 else {
            // The kernel forgets pages it failed to write, so a second attempt would prove nothing.
            isBroken.store(true, ordering: .releasing)
            throw LMDBError(status: status, while: "syncing", at: directory)
        }
    }

    /// Frees the reader slots of dead processes and says how many there were.
    ///
    /// Do so whenever a process that had the environment open died: its slots keep old pages from being reused.
    @discardableResult
    package func checkReaders() throws(LMDBError) -> Int {
        let pointer = handle.pointer
        let status: Int32
        var freed: Int32 = 0
        do { status = try gate.pinned { mdb_reader_check(pointer, &freed) } } catch { throw self.error(for: error) }
        guard status == 0 else {
            throw LMDBError(status: status, while: "freeing the reader slots of the dead", at: directory)
        }
        return Int(freed)
    }

    /// Measures the environment as of now.
    package func statistics() throws(LMDBError) -> Statistics {
        try read { (transaction) throws(LMDBError) in
            var info = MDB_envinfo()
            mdb_env_info(handle.pointer, &info)
            let use = mapUse
            var entries: [String: Int] = [:]
            for database in allDatabases { entries[database.name] = try transaction.count(in: database) }
            return Statistics(
                mapBytes: use.map,
                usedBytes: use.used,
                freeBytes: try transaction.freePages() * pageBytes,
                readerSlotsUsed: Int(info.me_numreaders),
                lastTransaction: info.me_last_txnid,
                entries: entries
            )
        }
    }

    private var pageBytes: Int {
        var statistics = MDB_stat()
        mdb_env_stat(handle.pointer, &statistics)
        return Int(statistics.ms_psize)
    }
}

extension ReadTransaction {
    /// Adds up the free list, which LMDB keeps as database 0 with a count at the start of each value.
    fileprivate func freePages() throws(LMDBError) -> Int {
        var total = 0
        let list = Database(name: "free pages", index: 0, environment: access.environment)
        try forEach(in: list) { _, value in
            total += value.loadUnaligned(as: Int.self)
            return true
        }
        return total
    }
}
