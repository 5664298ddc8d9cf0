#if SEEDED_BUGS
internal import Glibc

/// A wrong variant of the product, which the tests have to find: they are only worth something if they can fail.
///
/// Exists in a build with `DURABLE_SEEDED_BUGS=1` alone. There, `SEEDED_BUG` names the one that is active, in all
/// processes: children inherit it. `lanes.txt` says which test finds which; `run` checks that it does.
package enum SeededBug: String, CaseIterable {
    // What a commit is.

    /// Replies leave, and then what they report is committed.
    case replyBeforeCommit
    /// A turn that only read is answered before the change that it has seen is committed.
    case readBeforeCommit
    /// A turn calls others before what earlier turns changed is durable.
    case callBeforeCommit
    /// The outcome of a call is stored by a second transaction, after its changes.
    case completionApart
    /// Each change of a turn is committed by a transaction of its own.
    case turnInPieces
    /// After a commit that failed on a full disk, the memory that ran ahead of it stays.
    case failedCommitStays
    /// What a method changed before it threw is not stored.
    case thrownChangesUnstored
    /// The removal of a collection's entry is not stored.
    case removedEntryReturns
    /// The sweep of discarded rows takes those of other collections along.
    case sweepTakesTooMuch

    // What the disk has.

    /// Commits of `.disk` are not flushed.
    case noSync
    /// The page that makes a commit valid is not flushed.
    case noMetaSync
    /// Commits of `.disk` are flushed now and then.
    case syncNowAndThen
    /// What a dead owner left in the page cache is not flushed before more is built on it.
    case noSyncAtOpen
    /// After a flush that failed, commits go on.
    case failedSyncForgotten
    /// A new environment is made in its final place.
    case createdInPlace
    /// The name of a new file is not flushed.
    case noDirectorySync
    /// With `.process`, nothing says that the shard is not flushed.
    case noUnsyncedMarker
    /// After a power loss a file is taken although it holds rows of different commits.
    case mixedCommitsTaken
    /// After a power loss a file is taken although a snapshot is newer.
    case olderThanSnapshotTaken
    /// The newest snapshots go together with the old ones.
    case snapshotsAllPruned

    // What is read.

    /// The checksum of a value is not compared.
    case checksumUnchecked
    /// The checksum of a large value covers its first 4 KiB alone.
    case checksumOfBeginning
    /// A property that cannot be read starts again from the constructor.
    case unreadableStartsAnew

    // Who owns a shard.

    /// A commit does not look whose shard it is.
    case epochUnchecked
    /// A commit looks whose shard it is before its transaction begins.
    case epochCheckedOutside
    /// A read is answered by who has lost the shard.
    case readUnchecked
    /// A caller takes replies of an owner that has been replaced.
    case formerOwnersReplyTaken
    /// The next life begins while the one before is being killed.
    case replacedBeforeGone
    /// Workers of a former supervisor that the registry does not name are not waited for.
    case strangersNotAwaited
    /// A kill starts a life that waits for workers of a former supervisor.
    case killStartsHeldUp
    /// Two supervisors can serve one directory.
    case supervisorWithoutLock
    /// Children inherit the descriptor of a shard's file.
    case descriptorInherited

    // Calls.

    /// A call that is sent again has another name than the first time.
    case retryUnderNewID
    /// A caller says that it has all outcomes before the call, and their records are forgotten.
    case frontierTooEarly
    /// A record is forgotten one call before its caller has the outcome.
    case recordForgottenEarly
    /// The record of a call with a key counts no more from its commit on.
    case keyExpiresAtOnce
    /// A call runs although its record may have expired.
    case expiredCallRuns
    /// A late copy of a call that was answered runs.
    case staleCopyRuns
    /// A call id that comes again with other arguments gets the outcome of the first.
    case reusedIDAnswered
    /// The calls of a turn that runs again are new calls.
    case childCallsUnnamed
    /// The next life does not hear that a call was cancelled.
    case cancellationForgotten
    /// The records' clock goes with the time of day.
    case clockOfDay
    /// A serial actor runs two calls at once.
    case serialCallsOverlap
    /// Calls leave in the order in which they are ready.
    case submissionUnordered
    /// Calls of a connection that its caller has replaced are run.
    case formerConnectionHeard
    /// A caller leaves a worker that is not the owner any more without a word.
    case formerOwnerNotTold
    /// A call of an unknown name is looked up and run.
    case anyMethodRuns

    // Lives.

    /// An actor gets one more life than its budget allows.
    case oneRestartTooMany
    /// How often an actor was restarted is not stored.
    case restartsNotStored
    /// News of an earlier life ends the present one.
    case staleDeathTaken
    /// A call runs once more than crashes are allowed.
    case oneCrashTooMany
    /// A call that must not run is answered, and no record says so.
    case deadLetterUnrecorded
    /// A creation is answered, and stored later.
    case spawnAnsweredEarly
    /// A kill is answered, and stored later.
    case killAnsweredEarly
    /// A supervisor takes any process with the right number for its worker.
    case adoptedByNumberAlone

    /// The one that is active in this process.
    package static let active: SeededBug? = {
        guard let name = getenv("SEEDED_BUG") else { return nil }
        guard let bug = SeededBug(rawValue: String(cString: name)) else {
            fatalError("SEEDED_BUG is \(String(cString: name)), which is none of them")
        }
        return bug
    }()

    /// Whether this is the one.
    package var isActive: Bool { self == Self.active }
}
#endif
