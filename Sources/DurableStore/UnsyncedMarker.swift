internal import Glibc

#if SEEDED_BUGS
internal import SeededBugs
#endif

/// Says in which run of the machine a shard was last worked on without flushing.
///
/// It is a file of its own, because what it guards is the file that may be damaged: `unsynced` beside `data.mdb` holds
/// the boot's id from before the first unflushed commit until all of them are flushed at a clean end.
struct UnsyncedMarker {
    let directory: String

    private var path: String { "\(directory)/unsynced" }
    /// Is there while the marker is being set: for the next process, not for after a power loss.
    private var unsure: String { "\(directory)/unsynced.unsure" }

    /// The boot that left unflushed commits; `nil` when everything is flushed.
    func read() throws(StoreError) -> BootName? {
        try ShardFiles.text(of: path).map { BootName(String($0.split(separator: "\n").first ?? "")) }
    }

    /// From here on commits need not be flushed.
    func set(_ boot: BootName) throws(StoreError) {
        #if SEEDED_BUGS
        if SeededBug.noUnsyncedMarker.isActive { return }
        #endif
        // Who died while setting it may have left a name that is not durable yet.
        guard try read() != boot || ShardFiles.exists(unsure) else { return }
        let note = open(unsure, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard note >= 0 else { throw ShardFiles.failure("creating", unsure) }
        close(note)
        try ShardFiles.write(boot.text + "\n", to: path, in: directory)
        unlink(unsure)
    }

    /// Everything is flushed.
    func clear() throws(StoreError) { try ShardFiles.remove(path, in: directory) }

    /// When it was set, in seconds since 1970.
    var time: Int? { ShardFiles.writeTime(of: path) }
}

/// Names one run of the machine, from its start to its end or crash.
package struct BootName: Sendable, Hashable, CustomStringConvertible {
    let text: String
    package var description: String { text }

    package init(_ text: String) { self.text = text }

    /// The present one. Where the kernel does not tell, every start counts as a new one.
    package static func current() -> BootName { present }

    // No process outlives its boot.
    private static let present = read()

    private static func read() -> BootName {
        let found = try? ShardFiles.text(of: "/proc/sys/kernel/random/boot_id")
        guard let line = found?.split(separator: "\n").first else {
            return BootName("unknown \(UInt64.random(in: 0...UInt64.max))")
        }
        return BootName(String(line))
    }
}
