package import DurableCore
internal import Glibc
internal import Synchronization

/// Injects armed faults at the framework's named points; a disarmed process pays one comparison for each passage.
package final class FaultInjector: Sendable {
    private let armed: [FaultSpecification]
    private let passages = Mutex<[FaultPoint: Int]>([:])

    /// Arms these faults in this process.
    package init(_ faults: [FaultSpecification]) { armed = faults }

    /// Passes through a point. False when the step that it guards is to be left out.
    @discardableResult
    package func passes(_ point: FaultPoint, incarnation: Incarnation) -> Bool {
        guard !armed.isEmpty else { return true }
        let occurrence = passages.withLock { passages in
            passages[point, default: 0] += 1
            return passages[point] ?? 0
        }
        var isAllowed = true
        for fault in armed where fault.point == point && fault.occurrence == occurrence {
            guard fault.incarnation == nil || fault.incarnation == incarnation else { continue }
            switch fault.action {
            case .kill: raise(SIGKILL)
            case .stop: raise(SIGSTOP)
            case .skip: isAllowed = false
            }
        }
        return isAllowed
    }
}
