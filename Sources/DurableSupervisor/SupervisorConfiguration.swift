package import DurableCore

/// What a driver decides when it starts a supervisor.
package struct SupervisorConfiguration: Sendable, Hashable, Codable {
    /// The runtime's directory, absolute.
    package var directory: String
    /// Whether the directory goes with the runtime.
    package var isEphemeral: Bool
    /// Workers kept waiting for each executable.
    package var spares: Int
    /// What workers are told.
    package var worker: WorkerConfiguration
    /// The node that is always there.
    package var head: NodeDeclaration

    package init(
        directory: String,
        isEphemeral: Bool,
        spares: Int,
        worker: WorkerConfiguration,
        head: NodeDeclaration
    ) {
        self.head = head
        self.directory = directory
        self.isEphemeral = isEphemeral
        self.spares = spares
        self.worker = worker
    }
}

/// How the start of a supervisor ended, as it tells the driver that started it.
package enum StartOutcome: Sendable, Hashable, Codable {
    /// It serves the directory.
    case ready
    /// Another one does.
    case alreadyRunning
    /// The directory cannot be served.
    case failed(ActorError)
}

/// The files of a runtime's directory.
package struct RuntimeLayout: Sendable, Hashable {
    /// The directory itself.
    package let directory: String

    package init(directory: String) { self.directory = directory }

    package var supervisor: String { "\(directory)/supervisor" }
    /// Held by `flock` for the supervisor's life.
    package var lock: String { "\(supervisor)/lock" }
    /// Where drivers and orphaned workers reach the supervisor.
    package var socket: String { "\(supervisor)/socket" }
    /// What workers write to stderr, a file each.
    package var stderr: String { "\(supervisor)/stderr" }
    package var shards: String { "\(directory)/shards" }
    /// Where processes can be asked for the values that they own, a socket each.
    package var objects: String { "\(directory)/objects" }

    package func shard(_ number: ShardNumber) -> String { "\(shards)/\(number)" }
    package func shardSocket(_ number: ShardNumber) -> String { "\(shards)/\(number)/socket" }
    /// What a worker leaves for the ledger, until the ledger has it.
    package func shardNotice(_ number: ShardNumber) -> String { "\(shards)/\(number)/notice" }
    package func stderrFile(_ serial: UInt64) -> String { "\(stderr)/\(serial)" }
}

/// The codes with which a worker ends itself.
package enum WorkerExitCode {
    /// Another worker owns its shard.
    package static let fenced: Int32 = 75
    /// No supervisor adopted it within the grace period.
    package static let abandoned: Int32 = 76
    /// It was told to end, or had nothing to do any more.
    package static let finished: Int32 = 0
    /// It could not be set up.
    package static let broken: Int32 = 70

    /// Whether the worker's own code ended it, and not an actor's.
    static func isOwn(_ cause: DeathCause) -> Bool {
        guard case .exit(let code) = cause else { return false }
        return code == fenced || code == abandoned || code == broken
    }
}
