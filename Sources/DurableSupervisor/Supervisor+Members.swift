internal import DurableCore
internal import DurableTransport

/// Actors that share a worker and a shard.
extension Supervisor {
    /// The slot that hosts an actor: its own, or its group's.
    func hosting(_ record: ActorRecord) -> Hosted {
        hosted[record.shard] ?? host(registry.hosting(record))
    }

    /// Actors of groups end for good; their rows go when a worker can remove them.
    /// - Parameter done: Called when the rows are gone, or will be before they could be seen again.
    func endMembers(_ records: [ActorRecord], because cause: DeathCause, _ done: (() -> Void)? = nil) {
        for record in records {
            refusedMembers[record.id] = nil
            changes.removed += registry.end(record.id, cause: cause)
            if let ended = registry.records[record.id] { changes.records.append(ended) }
        }
        persistSoon()
        for (group, records) in Dictionary(grouping: records, by: \.group) {
            guard let group, let first = records.first else { continue }
            settle(group, hosting(first), records, done)
        }
        for record in records {
            endActors(registry.owned(by: .actor(record.id)), because: .ownerDied)
            removePlacementGroups(ownedBy: .actor(record.id))
        }
    }

    private func settle(_ group: ActorID, _ hosted: Hosted, _ ended: [ActorRecord], _ done: (() -> Void)?) {
        guard let shard = registry.records[group]?.shard else { return }
        guard !registry.members(of: group).isEmpty else {
            // Nobody is left: worker and shard go as a whole.
            membersRemoved(registry.removals(in: group))
            if let done {
                if hosted.worker == nil { done() } else { hosted.waiters.append((hosted.slot.incarnation, done)) }
            }
            perform(hosted.slot.end(because: .killed), on: shard)
            return
        }
        guard let worker = hosted.worker else {
            // Its next life is told with the assignment.
            done?()
            return
        }
        if let done, let last = ended.last { removalWaiters[last.id, default: []].append(done) }
        guard case .serving = hosted.slot.state else {
            // It has its assignment, which does not tell.
            hosted.lateRemovals += ended.map(\.id)
            return
        }
        send(.member(.remove(ended.map(\.id))), to: worker)
    }

    /// A group's worker serves: it is told who has ended since it was assigned.
    func sendLateRemovals(of hosted: Hosted) {
        guard let worker = hosted.worker, !hosted.lateRemovals.isEmpty else { return }
        send(.member(.remove(hosted.lateRemovals)), to: worker)
        hosted.lateRemovals = []
    }

    /// A worker has removed the rows of actors that ended.
    func membersRemoved(_ ids: [ActorID]) {
        for id in ids { forgetRecord(of: id) }
        persistSoon()
        for id in ids {
            registry.removed(id)
            for done in removalWaiters.removeValue(forKey: id) ?? [] { done() }
        }
    }

    /// The worker of a group is gone: who waits for it to remove something waits no more.
    func releaseRemovals(of group: ActorID) {
        if let shard = registry.records[group]?.shard { hosted[shard]?.lateRemovals = [] }
        for id in registry.removals(in: group) {
            for done in removalWaiters.removeValue(forKey: id) ?? [] { done() }
        }
    }

    /// An actor of a group cannot be hosted. A detached one keeps its state until it is killed, or somebody starts the
    /// runtime with an executable that can host it.
    func memberRefused(_ id: ActorID, _ cause: DeathCause) {
        guard let record = registry.records[id], record.ended == nil, record.group != nil else { return }
        enterMember(record, hosting(record).worker, cause, isRestarted: false)
        giveUp(record, because: cause)
    }

    /// An actor of a group is dead, the others go on. The state of a detached one is kept.
    func giveUp(_ record: ActorRecord, because cause: DeathCause) {
        if record.owner == .detached || cause.isQuarantine {
            refusedMembers[record.id] = cause
        } else {
            endMembers([record], because: cause)
        }
    }

    /// A line of the ledger for what happened to one actor of a group.
    func enterMember(_ record: ActorRecord, _ worker: WorkerProcess?, _ cause: DeathCause, isRestarted: Bool) {
        var entry = record
        entry.incarnation = hosting(record).slot.incarnation
        var death = LedgerEntry(
            record: entry,
            pid: worker?.identity.pid ?? 0,
            cause: cause,
            isRestarted: isRestarted,
            milliseconds: wallClockMilliseconds,
            stderrTail: worker?.stderrTail ?? ""
        )
        if worker?.isStruck == true { death.isInjected = true }
        changes.ledger.append(death)
        persistSoon()
    }

    /// The living actors of a group that its next worker must not start.
    func refusals(in group: ActorRecord) -> [MemberRefusal] {
        guard group.isGroup else { return [] }
        return refusedMembers.sorted { $0.key < $1.key }.compactMap { id, cause in
            guard let record = registry.records[id], record.group == group.id else { return nil }
            return MemberRefusal(record, cause: cause)
        }
    }
}
