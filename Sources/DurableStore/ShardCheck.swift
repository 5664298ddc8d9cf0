internal import DurableCore
internal import DurableLMDB

#if SEEDED_BUGS
internal import SeededBugs
#endif

/// Finds out whether a shard's file is whole: each page, each row's checksum, and the checksum over all rows.
///
/// It reads the file itself. LMDB trusts its files and would end the process over a torn one.
package enum ShardCheck {
    /// Reads all of a shard that nobody has open.
    /// - Returns: The version of its last commit; 0 before the first.
    /// - Throws: `StoreError` with `unreadable` and what is wrong; other codes when the file could not be read at all.
    package static func version(of directory: String) throws(StoreError) -> UInt64 {
        var fence: Fence?
        var stored: ContentsSum?
        var found = ContentsSum()
        do {
            try DataFileWalk.run(directory: directory, format: ShardLayout.format) { database, key, row in
                do {
                    _ = try StoredValue.openAny(row)
                    switch (database, key) {
                    case (ShardLayout.meta, ShardLayout.fenceKey): fence = try Fence(decoding: row)
                    case (ShardLayout.meta, ShardLayout.contentsKey): stored = try ContentsSum(decoding: row)
                    case (ShardLayout.meta, _): break
                    default: found.add(key, row, in: database)
                    }
                } catch {
                    throw MalformedBytes("a row of database \"\(database)\": \(error)")
                }
            }
        } catch let error as LMDBError where error.code == .missing {
            throw StoreError(.unreadable, "checking the shard: \(directory) has no data file")
        } catch {
            throw ShardStore.convert(error, "checking the shard", directory)
        }
        #if SEEDED_BUGS
        if SeededBug.mixedCommitsTaken.isActive { return fence?.version ?? 0 }
        #endif
        guard stored == nil || stored == found else {
            throw StoreError(.unreadable, "\(directory)/data.mdb is damaged: it holds rows of different commits")
        }
        guard fence != nil || found == ContentsSum() else {
            throw StoreError(.unreadable, "\(directory)/data.mdb is damaged: it holds rows and no owner")
        }
        return fence?.version ?? 0
    }
}
