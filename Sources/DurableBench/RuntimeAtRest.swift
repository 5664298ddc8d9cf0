internal import DurableSupervisor
internal import Glibc

/// Whether the processes of a runtime have something to do, as the kernel sees them.
///
/// Each of them writes its stderr into a file of the runtime's directory; that is how they are found.
package struct RuntimeAtRest: Sendable {
    /// What was seen of one process.
    private struct Activity: Hashable {
        /// The time that its threads have spent on processors, in nanoseconds.
        var time: UInt64
        /// Whether all of them sleep.
        var isAsleep: Bool
    }

    /// How many looks in a row must find the same.
    private static let looks = 4

    private let supervisor: String

    /// Looks at the runtime of this directory, which must exist.
    package init(directory: String) {
        // The kernel names files by their real paths.
        let real = realpath(directory, nil)
        defer { free(real) }
        supervisor = RuntimeLayout(directory: real.map { String(cString: $0) } ?? directory).supervisor + "/"
    }

    /// The processes of the runtime: its supervisor, its workers and its spares.
    package func processes() -> [Int32] {
        RuntimeDirectory.entries(of: "/proc").compactMap { Int32($0) }.filter { process in
            process != getpid() && ProcessFile.target("/proc/\(process)/fd/2")?.hasPrefix(supervisor) == true
        }
    }

    /// Waits until there are this many processes and all of them sleep, as when spares have started.
    /// - Parameters:
    ///   - count: How many processes there must be at least.
    ///   - patience: When to stop waiting: what a runtime does for others is not the caller's to wait for.
    /// - Returns: How many processes there are.
    @discardableResult
    package func wait(for count: Int = 1, atMost patience: Duration) async throws -> Int {
        let deadline = ContinuousClock.now + patience
        var (last, equal): ([Int32: Activity], Int) = ([:], 0)
        while true {
            let activities = Dictionary(uniqueKeysWithValues: processes().map { ($0, Self.activity(of: $0)) })
            let isQuiet = activities == last && activities.values.allSatisfy(\.isAsleep) && activities.count >= count
            equal = isQuiet ? equal + 1 : 0
            if equal >= Self.looks || ContinuousClock.now >= deadline { return activities.count }
            last = activities
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    private static func activity(of process: Int32) -> Activity {
        var activity = Activity(time: 0, isAsleep: true)
        for thread in RuntimeDirectory.entries(of: "/proc/\(process)/task") where Int32(thread) != nil {
            let path = "/proc/\(process)/task/\(thread)"
            let time = ProcessFile.lines("\(path)/schedstat").first?.split(separator: " ").first
            activity.time &+= time.flatMap { UInt64($0) } ?? 0
            // The second field is the command's name in parentheses, which may hold anything; the state comes after it.
            let status = ProcessFile.lines("\(path)/stat").first?.split(separator: ")").last
            if status?.first(where: { $0 != " " }) != "S" { activity.isAsleep = false }
        }
        return activity
    }
}
