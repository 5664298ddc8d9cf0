/// Why an incarnation ended, as the ledger keeps it.
public enum DeathCause: Sendable, Hashable, Codable, CustomStringConvertible {
    /// A signal that the supervisor did not send ended the worker.
    case signal(number: Int32)
    /// The worker exited by itself with this code.
    case exit(code: Int32)
    /// `kill` was called.
    case killed
    /// Its own code ended it, for good.
    case intendedExit
    /// The kernel's out-of-memory killer ended the worker.
    case outOfMemory
    /// The worker had lost its shard to a newer owner.
    case fenced
    /// The supervisor killed a worker that did not answer or did not register again.
    case unresponsive
    /// The supervisor killed a worker whose process had given no sign of life for longer than its actor allows.
    case stoodStill(limit: Duration)
    /// The supervisor killed a worker whose actors' thread had given no sign of life for longer than its actor allows,
    /// while the process went on.
    case blocked(limit: Duration)
    /// The driver or actor that owned this actor ended.
    case ownerDied
    /// The constructor threw; never restarted.
    case constructorThrew(message: String)
    /// The stored state could not be read, or the worker crashed each time when it started the actor; its bytes are
    /// kept.
    case quarantined(message: String)
    /// The worker could not be started.
    case spawnFailed(message: String)
    /// Its node was killed.
    case nodeDied(name: String)
    /// Its node was drained; no restart is counted.
    case nodeDrained(name: String)
    /// The placement group that it was in was removed.
    case placementGroupRemoved
    /// The node that it insists on is gone or too small.
    case unschedulable(message: String)
    /// It was restarted as often lately as its restart intensity allows, and died once more.
    case restartedTooOften(message: String)
    /// The runtime was shut down.
    case runtimeEnded
    /// The worker is gone; its exit status went to another parent.
    case unknown

    /// A phrase that completes "it died because …".
    public var description: String {
        switch self {
        case .signal(let number): "its process was ended by signal \(number)\(Self.signalName(number))"
        case .exit(let code): "its process exited with code \(code)"
        case .killed: "it was killed by a call to kill"
        case .intendedExit: "its own code ended it (intended exit)"
        case .outOfMemory: "the kernel ended its process for lack of memory"
        case .fenced: "its worker had lost the shard to a newer owner"
        case .unresponsive: "its worker did not answer and was killed"
        case .stoodStill(let limit):
            "its process stood still for longer than \(limit), its unresponsiveLimit, and was killed"
        case .blocked(let limit):
            "its thread was blocked for longer than \(limit), its unresponsiveLimit, and its process was killed"
        case .ownerDied: "its owner ended"
        case .constructorThrew(let message): "its constructor threw: \(message)"
        case .quarantined(let message): "it is quarantined: \(message)"
        case .spawnFailed(let message): "its worker could not be started: \(message)"
        case .nodeDied(let name): "its node \"\(name)\" died"
        case .nodeDrained(let name): "its node \"\(name)\" was drained"
        case .placementGroupRemoved: "its placement group was removed"
        case .unschedulable(let message): "it cannot be placed: \(message)"
        case .restartedTooOften(let message): "it was restarted too often: \(message)"
        case .runtimeEnded: "the runtime was shut down"
        case .unknown: "its process ended with a status that nobody could read"
        }
    }

    /// Whether the stored state could not be read.
    package var isQuarantine: Bool { if case .quarantined = self { true } else { false } }

    /// Whether somebody wanted the actor to be gone, with its state and its name.
    package var removesState: Bool { self == .killed || self == .intendedExit }

    /// Whether it was planned, so that the restart that follows is not counted.
    package var isPlanned: Bool { if case .nodeDrained = self { true } else { false } }

    /// Whether a restart may follow at all, whatever the budget.
    package var permitsRestart: Bool {
        switch self {
        case .intendedExit, .ownerDied, .constructorThrew, .quarantined, .unschedulable, .placementGroupRemoved,
            .restartedTooOften, .runtimeEnded:
            false
        default: true
        }
    }

    /// This death, of an actor that may not be restarted so soon again.
    package func beyond(_ intensity: RestartIntensity) -> DeathCause {
        let times = intensity.restarts == 1 ? "once" : "\(intensity.restarts) times"
        return .restartedTooOften(
            message: "\(times) within \(intensity.within), as often as its restartIntensity allows; then \(self)"
        )
    }

    private static func signalName(_ number: Int32) -> String {
        let names: [Int32: String] = [
            4: "SIGILL, a trap", 5: "SIGTRAP, a trap", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE", 9: "SIGKILL",
            11: "SIGSEGV", 15: "SIGTERM",
        ]
        return names[number].map { " (\($0))" } ?? ""
    }
}
