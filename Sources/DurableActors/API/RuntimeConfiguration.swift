internal import DurableCore
internal import Glibc

/// How a runtime works, beyond what each actor's options say.
public struct RuntimeConfiguration: Sendable {
    /// How many initialised processes wait to become the next life of an actor. More make several crashes at once
    /// recover faster, and cost some memory each.
    public var warmSpares: Int = Limits.sparesPerExecutable

    /// What actors can reserve on this machine. What is not given is taken from the variable `DURABLE_NODE_RESOURCES`, as
    /// in `cpu=4,gpu=2,memory=8000000000,label=1`, and else from the machine: its processors, its GPUs, and seven tenths
    /// of its memory.
    public var resources: Resources?

    /// How long workers go on serving without a supervisor before they end themselves.
    public var gracePeriod: Duration = Limits.gracePeriod

    /// How often a changed actor with ``Durability/process`` gets a snapshot, from which it goes on when a power loss
    /// has damaged its file. Snapshots never take more than a twentieth of the time, so that large states get them
    /// less often.
    public var snapshotInterval: Duration = Limits.snapshotInterval

    /// How long completion records of a caller are kept after its last change to an actor. A call that is sent again
    /// later than that after its first sending fails with ``ActorError/Code/sessionExpired`` if it has no record.
    public var sessionLease: Duration = Limits.sessionLease

    /// How long a process that runs tasks is kept when there are none. Those of an actor's tasks go by what the driver
    /// said that started the supervisor.
    public var taskWorkerIdleTime: Duration = Limits.taskWorkerIdleTime

    /// Takes what people should know of this process's part in the runtime, a message at a time and without an end of
    /// line, on any thread; to stderr unless given. What workers have to say goes to their own stderr.
    public var log: @Sendable (String) -> Void = { message in
        _ = "durable: \(message.onOneLine)\n".withCString { write(STDERR_FILENO, $0, strlen($0)) }
    }

    /// How long this process keeps a value behind the sending of a reference to it; other times are for tests of the
    /// framework.
    package var objectLease = Limits.objectLease

    /// The records of calls with a key that an actor keeps; other numbers are for tests of the framework.
    package var keyedRecordsMax = Limits.keyedRecordsMax

    /// Faults to inject, for tests of the framework.
    package var faults: [FaultSpecification] = []

    /// A file in which passages through fault points are counted, of all processes of the runtime together.
    package var faultTally: String?

    /// The defaults.
    public init() {}

    func validate() throws(ActorError) {
        guard (0...64).contains(warmSpares) else {
            throw ActorError(.invalidArgument, "warmSpares is \(warmSpares); allowed are 0 to 64")
        }
        guard gracePeriod >= .zero, gracePeriod <= .seconds(3600) else {
            throw ActorError(.invalidArgument, "gracePeriod is \(gracePeriod); allowed are 0 to 3600 seconds")
        }
        guard Limits.snapshotIntervals.contains(snapshotInterval) else {
            let message = "snapshotInterval is \(snapshotInterval); allowed are 0.01 seconds to a day"
            throw ActorError(.invalidArgument, message)
        }
        guard Limits.taskWorkerIdleTimes.contains(taskWorkerIdleTime) else {
            let message = "taskWorkerIdleTime is \(taskWorkerIdleTime); allowed are 0.01 seconds to a day"
            throw ActorError(.invalidArgument, message)
        }
        guard sessionLease >= .seconds(1), sessionLease <= Limits.retentionMax else {
            throw ActorError(.invalidArgument, "sessionLease is \(sessionLease); allowed are 1 second to 30 days")
        }
    }
}
