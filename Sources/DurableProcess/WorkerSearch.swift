internal import CDurable
internal import Glibc

/// Workers that a former supervisor has started, found by what they have open.
package enum WorkerSearch {
    /// A worker.
    package struct Found: Sendable, Hashable {
        /// The process's number.
        package var pid: Int32
        /// When it started, in clock ticks since boot.
        package var startTime: UInt64
        /// The name of its stderr file.
        package var name: String
    }

    /// All living workers of this user whose stderr is a file of a directory. What they have started themselves is not
    /// among them, unless it is a copy of them.
    package static func workers(writingTo directory: String) -> [Found] {
        guard let resolved = realpath(directory, nil) else { return [] }
        defer { free(resolved) }
        let prefix = String(cString: resolved) + "/"
        let role = Array("\(SpawnVariable.role)=worker".utf8)
        return (SystemFiles.numbers(in: "/proc") ?? []).compactMap { pid in
            guard let target = SystemFiles.linkTarget("/proc/\(pid)/fd/2"), target.hasPrefix(prefix),
                let status = ProcessStatus(pid: pid),
                let environment = SystemFiles.contents("/proc/\(pid)/environ"),
                environment.split(separator: 0).contains(where: { $0.elementsEqual(role) })
            else { return nil }
            let name = target.dropFirst(prefix.count).prefix { $0 != " " }
            return Found(pid: pid, startTime: status.startTime, name: String(name))
        }
    }
}
