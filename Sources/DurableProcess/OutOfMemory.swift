internal import Glibc

/// How often the kernel killed a process of this process's control group for want of memory.
///
/// The count covers the whole group, so only its rise tells something. Its file stays open, because a look at it is on
/// the path of a recovery.
package final class OutOfMemoryCount {
    private var descriptor: Int32 = -1
    private var path = ""
    private var last: UInt64 = 0

    /// Begins with what is counted so far.
    package init() {
        find()
        last = count() ?? 0
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// Whether it is greater than at the last look.
    package func hasRisen() -> Bool {
        if descriptor < 0 { find() }
        guard let count = count() else { return false }
        defer { last = count }
        return count > last
    }

    /// Looks which file counts: the process may have been moved to another group.
    package func find() {
        guard let found = Self.open() else { return }
        guard found.path != path else {
            close(found.descriptor)
            return
        }
        // What another group has counted before is none of this one's.
        if descriptor >= 0 {
            close(descriptor)
            last = found.count
        }
        (descriptor, path) = (found.descriptor, found.path)
    }

    private func count() -> UInt64? {
        guard descriptor >= 0 else { return nil }
        let found = Self.read(descriptor)
        if found == nil {
            close(descriptor)
            (descriptor, path) = (-1, "")
        }
        return found
    }

    fileprivate static func open() -> (descriptor: Int32, path: String, count: UInt64)? {
        guard let groups = SystemFiles.text("/proc/self/cgroup") else { return nil }
        for path in ControlGroupFiles.candidates(groups: groups) {
            let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else { continue }
            if let count = read(descriptor) { return (descriptor, path, count) }
            close(descriptor)
        }
        return nil
    }

    private static func read(_ descriptor: Int32) -> UInt64? {
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        guard count > 0 else { return nil }
        return ControlGroupFiles.oomKills(in: String(decoding: bytes[..<count], as: UTF8.self))
    }
}

/// Where control groups of both versions keep their memory events, and how they spell them.
enum ControlGroupFiles {
    /// The files to look at, best first, for the lines of `/proc/self/cgroup` (`number:controllers:path`).
    static func candidates(groups: String) -> [String] {
        var version1: [String] = []
        var version2: [String] = []
        for line in groups.split(separator: "\n") {
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            let path = fields[2] == "/" ? "" : String(fields[2])
            if fields[1].split(separator: ",").contains("memory") {
                // Inside a container the path may be the host's while the mount shows the own group at its root.
                version1 = ["\(path)", ""].map { "/sys/fs/cgroup/memory\($0)/memory.oom_control" }
            } else if fields[0] == "0" && fields[1].isEmpty {
                version2 = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].flatMap { mount in
                    ["\(path)", ""].map { "\(mount)\($0)/memory.events" }
                }
            }
        }
        return version1 + version2
    }

    /// Finds `oom_kill <count>` in the text of memory.oom_control or memory.events.
    static func oomKills(in text: String) -> UInt64? {
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: " ")
            if fields.count == 2, fields[0] == "oom_kill" { return UInt64(fields[1]) }
        }
        return nil
    }
}
