/// A fault to inject at a named point of the framework's own code.
package struct FaultSpecification: Sendable, Hashable, Codable {
    /// What happens there.
    package enum Action: String, Sendable, Hashable, Codable {
        /// The process ends by `SIGKILL`.
        case kill
        /// The process stops by `SIGSTOP`, until somebody continues it.
        case stop
        /// The step that the point guards is left out.
        case skip
    }

    /// The point's name.
    package var point: FaultPoint
    /// At which passage through the point, counted from 1.
    package var occurrence: Int
    /// In which incarnation only; `nil` for every one.
    package var incarnation: Incarnation?
    /// What happens.
    package var action: Action

    package init(_ point: FaultPoint, occurrence: Int = 1, incarnation: Incarnation? = nil, action: Action) {
        self.point = point
        self.occurrence = occurrence
        self.incarnation = incarnation
        self.action = action
    }
}

/// The named points at which a fault can be injected.
package enum FaultPoint: String, Sendable, Hashable, Codable, CaseIterable {
    /// The worker has opened the shard and not yet claimed its epoch.
    case workerBeforeClaim
    /// The epoch is claimed, the state not yet loaded.
    case workerBeforeRestore
    /// The state is loaded, the worker not yet accepting.
    case workerAfterRestore
    /// The method has returned, nothing is committed.
    case workerBeforeCommit
    /// Inside the write transaction, after the last put.
    case workerInsideCommit
    /// The commit is durable, no reply has left.
    case workerAfterCommit
    /// The supervisor kills a worker before it replaces it; skipping leaves the old one alive.
    case supervisorKillBeforeReplace
    /// The supervisor has stored what was created, and nobody has been told.
    case supervisorAfterCreation
    /// The supervisor has given a shard to a worker, and has not stored that.
    case supervisorAfterAssignment
    /// The supervisor lets an actor exit that wants to; skipping refuses it.
    case supervisorBeforeExit
}
