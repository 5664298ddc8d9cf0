internal import DurableCore
internal import DurableProcess

/// What a crash is blamed on, and what follows from it: dead letters, quarantine, the budgets of a group's actors.
extension Supervisor {
    /// Looks at what a dead worker was doing, before its successor is started.
    /// - Returns: The cause that the slot is told: the worker's own, or that the actor is quarantined.
    func investigate(
        _ worker: WorkerProcess,
        _ hosted: Hosted,
        _ incarnation: Incarnation,
        _ cause: DeathCause
    ) -> DeathCause {
        guard incarnation == hosted.slot.incarnation, let lifetime = hosted.slot.lifetime(now: now),
            let scene = worker.page?.crashScene, isCharged(cause)
        else { return cause }
        let blamed = scene.blamed
        var verdict = cause
        if cause.isCrash {
            let convictions = hosted.suspects.crashed(blamed, incarnation: incarnation, lifetime: lifetime) { actor in
                registry.records[actor]?.options.maxCallCrashes ?? RepeatLimit(Limits.crashesMax)
            }
            for conviction in convictions {
                if let quarantine = carryOut(conviction, worker, hosted, cause) { verdict = quarantine }
            }
        }
        charge(Set(blamed.map(\.actor)), of: hosted, worker, cause, lifetime)
        return verdict
    }

    /// The worker of a slot serves: its shard knows what it was told not to run, and a dedicated actor has started.
    func served(_ hosted: Hosted) {
        hosted.deadLetters = []
        hosted.suspects.started(hosted.actor)
    }

    /// Whether somebody who lived there is to blame for this end.
    private func isCharged(_ cause: DeathCause) -> Bool {
        switch cause {
        case .fenced, .unresponsive, .stoodStill: false
        default: !WorkerExitCode.isOwn(cause)
        }
    }

    /// Returns the cause of the slot's end, if that is what follows.
    private func carryOut(
        _ conviction: SuspectCalls.Conviction,
        _ worker: WorkerProcess,
        _ hosted: Hosted,
        _ cause: DeathCause
    ) -> DeathCause? {
        let lastWords = worker.lastWords
        switch conviction.suspect {
        case .call(let actor, let call):
            let order = DeadLetterOrder(
                actor: actor,
                call: call,
                cause: cause,
                incarnations: conviction.incarnations,
                milliseconds: wallClockMilliseconds,
                stderrTail: lastWords.text
            )
            hosted.deadLetters.append(order)
            log("call \(call.sequence) of session \(call.session) to \(actor) is dead-lettered: \(cause)")
            return nil
        case .start(let actor), .records(let actor):
            let count = conviction.incarnations.count
            let deed =
                if case .start = conviction.suspect { "started the actor" } else { "read the records of its calls" }
            var message = "its worker crashed \(count) times in a row while it \(deed); the last time \(cause)"
            if !lastWords.message.isEmpty { message += "; the end of its stderr: \(lastWords.message)" }
            let quarantine = DeathCause.quarantined(message: message)
            log("\(actor) is quarantined: \(message)")
            guard actor != hosted.actor else { return quarantine }
            if let record = registry.records[actor], record.ended == nil, record.shard == shard(of: hosted) {
                enterMember(record, worker, quarantine, isRestarted: false)
                giveUp(record, because: quarantine)
            }
            return nil
        }
    }

    /// A death of a group's worker counts against the budgets of those whose calls were running, and of nobody else.
    private func charge(
        _ blamed: Set<ActorID>,
        of hosted: Hosted,
        _ worker: WorkerProcess,
        _ cause: DeathCause,
        _ lifetime: Duration
    ) {
        for id in blamed.sorted() where id != hosted.actor {
            guard var record = registry.records[id], record.ended == nil, record.group == hosted.actor,
                refusedMembers[id] == nil
            else { continue }
            // When the next life starts is the group's affair.
            let decision = record.policy.died(lifetime: lifetime, wasProductive: true, now: now, jitter: 0)
            let final: DeathCause? =
                switch decision {
                case .restartNow, .restart: nil
                case .giveUp: cause
                case .giveUpFor(let intensity): cause.beyond(intensity)
                }
            enterMember(record, worker, final ?? cause, isRestarted: final == nil)
            if let final {
                giveUp(record, because: final)
                continue
            }
            let policy = record.policy
            guard let updated = registry.update(id, { $0.policy = policy }) else { continue }
            changes.records.append(updated)
        }
    }

    private func shard(of hosted: Hosted) -> ShardNumber? { registry.records[hosted.actor]?.shard }
}
