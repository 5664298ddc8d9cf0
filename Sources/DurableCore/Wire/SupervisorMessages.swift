/// A wish for an actor.
package struct CreateRequest: Sendable, Hashable, Codable {
    package var id: ActorID
    package var typeName: String
    package var typeDescription: String
    package var arguments: [UInt8]
    package var options: ActorOptions
    package var owner: Owner
    /// The life of its owner that it ends with, unless the next one makes it again.
    package var ownerLife: Incarnation?
    /// Whether the identity follows from what creates it: then there is an answer as well when it has ended.
    package var isDerived = false
    /// Whether it follows from its owner alone, whose later lives will ask for it again.
    package var isAskedForAgain = false
    /// The bytes of large values that its arguments refer to, by the processes that have them; `nil` for none.
    package var argumentBytes: [Int32: Int]?
    package var executable: String
    /// Whether an actor that has the name already will do.
    package var getsExisting: Bool

    package init(
        id: ActorID,
        typeName: String,
        typeDescription: String,
        arguments: [UInt8],
        options: ActorOptions,
        owner: Owner,
        executable: String,
        getsExisting: Bool
    ) {
        self.id = id
        self.typeName = typeName
        self.typeDescription = typeDescription
        self.arguments = arguments
        self.options = options
        self.owner = owner
        self.executable = executable
        self.getsExisting = getsExisting
    }
}

/// What a driver or a worker may ask of the supervisor.
package enum SupervisorRequest: Sendable, Hashable, Codable {
    /// Create an actor, or find the one of that name.
    case create(CreateRequest)
    /// Where is this actor, and does it live? `lost` is the incarnation that the asker has just lost sight of.
    case locate(ActorID, lost: Incarnation?)
    /// Which actor has this name? `executable` becomes the one it runs, should it have to be started.
    case lookup(name: String, namespace: String, executable: String)
    /// What is this actor? Asked by the worker of its group.
    case describe(ActorID)
    /// End an actor, for good or for this life only.
    case kill(ActorID, noRestart: Bool)
    /// End an actor for good, by its own code's wish.
    case exit(ActorID)
    /// All living actors.
    case list
    /// Something about nodes.
    case node(NodeRequest)
    /// Something about placement groups.
    case placementGroup(PlacementGroupRequest)
    /// Something is to happen to a process.
    case inject(FaultOrder)
    /// The programs that use the runtime.
    case drivers
    /// The driver leaves; what it owns ends.
    case leave
}

/// What the supervisor answers.
package enum SupervisorResponse: Sendable, Hashable, Codable {
    case location(ActorLocation)
    case status(ActorStatus)
    case record(ActorRecord)
    case actors([ActorSummary])
    case nodes([NodeSummary])
    case placementGroups([PlacementGroupSummary])
    /// By their numbers.
    case processes([Int32])
    case done
    /// The driver has left, and nothing that it owned runs any more; whether the supervisor ends now.
    case left(isLast: Bool)
    case failed(ActorError)
}

/// Where an actor is reached.
package struct ActorLocation: Sendable, Hashable, Codable {
    package var id: ActorID
    package var typeName: String
    package var typeDescription: String
    package var shard: ShardNumber
    package var options: ActorOptions
    /// The group whose worker it shares.
    package var group: ActorID?
    /// Whether it was there already when it was to be created.
    package var isFound: Bool?

    package init(_ record: ActorRecord) {
        group = record.group
        id = record.id
        typeName = record.typeName
        typeDescription = record.typeDescription
        shard = record.shard
        options = record.options
    }
}

/// Whether an actor lives.
package enum ActorStatus: Sendable, Hashable, Codable {
    /// A worker has it, as this incarnation.
    case alive(ActorLocation, Incarnation)
    /// The next incarnation is on its way.
    case restarting(ActorLocation)
    /// Gone for good.
    case dead(DeathCause, typeDescription: String, restarts: Int)
    /// Never heard of it.
    case unknown
}

/// A living actor in a list.
public struct ActorSummary: Sendable, Hashable, Codable {
    /// Where a living actor stands.
    public enum State: String, Sendable, Hashable, Codable, CaseIterable {
        /// Not started yet in this runtime; the first use starts it.
        case dormant
        /// It waits for resources that no node has free.
        case pending
        /// Its worker is being set up.
        case starting
        /// It answers calls.
        case alive
        /// It died and waits for its next life.
        case restarting
        /// It is being killed, or it ended and its state is kept.
        case ended
    }

    /// Its identity.
    public var id: ActorID
    /// The name of its type.
    public var type: String
    /// The name it is found under.
    public var name: String?
    /// The scope of the name.
    public var namespace: String
    /// Where it stands.
    public var state: State
    /// The driver that it ends with, directly or because its owner does; `nil` when it ends with no driver.
    public var driver: DriverID?
    /// Its current life, counted from 1.
    public var incarnation: UInt64
    /// How often it was restarted.
    public var restarts: Int
    /// The process that hosts it.
    public var processID: Int32?
    /// The node that it was placed on.
    public var node: String?
    /// The placement group that it is in.
    public var placementGroup: PlacementGroupID?
    /// What it holds there, by name.
    public var resources: [String: Double]
    /// What it waits for before its next life can start, if it does.
    public var waitsFor: String?

    /// For how long that process has given no sign of life, when that is more than five seconds; `nil` otherwise. The
    /// thread of its actors runs code that does not give way, outside of `offload`, or waits for the disk, or the
    /// process as a whole stands still. ``ActorOptions/unresponsiveLimit`` can end it; without, `kill` does.
    public var unresponsiveFor: Duration?

    package init(
        _ record: ActorRecord,
        hosting: ActorRecord,
        state: State,
        restarts: Int,
        driver: DriverID? = nil,
        silence: Duration? = nil
    ) {
        self.driver = driver
        id = record.id
        type = record.typeDescription
        name = record.options.name
        namespace = record.options.namespace
        self.state = state
        incarnation = hosting.incarnation
        self.restarts = restarts
        processID = hosting.worker?.pid
        node = hosting.holding?.node
        placementGroup = record.holding?.bundle?.placementGroup
        resources = record.holding?.share.total.values ?? [:]
        waitsFor = hosting.waitsFor
        unresponsiveFor = silence.flatMap { $0 > Limits.unresponsiveAfter ? $0 : nil }
    }
}

/// What the supervisor tells a worker.
package enum WorkerCommand: Sendable, Hashable, Codable {
    /// Host this actor; the listening socket and the worker page come as descriptors.
    case assign(Assignment)
    /// Do something with one of the actors that share the worker.
    case member(MemberCommand)
    /// Show this fault.
    case inject(LiveFault)
    /// You are known; go on.
    case adopted
    /// End now.
    case end
}

/// What a worker is to do with one of the actors that share it.
package enum MemberCommand: Sendable, Hashable, Codable {
    /// They have ended for good: their rows go. Answered by `membersRemoved`.
    case remove([ActorID])
    /// This life of it ends, and the next one begins.
    case restart(ActorID)
}

/// Everything a worker needs to host a shard.
package struct Assignment: Sendable, Hashable, Codable {
    package var record: ActorRecord
    package var incarnation: Incarnation
    /// The runtime's directory.
    package var directory: String
    package var configuration: WorkerConfiguration
    /// Actors of a group that ended while no worker was there to remove their rows.
    package var drops: [ActorID]
    /// Calls that this life and those after it must not run.
    package var deadLetters: [DeadLetterOrder] = []
    /// Actors of a group that must not be started.
    package var refusals: [MemberRefusal] = []
    /// Variables to set before any code of the actor runs.
    package var environment: [String: String]?

    package init(
        record: ActorRecord,
        incarnation: Incarnation,
        directory: String,
        configuration: WorkerConfiguration,
        drops: [ActorID] = []
    ) {
        self.drops = drops
        self.record = record
        self.incarnation = incarnation
        self.directory = directory
        self.configuration = configuration
    }
}

/// A call that crashed its workers too often: it is to be answered with an error instead of being run.
package struct DeadLetterOrder: Sendable, Hashable, Codable {
    package var actor: ActorID
    package var call: CallID
    /// Why the last of its lives ended.
    package var cause: DeathCause
    /// The lives that it ended.
    package var incarnations: [Incarnation]
    /// Milliseconds since 1970 by the wall clock.
    package var milliseconds: Int64
    /// The end of what the last worker wrote to stderr.
    package var stderrTail: String

    package init(
        actor: ActorID,
        call: CallID,
        cause: DeathCause,
        incarnations: [Incarnation],
        milliseconds: Int64,
        stderrTail: String
    ) {
        self.actor = actor
        self.call = call
        self.cause = cause
        self.incarnations = incarnations
        self.milliseconds = milliseconds
        self.stderrTail = stderrTail
    }
}

/// An actor of a group that is dead while the others live, and what its callers are told.
package struct MemberRefusal: Sendable, Hashable, Codable {
    package var actor: ActorID
    package var typeDescription: String
    package var cause: DeathCause
    package var restarts: Int

    package init(_ record: ActorRecord, cause: DeathCause) {
        actor = record.id
        typeDescription = record.typeDescription
        self.cause = cause
        restarts = record.policy.restarts
    }
}

/// What a driver decides for all workers of a runtime.
package struct WorkerConfiguration: Sendable, Hashable, Codable {
    /// Seconds a worker goes on without a supervisor.
    package var gracePeriodSeconds: Double
    /// Seconds between two snapshots of a shard whose commits are not flushed.
    package var snapshotIntervalSeconds: Double
    /// Milliseconds for which the records of a session are kept after its last change.
    package var sessionLeaseMilliseconds: UInt64
    /// The records of calls with a key that an actor keeps.
    package var keyedRecordsMax: Int
    /// Seconds that a process which runs an actor's tasks is kept when there are none.
    package var taskWorkerIdleSeconds: Double
    /// Faults to arm, for tests.
    package var faults: [FaultSpecification]
    /// The file in which passages through fault points are counted, for tests.
    package var faultTally: String?

    package init(
        gracePeriodSeconds: Double,
        snapshotIntervalSeconds: Double = Limits.snapshotInterval / .seconds(1),
        sessionLeaseMilliseconds: UInt64 = Limits.sessionLease.wholeMilliseconds,
        keyedRecordsMax: Int = Limits.keyedRecordsMax,
        taskWorkerIdleSeconds: Double = Limits.taskWorkerIdleTime / .seconds(1),
        faults: [FaultSpecification] = [],
        faultTally: String? = nil
    ) {
        self.sessionLeaseMilliseconds = sessionLeaseMilliseconds
        self.keyedRecordsMax = keyedRecordsMax
        self.taskWorkerIdleSeconds = taskWorkerIdleSeconds
        self.gracePeriodSeconds = gracePeriodSeconds
        self.snapshotIntervalSeconds = snapshotIntervalSeconds
        self.faults = faults
        self.faultTally = faultTally
    }
}

/// What a worker tells the supervisor.
package enum WorkerReport: Sendable, Hashable, Codable {
    /// The actor answers calls.
    case serving(ShardNumber, Incarnation, Epoch)
    /// The actor cannot be hosted: its constructor threw, its state is unreadable.
    case refused(ShardNumber, Incarnation, DeathCause)
    /// One of the actors that share the worker cannot be hosted; the others go on.
    case memberRefused(ActorID, DeathCause)
    /// One of the actors that share the worker is built, in this life of the worker.
    case memberServing(ActorID, Incarnation)
    /// The rows of actors that ended are gone.
    case membersRemoved([ActorID])
    /// Something happened to the shard that the ledger has to tell; the notice stays in the shard's directory until
    /// the ledger has it.
    case noticed(ShardNumber, Incarnation, String)
    /// Another worker owns the shard by now; this one ends.
    case fenced(ShardNumber, Incarnation)
    /// The worker shows the fault that it was told to from now on; in the order in which it was told.
    case injected
    /// A worker that outlived its supervisor hands back its listening socket and its page, as descriptors.
    case handover(WorkerGreeting.Hosting)
}

/// How a worker introduces itself to a new supervisor.
package struct WorkerGreeting: Sendable, Hashable, Codable {
    package var identity: WorkerIdentity

    /// A shard that a worker holds.
    package struct Hosting: Sendable, Hashable, Codable {
        package var shard: ShardNumber
        package var actor: ActorID
        package var incarnation: Incarnation

        package init(shard: ShardNumber, actor: ActorID, incarnation: Incarnation) {
            self.shard = shard
            self.actor = actor
            self.incarnation = incarnation
        }
    }

    package init(identity: WorkerIdentity) { self.identity = identity }
}

/// How a driver introduces itself.
package struct DriverGreeting: Sendable, Hashable, Codable {
    package var id: DriverID
    package var executable: String

    package init(id: DriverID, executable: String) {
        self.id = id
        self.executable = executable
    }
}
