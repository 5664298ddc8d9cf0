/// Every bound of the framework in one place: queues, buffers, retries and waits.
package enum Limits {
    /// Restarts within a period that can be allowed.
    package static let intensityRestartsMax = 1_000
    /// The longest period in which restarts are counted, and the longest delay of one.
    package static let restartPeriodMax: Duration = .seconds(86_400)
    /// A life this long is healthy, whatever it did.
    package static let healthyLifetime: Duration = .seconds(10)
    /// Crashes of its worker after which a call is dead-lettered, or an actor that cannot be started is quarantined.
    package static let crashesMax = 3
    /// Calls and starts of one shard whose crashes are counted; the one that crashed longest ago is forgotten first.
    package static let suspectsMax = 256
    /// Dead letters kept for each actor; the oldest goes first.
    package static let deadLettersMax = 1_000
    /// Arguments of a dead letter that are kept; of larger ones only the size is.
    package static let deadLetterArgumentsBytesMax = 256 << 10
    /// The time between two attempts to start a life for which the supervisor had no descriptor, process or memory.
    package static let shortageInterval: Duration = .milliseconds(500)
    /// The time between two signs of life of a worker.
    package static let heartbeatInterval: Duration = .seconds(2)
    /// A worker that has given no sign of life for this long is said to be unresponsive.
    package static let unresponsiveAfter: Duration = .seconds(5)
    /// The longest silence that can be allowed.
    package static let unresponsiveLimitMax: Duration = .seconds(86_400)
    /// The time between two looks at the workers that must not be silent.
    package static let silenceLookInterval: Duration = .seconds(1)
    /// What counts at most of the time between two of those.
    package static let silenceStepMax: Duration = .seconds(2)
    /// How long a worker may take to say that it shows a fault.
    package static let faultPatience: Duration = .seconds(1)
    /// How long a worker without a supervisor goes on before it ends itself.
    package static let gracePeriod: Duration = .seconds(10)
    /// How long a new supervisor waits for a living worker to register before it replaces it.
    package static let adoptionTimeout: Duration = .seconds(3)
    /// How long a new supervisor waits for a worker of an actor that is not known to have any: it may have been assigned
    /// in the former one's last moment.
    package static let workerReturnTimeout: Duration = .milliseconds(200)
    /// How long a connection may take to present itself.
    package static let handshakeTimeout: Duration = .seconds(5)
    /// Results of an actor pool that nobody has retrieved.
    package static let poolResultsMax = 1 << 20
    /// The longest pause before a pool looks again whether a worker that was unavailable is back.
    package static let poolWorkerCheckMax: Duration = .milliseconds(100)
    /// How long a process that runs tasks is kept when there are none.
    package static let taskWorkerIdleTime: Duration = .seconds(60)
    /// The times that can be chosen for that.
    package static let taskWorkerIdleTimes: ClosedRange<Duration> = .milliseconds(10)...(.seconds(86_400))
    /// The bytes of one message that goes through a socket.
    package static let frameBytesMax = 64 << 20
    /// The bytes of one call, reply or object, which go through shared memory when they are many.
    package static let valueBytesMax = 512 << 20
    /// The bytes of a constructor's arguments, which are stored in the registry.
    package static let constructorBytesMax = 16 << 20
    /// Values of at least this size are kept and sent in shared memory.
    package static let sharedValueBytesMin = 1 << 20
    /// How long a value is kept behind the moment when its reference was sent to another process, which may not have
    /// asked for it yet.
    package static let objectLease: Duration = .seconds(10)
    /// How often it is tried to end an actor whose last handle has gone; the last time without its consent.
    package static let unheldEndsMax = 8
    /// How long such an actor may take to end itself.
    package static let unheldEndTimeout: Duration = .seconds(30)
    /// The pause behind the first attempt; it grows with each.
    package static let unheldEndPause: Duration = .milliseconds(50)
    /// Calls of one process to one actor that may be unanswered.
    package static let pendingCallsMax = 1 << 20
    /// Unanswered calls of one process to one actor at which it warns for the first time.
    package static let pendingCallsWarned = 5_000
    /// How far a session's calls to one actor may be ahead of the first one that it still waits for, and so the most
    /// completion records that an actor keeps for it. Callers send no more than that.
    package static let unacknowledgedCallsMax: UInt64 = 8192
    /// The records of calls with a key that an actor keeps; beyond it such calls are refused.
    package static let keyedRecordsMax = 1 << 20
    /// Released records that wait for the next commit; beyond it they expire instead.
    package static let releasedRecordsMax = 65_536
    /// Turns that a call knows to wait for it; of more, the ones that wait longest are not known.
    package static let waitingTurnsMax = 32
    /// The bytes of a call beside its method's name and arguments.
    package static let callHeaderBytesMax = 8 << 10
    /// The bytes of an idempotency key.
    package static let idempotencyKeyBytesMax = 512
    /// How long the outcome of a call with a key is kept at most.
    package static let retentionMax: Duration = .seconds(30 * 86_400)
    /// How long the completion records of a session are kept after its last change.
    package static let sessionLease: Duration = .seconds(86_400)
    /// Sessions and keyed records that one step looks at when it searches for expired ones, and rows it removes.
    package static let expiredRowsPerSweep = 500
    /// How soon after its start a worker looks for expired records.
    package static let firstExpirySweep: Duration = .seconds(30)
    /// Turns of an actor that follow one another without others having their turn on the worker's loop.
    package static let turnsInARowMax = 64
    /// A batch of a worker's loop may take this many times as long as the last commit took, within the loop's bounds.
    package static let batchTimePerCommitTime = 4
    /// Commit groups larger than this are committed before the batch ends.
    package static let commitGroupCallsMax = 1024
    /// Larger values are stored in portions.
    package static let storedValueBytesMax = 256 << 10
    /// The bytes of one portion.
    package static let storedPortionBytes = 128 << 10
    /// The entries of one collection that are kept in memory, as they are stored.
    package static let entryCacheBytes = 1 << 20
    /// Entries that are read at a time when a collection is walked through.
    package static let entriesPerPage = 256
    /// Discarded rows that one transaction deletes.
    package static let discardedRowsPerSweep = 2_000
    /// The usual time between two snapshots of a shard.
    package static let snapshotInterval: Duration = .seconds(60)
    /// The times between two snapshots that can be chosen.
    package static let snapshotIntervals: ClosedRange<Duration> = .milliseconds(10)...(.seconds(86_400))
    /// A snapshot that took a second is followed by this many seconds without one.
    package static let snapshotPause = 20
    /// Snapshots that are kept of each shard.
    package static let snapshotsKept = 2
    /// How long a worker that ends by itself waits for its last flush.
    package static let cleanEndTimeout: Duration = .seconds(2)
    /// After this many commits a shard's owner looks for readers that died and keep old pages from being reused.
    package static let commitsPerReaderCheck: UInt64 = 256
    /// Earlier states of an actor that can be kept.
    package static let historyStatesMax = 100_000
    /// The longest time for which earlier states can be kept: ten years.
    package static let historyAgeSecondsMax = 10 * 365 * 86_400
    /// Old states that one commit drops.
    package static let historyDropsPerCommit = 64
    /// The stderr that is kept of each worker.
    package static let stderrBytesMax = 64 << 10
    /// The part of a dead worker's stderr that goes into the ledger.
    package static let stderrTailBytesMax = 4 << 10
    /// Ledger entries kept for each runtime directory.
    package static let ledgerEntriesMax = 100_000
    /// Records of owned actors that ended, kept to tell late callers why.
    package static let endedRecordsMax = 10_000
    /// GPUs of one node.
    package static let devicesMax = 1_024
    /// Nodes of one runtime.
    package static let nodesMax = 1_024
    /// Placement groups of one runtime.
    package static let placementGroupsMax = 10_000
    /// Bundles of one placement group.
    package static let bundlesMax = 1_024
    /// Nodes that one search for a placement group's bundles tries; beyond it the group waits for something to change.
    package static let bundleSearchStepsMax = 4_000
    /// Threads of a worker for blocking sections of its actors.
    package static let offloadThreads = 16
    /// Blocking sections that wait for a thread.
    package static let offloadsWaitingMax = 1024
    /// Workers kept started and waiting, for each executable.
    package static let sparesPerExecutable = 2
    /// How long the start of the next spare is put off while a new life takes its first calls.
    package static let recoveryPause: Duration = .milliseconds(10)
    /// How long a spare has nothing to do before it rehearses what it is for.
    package static let rehearsalPause: Duration = .milliseconds(20)
    /// How long a rehearsal may take.
    package static let rehearsalTime: Duration = .seconds(2)
    /// Starts of a supervisor that a driver tries before it gives up.
    package static let supervisorStartsMax = 20
    /// How long a driver that is alive may be disconnected before it counts as gone.
    package static let driverReturnTimeout: Duration = .seconds(5)
    /// How long the supervisor waits for the death of a worker whose connection a caller saw end.
    package static let deathConfirmationTimeout: Duration = .milliseconds(200)
    /// How long a driver tries to reach or start a supervisor.
    package static let supervisorStartTimeout: Duration = .seconds(20)
    /// How long the last supervisor waits for its workers to end by themselves at shutdown.
    package static let shutdownTimeout: Duration = .seconds(2)
}
