import DurableCore

/// What happens to the process that comes to a point.
enum PointAction: String, CaseIterable, Sendable, Codable {
    /// SIGKILL.
    case kill
    /// It stands still, and is killed later.
    case stopThenKill
    /// It stands still until another one has taken its place, and goes on. A supervisor, whose place nobody can take while
    /// it holds the lock, goes on without that.
    case zombie
    /// SIGABRT, as by a trap.
    case abort
    /// `_exit(0)`.
    case exit
    /// The thread sleeps for 200 ms.
    case delay

    var fault: FaultSpecification.Action {
        switch self {
        case .kill: .kill
        case .stopThenKill, .zombie: .stop
        case .abort: .abort
        case .exit: .exit
        case .delay: .delay
        }
    }
}

/// Whether calls are sent again when their worker died.
enum Delivery: String, CaseIterable, Sendable, Codable {
    /// `.resilient`: callers see nothing of a death.
    case retried
    /// Each call runs once at most; callers may be told `unavailable`.
    case once
}

/// One trial: what happens at which passage through which point of which scenario.
struct PointCase: Sendable, Codable, CustomStringConvertible {
    var scenario: PointScenario
    var point: FaultPoint
    var occurrence: Int
    var action: PointAction
    var delivery: Delivery

    var isWorkerPoint: Bool { point.rawValue.hasPrefix("worker") }

    var description: String { "\(point):\(occurrence):\(action) \(delivery) in \(scenario)" }
}
