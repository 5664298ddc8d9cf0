/// The named points of the framework's own code at which a fault can be injected: the steps around everything that is
/// made durable, and around everything that says so.
package enum FaultPoint: String, Sendable, Hashable, Codable, CaseIterable {
    // A worker takes a shard.

    /// The worker has its assignment, and has not opened the shard.
    case workerBeforeOpen
    /// The worker has opened the shard and not yet claimed its epoch.
    case workerBeforeClaim
    /// Inside the transaction that raises the epoch, after the last put.
    case workerInsideClaim
    /// The epoch is claimed; rows of ended actors and decided dead letters have not been looked at.
    case workerAfterClaim
    /// Rows of actors that have ended are about to be given up.
    case workerBeforeRemoval
    /// They are given up, and the supervisor has not been told.
    case workerAfterRemoval
    /// The calls that must not run again are known to the worker, and not yet to the shard.
    case workerBeforeDeadLetters
    /// The shard knows them.
    case workerAfterDeadLetters
    /// The epoch is claimed, the state not yet loaded.
    case workerBeforeRestore
    /// The state is loaded, the worker not yet accepting.
    case workerAfterRestore
    /// The actor is built, and nobody can connect yet.
    case workerBeforeServing

    // A worker runs a call.

    /// The call has left the mailbox, its method has not begun.
    case workerBeforeMethod
    /// The method has returned; what it changed is not held for a commit yet.
    case workerAfterMethod
    /// The method has returned, nothing is committed.
    case workerBeforeCommit
    /// Inside the write transaction, after the last put.
    case workerInsideCommit
    /// The commit is durable, no reply has left.
    case workerAfterCommit
    /// One reply is about to leave; others of the same commit may have left.
    case workerBeforeReply
    /// All replies of a commit have been given to their connections.
    case workerAfterReplies

    // A worker tidies up.

    /// Rows that nothing refers to any more are about to be deleted.
    case workerBeforeSweep
    /// Inside the transaction that deletes them, after the last deletion.
    case workerInsideSweep
    /// They are deleted.
    case workerAfterSweep
    /// Expired completion records are about to be removed.
    case workerBeforeExpiry
    /// Inside the transaction that removes them, after the last put.
    case workerInsideExpiry
    /// They are removed from the shard, and not yet from memory.
    case workerAfterExpiry
    /// A snapshot is about to be taken.
    case workerBeforeSnapshot
    /// The snapshot is there, flushed; older ones are, too.
    case workerInsideSnapshot
    /// The snapshot is taken, older ones are gone.
    case workerAfterSnapshot
    /// The process ends by itself and has not flushed its shard.
    case workerBeforeCleanEnd

    // The supervisor.

    /// The supervisor has been asked for actors, and nothing is stored of them.
    case supervisorBeforeCreation
    /// The supervisor has stored what was created, and nobody has been told.
    case supervisorAfterCreation
    /// The registry is about to be written.
    case supervisorBeforeRegistryWrite
    /// Inside the transaction that writes the registry, after the last put.
    case supervisorInsideRegistryWrite
    /// The registry is written.
    case supervisorAfterRegistryWrite
    /// A worker is about to be spawned.
    case supervisorBeforeSpawn
    /// A worker is spawned, and nobody knows of it.
    case supervisorAfterSpawn
    /// A shard is about to be given to a worker.
    case supervisorBeforeAssignment
    /// The supervisor has given a shard to a worker, and has not stored that.
    case supervisorAfterAssignment
    /// A worker has said that it serves, and nothing follows from that yet.
    case supervisorAfterServing
    /// The end of a worker is seen, and nothing follows from that yet.
    case supervisorAfterDeath
    /// The supervisor kills a worker before it replaces it; skipping leaves the old one alive.
    case supervisorKillBeforeReplace
    /// A worker of a former supervisor hands back its shard, and is not adopted yet.
    case supervisorBeforeAdoption
    /// The supervisor lets an actor exit that wants to; skipping refuses it.
    case supervisorBeforeExit
    /// The directory of an actor that has ended is about to be removed.
    case supervisorBeforeStateRemoval
    /// It is removed, and the registry may still have the actor.
    case supervisorAfterStateRemoval
}
