internal import Glibc

/// How often the kernel killed a process of this process's control group for want of memory.
///
/// Returns nil where no control group counts it. The count covers the whole group, so only its rise tells something.
package func oomKillCount() -> UInt64? {
    guard let groups = SystemFiles.text("/proc/self/cgroup") else { return nil }
    for path in ControlGroupFiles.candidates(groups: groups) {
        if let count = SystemFiles.text(path).flatMap(ControlGroupFiles.oomKills(in:)) { return count }
    }
    return nil
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
