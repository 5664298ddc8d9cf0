package import DurableCore
internal import Glibc
internal import Synchronization

/// Injects armed faults at the framework's named points; a disarmed process pays one comparison for each passage.
package final class FaultInjector: Sendable {
    private let isDisarmed: Bool
    private let armed: [FaultSpecification]
    private let tally: FaultTally?
    private let passages = Mutex<[FaultPoint: Int]>([:])

    /// Arms these faults in this process.
    /// - Parameters:
    ///   - faults: What happens where.
    ///   - path: A file in which passages are counted together with those of other processes; `nil` to count this
    ///     process's alone. A file that is gone belongs to a test that is over: nothing is counted or injected then.
    package init(_ faults: [FaultSpecification], tally path: String? = nil) {
        // Whoever made the file looks at what is in it, and sees that nothing is.
        tally = path.flatMap { try? FaultTally(opening: $0) }
        armed = path != nil && tally == nil ? [] : faults
        isDisarmed = armed.isEmpty && tally == nil
    }

    /// Passes through a point. False when the step that it guards is to be left out.
    @discardableResult
    package func passes(_ point: FaultPoint, incarnation: Incarnation) -> Bool {
        guard !isDisarmed else { return true }
        return count(point, incarnation)
    }

    /// Whether a fault at a point has struck this process, as far as a tally tells.
    package func hasStruck(pid: Int32, startTime: UInt64) -> Bool {
        tally?.marks.contains(FaultTally.Mark(pid: pid, startTime: startTime)) ?? false
    }

    private func count(_ point: FaultPoint, _ incarnation: Incarnation) -> Bool {
        let occurrence =
            tally?.pass(point)
            ?? passages.withLock { passages in
                passages[point, default: 0] += 1
                return passages[point] ?? 0
            }
        var isAllowed = true
        for fault in armed where fault.point == point && fault.occurrence == occurrence {
            guard fault.incarnation == nil || fault.incarnation == incarnation else { continue }
            if fault.action.strikesProcess { tally?.markThisProcess() }
            switch fault.action {
            case .kill: raise(SIGKILL)
            case .stop: raise(SIGSTOP)
            case .abort: Glibc.abort()
            case .exit: _exit(0)
            case .delay: usleep(UInt32(FaultSpecification.delay / .microseconds(1)))
            case .skip: isAllowed = false
            }
        }
        return isAllowed
    }
}
