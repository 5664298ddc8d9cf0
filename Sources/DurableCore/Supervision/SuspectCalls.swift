#if SEEDED_BUGS
internal import SeededBugs
#endif

/// What a worker was in the middle of when it died, and what may have caused it.
package enum Suspect: Sendable, Hashable {
    /// The actor was being started: its constructor ran, or its state was read.
    case start(ActorID)
    /// A turn of the actor was open.
    case call(ActorID, CallID)
    /// What is stored of the actor's calls was being read, between two turns.
    case records(ActorID)

    /// Whose start or call it is.
    package var actor: ActorID {
        switch self {
        case .start(let actor), .call(let actor, _), .records(let actor): actor
        }
    }
}

/// What a dead worker's page says.
package struct CrashScene: Sendable, Hashable {
    /// Something that was open, and the job of the worker's loop that began it.
    package struct Note: Sendable, Hashable {
        package var suspect: Suspect
        package var job: UInt64

        package init(_ suspect: Suspect, job: UInt64) {
            self.suspect = suspect
            self.job = job
        }
    }

    /// Everything that was open.
    package var notes: [Note]
    /// The job that ran in the moment of death; 0 when none did.
    package var job: UInt64

    package init(notes: [Note] = [], job: UInt64 = 0) {
        self.notes = notes
        self.job = job
    }

    /// What is to blame: the turn that was executing, not those that waited for something. When it cannot be told,
    /// because a task that the turn had made was executing, or none, everything that was open.
    package var blamed: [Suspect] {
        // Nothing else happens on that thread while records are read.
        let reading = notes.map(\.suspect).filter { if case .records = $0 { true } else { false } }
        guard reading.isEmpty else { return reading }
        let executing = notes.filter { $0.job == job && job != 0 }
        return (executing.isEmpty ? notes : executing).map(\.suspect)
    }
}

/// Counts how often a call, or an actor's start, was to blame for a crash of its worker.
///
/// A call that has been answered is not sent again, so its crashes are always in a row: of all its runs, none has ended.
/// Crashes of other calls in between do not acquit it. If they did, two poison calls that take turns would never be
/// found. A start can succeed, though: `started` and a long life of which it is not the end acquit it. The latter acquits
/// the reading of records as well.
package struct SuspectCalls: Sendable, Hashable {
    /// A suspect that has crashed too often.
    package struct Conviction: Sendable, Hashable {
        package var suspect: Suspect
        /// The lives that it ended, oldest first.
        package var incarnations: [Incarnation]
    }

    private struct Entry: Hashable {
        var suspect: Suspect
        var incarnations: [Incarnation]
    }

    /// The one that crashed last is the last.
    private var entries: [Entry] = []

    package init() {}

    /// How many are under suspicion.
    package var count: Int { entries.count }

    /// A life ended by a crash. Returns who is convicted, and forgets them: what follows is not decided here.
    /// - Parameters:
    ///   - blamed: What is to blame for it.
    ///   - incarnation: Which life it was.
    ///   - lifetime: How long it had lasted.
    ///   - limit: How many crashes a call to the actor may cause.
    package mutating func crashed(
        _ blamed: [Suspect],
        incarnation: Incarnation,
        lifetime: Duration,
        limit: (ActorID) -> RepeatLimit = { _ in RepeatLimit(Limits.crashesMax) }
    ) -> [Conviction] {
        if lifetime >= Limits.healthyLifetime {
            entries.removeAll { entry in
                if case .call = entry.suspect { false } else { !blamed.contains(entry.suspect) }
            }
        }
        var convictions: [Conviction] = []
        for suspect in blamed {
            var entry = Entry(suspect: suspect, incarnations: [])
            if let index = entries.firstIndex(where: { $0.suspect == suspect }) { entry = entries.remove(at: index) }
            if entry.incarnations.last != incarnation { entry.incarnations.append(incarnation) }
            let most = if case .call(let actor, _) = suspect { limit(actor) } else { RepeatLimit(Limits.crashesMax) }
            guard !most.isUnlimited else { continue }
            #if SEEDED_BUGS
            if SeededBug.oneCrashTooMany.isActive, most.allows(after: entry.incarnations.count - 1) {
                entries.append(entry)
                continue
            }
            #endif
            if !most.allows(after: entry.incarnations.count) {
                convictions.append(Conviction(suspect: suspect, incarnations: entry.incarnations))
            } else {
                entries.append(entry)
            }
        }
        if entries.count > Limits.suspectsMax { entries.removeFirst(entries.count - Limits.suspectsMax) }
        return convictions
    }

    /// The actor has been started, so its start is above suspicion.
    package mutating func started(_ actor: ActorID) {
        entries.removeAll { $0.suspect == .start(actor) }
    }
}

extension DeathCause {
    /// Whether the process ended itself, or grew until the kernel ended it, or did not let go of its thread. Another signal comes from outside and says
    /// nothing of what was running.
    package var isCrash: Bool {
        switch self {
        case .signal(let number): Self.crashSignals.contains(number)
        case .exit, .outOfMemory, .blocked: true
        case .killed, .intendedExit, .fenced, .unresponsive, .stoodStill, .ownerDied, .constructorThrew, .quarantined,
            .spawnFailed,
            .nodeDied, .nodeDrained, .placementGroupRemoved, .unschedulable, .restartedTooOften, .runtimeEnded,
            .unknown:
            false
        }
    }

    /// SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGSYS.
    private static let crashSignals: Set<Int32> = [4, 5, 6, 7, 8, 11, 31]
}
