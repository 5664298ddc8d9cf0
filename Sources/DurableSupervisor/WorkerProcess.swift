internal import DurableCore
internal import DurableProcess
internal import DurableTransport

/// A worker as the supervisor sees it. Used on the supervisor's loop only.
final class WorkerProcess {
    /// Where it stands.
    enum Phase: Hashable {
        /// Spawned, not heard of yet.
        case starting
        /// Waiting for an assignment.
        case spare
        /// It has a shard.
        case assigned(ShardNumber, Incarnation)
        /// It returned to a supervisor that does not know it, and has not said what it hosts.
        case unknown
        /// It was replaced while it may still live; nothing that it says counts any more.
        case abandoned
    }

    let handle: ProcessHandle
    let identity: WorkerIdentity
    var executable: String
    let stderr: StderrFile?
    var phase: Phase = .starting
    var connection: Connection?
    var watch: LoopWatch?
    /// Shared memory that the worker counts its turns in; unknown for an adopted worker until it registers.
    var page: WorkerPage?
    /// Tells how long it has been silent, if its actor has a limit.
    var silence = SilenceWatch()
    /// Why the supervisor ends it, when that is its silence.
    var verdict: DeathCause?
    /// Whether somebody has said that it ends by a fault of theirs.
    var isStruck = false
    /// Told when it has taken up the faults that it was told to show, in order, or has ended.
    var faultWaiters: [() -> Void] = []
    /// Whether the supervisor itself sent it SIGKILL.
    var isKilledByUs = false

    init(handle: ProcessHandle, identity: WorkerIdentity, executable: String, stderr: StderrFile?, page: WorkerPage?) {
        self.handle = handle
        self.identity = identity
        self.executable = executable
        self.stderr = stderr
        self.page = page
    }

    /// Whether it has finished a turn; what is not known counts as yes.
    var wasProductive: Bool { page.map { $0.turnsCompleted > 0 } ?? true }

    /// The end of what it wrote to stderr; empty when the file cannot be read, which is no reason to fail.
    var stderrTail: String { (try? stderr?.tail(bytesMax: Limits.stderrTailBytesMax)) ?? "" }

    /// The same with the part that matters, for errors and dead letters.
    var lastWords: LastWords {
        // As above.
        LastWords(stderr: (try? stderr?.tail(bytesMax: Limits.stderrBytesMax)) ?? "")
    }

    func kill() {
        isKilledByUs = true
        handle.kill()
    }
}
