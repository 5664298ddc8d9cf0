internal import CDurable
internal import Glibc

/// A child that ended without anyone of this process watching it.
package struct ReapedOrphan: Hashable, Sendable {
    /// The number that the child had.
    package var pid: Int32
    /// How the child ended.
    package var status: ExitStatus

    /// Makes the record of a reaped child.
    package init(pid: Int32, status: ExitStatus) {
        self.pid = pid
        self.status = status
    }
}

/// The duty of a process that inherits the descendants of its dead children.
package enum OrphanReaper {
    /// Makes this process inherit orphaned descendants, instead of the machine's init.
    package static func becomeSubreaper() throws(ProcessError) {
        let error = durable_become_subreaper()
        guard error == 0 else { throw ProcessError(attempt: "prctl(PR_SET_CHILD_SUBREAPER)", errno: error) }
    }

    /// Reaps every ended child that no `ProcessHandle` answers for and that is not excepted.
    ///
    /// It takes the status of any such child, also of those that other code of this process started: only for a
    /// process that starts none by other means.
    @discardableResult
    package static func reapOrphans(except excepted: Set<Int32> = []) -> [ReapedOrphan] {
        WatchedProcesses.withoutOthersStartingOrReaping {
            var reaped: [ReapedOrphan] = []
            func isOrphan(_ pid: Int32) -> Bool { !excepted.contains(pid) && !WatchedProcesses.contains(pid) }
            while true {
                var seen = durable_exit()
                guard durable_peek_any(&seen) == 0, seen.pid != 0 else { return reaped }
                guard isOrphan(seen.pid) else { break }
                reap(seen.pid, into: &reaped)
            }
            // The kernel keeps showing a watched child that has ended; what lies behind it must be asked for by pid.
            for pid in children() where isOrphan(pid) { reap(pid, into: &reaped) }
            return reaped
        }
    }

    private static func reap(_ pid: Int32, into reaped: inout [ReapedOrphan]) {
        var exit = durable_exit()
        guard durable_wait_pid(pid, &exit) == 0, let status = ExitStatus(exit) else { return }
        reaped.append(ReapedOrphan(pid: pid, status: status))
    }

    /// The children of all threads of this process, from the kernel's lists, or by asking every process for its parent.
    private static func children() -> [Int32] {
        let lists = (SystemFiles.numbers(in: "/proc/self/task") ?? []).compactMap {
            SystemFiles.text("/proc/self/task/\($0)/children")
        }
        if !lists.isEmpty { return lists.flatMap { $0.split(whereSeparator: \.isWhitespace).compactMap { Int32($0) } } }
        let own = getpid()
        return (SystemFiles.numbers(in: "/proc") ?? []).filter { ProcessStatus(pid: $0)?.parent == own }
    }
}
