internal import DurableProcess
internal import DurableSupervisor
internal import Glibc

/// The supervisor and the workers of one data directory, as the kernel lists them.
///
/// Each of them writes its stderr into a file of the directory, from its first moment to its last and also when the
/// file has been removed meanwhile. Nothing else does, so nothing else is taken for one of them.
struct RuntimeProcesses: Sendable {
    /// A process that was seen alive.
    struct Found: Hashable, Sendable, CustomStringConvertible {
        /// Its number, and when it started; together they name it for good.
        let pid: Int32
        let startTime: UInt64
        let isSupervisor: Bool

        var description: String { "\(isSupervisor ? "supervisor" : "worker") \(pid)" }

        /// Kills it. Returns false when it had ended before.
        func kill() -> Bool {
            // Without a pidfd, for lack of descriptors, there is no sure way to hit this very process: it is left alone.
            guard let process = try? ProcessHandle.adopt(pid: pid, startTime: startTime) else { return false }
            return process.kill()
        }
    }

    private let supervisorLog: String
    private let workerLogs: String

    /// The processes of this directory, which must exist now and may vanish later.
    init(_ directory: String) {
        // The kernel names files by their real paths.
        let real = realpath(directory, nil)
        defer { free(real) }
        let layout = RuntimeLayout(directory: real.map { String(cString: $0) } ?? directory)
        supervisorLog = "\(layout.supervisor)/log"
        workerLogs = layout.stderr + "/"
    }

    /// Those that live now, supervisors first. Costs a look at each process of the machine.
    func living() -> [Found] {
        let found = RuntimeDirectory.entries(of: "/proc").compactMap { Int32($0) }.compactMap(process)
        return found.sorted { ($0.isSupervisor ? 0 : 1, $0.pid) < ($1.isSupervisor ? 0 : 1, $1.pid) }
    }

    /// The process with this number, if it is one of them.
    func process(_ pid: Int32) -> Found? {
        guard let standardError = Files.linkTarget("/proc/\(pid)/fd/2") else { return nil }
        // The kernel marks files that were removed: "(deleted)".
        let isSupervisor = standardError == supervisorLog || standardError.hasPrefix(supervisorLog + " ")
        guard isSupervisor || standardError.hasPrefix(workerLogs) else { return nil }
        return ProcessTable.startTime(of: pid).map { Found(pid: pid, startTime: $0, isSupervisor: isSupervisor) }
    }
}
