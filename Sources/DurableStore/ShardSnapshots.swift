internal import DurableCore
internal import DurableLMDB
internal import Glibc

#if SEEDED_BUGS
internal import SeededBugs
#endif

/// Flushed copies of a shard, in `snapshots/<version>/` beside its file: what is left when a power loss damages it.
struct ShardSnapshots {
    /// The shard's directory.
    let shard: String

    var directory: String { "\(shard)/snapshots" }

    func path(_ version: UInt64) -> String { "\(directory)/\(version)" }

    /// The versions of the snapshots that are there, newest first. Others than numbers are not ours to count.
    var versions: [UInt64] { ShardFiles.names(in: directory).compactMap { UInt64($0) }.sorted(by: >) }

    /// When the newest one was finished, in seconds since 1970.
    var newestTime: Int? { versions.first.flatMap { ShardFiles.writeTime(of: "\(path($0))/data.mdb") } }

    /// Makes the directory that holds them.
    func prepare() throws(StoreError) {
        if mkdir(directory, 0o700) != 0 {
            guard errno == EEXIST else { throw ShardFiles.failure("creating", directory) }
            // Who made it may have been killed before the sync.
            guard versions.isEmpty else { return }
        }
        // The mode that mkdir takes is cut by the umask.
        chmod(directory, 0o700)
        try ShardFiles.syncDirectory(shard)
    }

    /// Removes all but the newest.
    func prune(keeping count: Int) {
        #if SEEDED_BUGS
        let count = SeededBug.snapshotsAllPruned.isActive ? 0 : count
        #endif
        for version in versions.dropFirst(count) {
            let path = path(version)
            // What cannot be removed now is tried again after the next snapshot.
            for name in ShardFiles.names(in: path) { unlink("\(path)/\(name)") }
            rmdir(path)
        }
    }

    /// Takes a snapshot that is damaged itself out of the count; its bytes are kept.
    func setAside(_ version: UInt64) { rename(path(version), "\(path(version)).damaged") }
}

/// A snapshot that is about to be taken, on another thread than the store's.
package struct SnapshotJob: Sendable {
    let environment: Environment
    let shard: String
    /// The version that the snapshot holds at least.
    package let version: UInt64

    /// Copies the shard as it is now, flushed and whole or not at all, and forgets older copies. Takes as long as the
    /// copy; commits go on meanwhile.
    /// - Parameter copied: Called when the copy is whole and older ones are still there; a fault point.
    package func run(copied: () -> Void = {}) throws(StoreError) {
        let snapshots = ShardSnapshots(shard: shard)
        try snapshots.prepare()
        do throws(LMDBError) {
            try environment.copy(to: snapshots.path(version))
        } catch {
            guard error.code == .alreadyExists else { throw StoreError(error, doing: "taking a snapshot") }
        }
        copied()
        snapshots.prune(keeping: Limits.snapshotsKept)
    }
}
