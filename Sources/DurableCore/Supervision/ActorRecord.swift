/// Who an actor ends with.
package enum Owner: Sendable, Hashable, Codable {
    /// A driver process.
    case driver(DriverID)
    /// Another actor.
    case actor(ActorID)
    /// Nobody: a detached actor.
    case detached
}

/// What the registry keeps of an actor: everything needed to start it again.
package struct ActorRecord: Sendable, Hashable, Codable {
    /// Its identity.
    package var id: ActorID
    /// The mangled name of its type, for lookup in the worker.
    package var typeName: String
    /// The type's name for people.
    package var typeDescription: String
    /// The constructor's arguments, CBOR.
    package var arguments: [UInt8]
    /// How it lives.
    package var options: ActorOptions
    /// Who it ends with.
    package var owner: Owner
    /// The life of its owner that it ends with, unless the next one makes it again; `nil` when it goes on.
    package var ownerLife: Incarnation?
    /// Whether its owner's constructor made it, so that each later life asks for it again; `nil` for no. Then its end is
    /// remembered for as long as the owner lives: its identity must not be given to another one.
    package var isAskedForAgain: Bool?
    /// The executable that its workers run.
    package var executable: String
    /// Where its state is.
    package var shard: ShardNumber
    /// Its restart budget and use.
    package var policy: RestartPolicy
    /// The incarnation that lives or lived last.
    package var incarnation: Incarnation = 0
    /// The worker that has or last had its shard.
    package var worker: WorkerIdentity?
    /// Why it ended, once it has.
    package var ended: DeathCause?
    /// The group whose worker and shard it shares; `nil` when it has its own.
    package var group: ActorID?

    /// What it holds of a node's resources, from its placement to its end.
    package var holding: Placement.Holding?
    /// What it waits for before it can be started, if it does.
    package var waitsFor: String?

    /// Whether this stands for the worker and the shard of a group, not for an actor.
    package var isGroup: Bool { typeName.isEmpty }

    package init(
        id: ActorID,
        typeName: String,
        typeDescription: String,
        arguments: [UInt8],
        options: ActorOptions,
        owner: Owner,
        executable: String,
        shard: ShardNumber
    ) {
        self.id = id
        self.typeName = typeName
        self.typeDescription = typeDescription
        self.arguments = arguments
        self.options = options
        self.owner = owner
        self.executable = executable
        self.shard = shard
        policy = RestartPolicy(options)
    }
}

/// A process that cannot be mistaken for another one with the same number.
package struct WorkerIdentity: Sendable, Hashable, Codable {
    /// The process's number.
    package var pid: Int32
    /// When it started, in clock ticks since boot.
    package var startTime: UInt64
    /// The serial number of its stderr file.
    package var serial: UInt64

    package init(pid: Int32, startTime: UInt64, serial: UInt64) {
        self.pid = pid
        self.startTime = startTime
        self.serial = serial
    }
}

/// A line of the restart ledger.
package struct LedgerEntry: Sendable, Hashable, Codable {
    /// The actor it happened to.
    package var actor: ActorID
    /// The type's name for people.
    package var typeDescription: String
    /// The incarnation that ended.
    package var incarnation: Incarnation
    /// The worker's process number.
    package var pid: Int32
    /// When that process started, as the kernel counts; `nil` in entries of older builds.
    package var startTime: UInt64?
    /// Why it ended.
    package var cause: DeathCause
    /// Whether another incarnation followed.
    package var isRestarted: Bool
    /// Milliseconds since 1970 by the wall clock.
    package var milliseconds: Int64
    /// The end of what the worker wrote to stderr.
    package var stderrTail: String
    /// What happened when a life began, in an entry that is of no death; its cause says nothing then.
    package var notice: String?
    /// Whether the death was injected to see what comes of it; `nil` for any other.
    package var isInjected: Bool?

    /// The end of a life.
    package init(
        record: ActorRecord,
        pid: Int32,
        cause: DeathCause,
        isRestarted: Bool,
        milliseconds: Int64,
        stderrTail: String
    ) {
        actor = record.id
        typeDescription = record.typeDescription
        incarnation = record.incarnation
        self.pid = pid
        self.cause = cause
        self.isRestarted = isRestarted
        self.milliseconds = milliseconds
        self.stderrTail = stderrTail
    }

    /// Something else that people should know of a life.
    package init(record: ActorRecord, pid: Int32, notice: String, milliseconds: Int64) {
        self.init(
            record: record,
            pid: pid,
            cause: .unknown,
            isRestarted: true,
            milliseconds: milliseconds,
            stderrTail: ""
        )
        self.notice = notice
    }
}
