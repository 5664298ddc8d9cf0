internal import Glibc

#if SEEDED_BUGS
internal import SeededBugs
#endif

/// What comes before a shard is opened whose last commits may never have reached the disk: after a crash of the
/// machine its file is checked, and a damaged one gives way to the newest sound snapshot.
struct ShardRecovery {
    let directory: String
    let boot: BootName

    private var data: String { "\(directory)/data.mdb" }
    private var snapshots: ShardSnapshots { ShardSnapshots(shard: directory) }

    /// Leaves a shard that can be opened.
    /// - Returns: Whether it was left unflushed in the present boot.
    /// - Throws: `unreadable` when the file is damaged and no snapshot is sound; nothing was touched.
    func run() throws(StoreError) -> Bool {
        let marker = UnsyncedMarker(directory: directory)
        guard let found = try marker.read() else { return false }
        // Who has set it in this boot had nothing to settle, or has settled it.
        guard found != boot else { return true }
        // A worker that was replaced while it checked must not go on when its successor already works.
        try ShardFiles.alone(in: directory) { () throws(StoreError) in
            guard let left = try marker.read(), left != boot else { return }
            try settle()
            // What was read now came from the disk, so the file is as good as flushed.
            try marker.clear()
        }
        return try marker.read() == boot
    }

    private func settle() throws(StoreError) {
        do throws(StoreError) {
            let version = try ShardCheck.version(of: directory)
            #if SEEDED_BUGS
            if SeededBug.olderThanSnapshotTaken.isActive { return }
            #endif
            let reason = "\(data) is older than the newest snapshot: version \(version)"
            let newer = snapshots.versions.filter { $0 > version }
            guard try fallBack(to: newer, because: StoreError(.unreadable, reason)) != nil else { return }
            // The next snapshots come after this version and may get the same numbers.
            for damaged in newer { snapshots.setAside(damaged) }
        } catch {
            guard error.code == .unreadable else { throw error }
            guard let problems = try fallBack(to: snapshots.versions, because: error) else { return }
            let snapshots = problems.isEmpty ? "there is no snapshot" : "no snapshot is sound: \(problems)"
            throw StoreError(.unreadable, "after a restart of the machine: \(error); \(snapshots)")
        }
    }

    /// Replaces the file by the first sound one of these snapshots.
    /// - Returns: `nil` when that was done, what is wrong with the snapshots when none is sound.
    private func fallBack(to versions: [UInt64], because damage: StoreError) throws(StoreError) -> String? {
        var problems: [String] = []
        for version in versions {
            do throws(StoreError) {
                let found = try ShardCheck.version(of: snapshots.path(version))
                try replace(by: version, holding: found, because: damage)
            } catch {
                guard error.code == .unreadable else { throw error }
                problems.append(error.description)
                continue
            }
            for damaged in versions where damaged > version { snapshots.setAside(damaged) }
            return nil
        }
        return problems.joined(separator: "; ")
    }

    /// Each step leaves a state from which the whole recovery can run again.
    private func replace(by version: UInt64, holding found: UInt64, because damage: StoreError) throws(StoreError) {
        let snapshot = "\(snapshots.path(version))/data.mdb"
        let time = ShardFiles.writeTime(of: snapshot).map { FileTime.text(seconds: $0) } ?? "an unknown time"
        let restored = "\(directory)/data.mdb.creating"
        try ShardFiles.copy(snapshot, to: restored)
        let kept = try keepDamaged()
        let notice = ShardNotice(directory: directory)
        try notice.set(
            "fell back to the snapshot of \(time), version \(found); the damaged file is kept as "
                + "\(kept ?? "nothing: it was gone") (\(damage))"
        )
        guard rename(restored, data) == 0 else { throw ShardFiles.failure("moving", restored) }
        // It speaks of the file that was there; nobody else has the shard open.
        unlink("\(directory)/lock.mdb")
        try ShardFiles.syncDirectory(directory)
    }

    /// Gives the damaged file a second name, under which it stays.
    private func keepDamaged() throws(StoreError) -> String? {
        guard ShardFiles.exists(data) else { return nil }
        var number = 1
        while true {
            let kept = "\(directory)/damaged-\(number).mdb"
            if link(data, kept) == 0 || (errno == EEXIST && ShardFiles.areSame(data, kept)) { return kept }
            guard errno == EEXIST else { throw ShardFiles.failure("keeping the damaged file as", kept) }
            number += 1
        }
    }
}

/// What the supervisor has yet to enter into the ledger about a shard. It stays until it has.
package struct ShardNotice: Sendable {
    private let directory: String

    package init(directory: String) { self.directory = directory }

    private var path: String { "\(directory)/notice" }

    /// The text; `nil` when there is nothing to tell.
    package var text: String? { (try? ShardFiles.text(of: path)).flatMap { $0 } }

    func set(_ text: String) throws(StoreError) { try ShardFiles.write(text, to: path, in: directory) }
}
