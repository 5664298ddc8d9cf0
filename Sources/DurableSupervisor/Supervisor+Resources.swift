internal import DurableCore
internal import DurableTransport

/// What `Placement` decides, done: who may start, who waits, who gives back.
extension Supervisor {
    /// Asks for what the actor of a slot needs, which it keeps from its first life to its end. False when it is not
    /// there: then the slot goes on when it is, or has ended.
    func hasResources(_ shard: ShardNumber, _ hosted: Hosted) -> Bool {
        guard let record = registry.records[hosted.actor] else { return true }
        guard placement.holdings[record.id] == nil else { return true }
        let outcome = placement.request(request(of: record))
        return carryOut(outcome, of: record)
    }

    /// An actor has ended or sleeps: others get what it held.
    func releaseResources(of id: ActorID) {
        callerNodes[id] = nil
        localBytes[id] = nil
        let isNoted = registry.records[id].map { $0.holding != nil || $0.waitsFor != nil } ?? false
        guard isNoted || placement.holdings[id] != nil || placement.isWaiting(id) else { return }
        placement.release(id)
        notePlacementGroups()
        let updated = registry.update(id) {
            $0.holding = nil
            $0.waitsFor = nil
        }
        if let updated, updated.ended == nil {
            changes.records.append(updated)
            persistSoon()
        }
        placeWaitingSoon()
    }

    /// Starts those that can be placed now, on the loop's next round: releases come in the middle of other decisions.
    func placeWaitingSoon() {
        guard !isPlacing, placement.hasWaiting else { return }
        isPlacing = true
        loop.execute { [self] in
            isPlacing = false
            placeWaiting()
            endIfUnused()
        }
    }

    /// Takes over what the actors of a former supervisor's time hold.
    func restoreHoldings() {
        for record in registry.records.values where record.ended == nil {
            if let holding = record.holding { placement.restore(holding, of: record.id) }
        }
    }

    /// The node of whoever creates an actor.
    func callerNode(of owner: Owner) -> String? {
        switch owner {
        case .driver: NodeDeclaration.headName
        case .actor(let id): registry.records[id].flatMap { placement.holdings[$0.group ?? id]?.node }
        case .detached: nil
        }
    }

    /// The nodes of processes. A driver is on the head node.
    func bytesByNode(_ bytes: [Int32: Int]) -> [String: Int] {
        var nodes: [Int32: String] = [:]
        for record in registry.records.values {
            guard let pid = record.worker?.pid, bytes[pid] != nil else { continue }
            nodes[pid] = placement.holdings[record.group ?? record.id]?.node
        }
        return bytes.reduce(into: [:]) { $0[nodes[$1.key] ?? NodeDeclaration.headName, default: 0] += $1.value }
    }

    /// Whether somebody runs, or will without anybody's doing.
    func isUsed(_ hosted: Hosted) -> Bool {
        hosted.worker != nil || hosted.slot.isRunning && !placement.isWaiting(hosted.actor)
    }

    /// What a worker has to find in its environment: the GPUs of its actor, and no others of the node.
    func environment(for record: ActorRecord) -> [String: String]? {
        guard let holding = record.holding, let node = placement.node(holding.node), node.hasDevices else { return nil }
        return [MachineResources.visibleDevices: holding.share.devices.map(\.device).joined(separator: ",")]
    }

    private func placeWaiting() {
        guard !isEnding else { return }
        for (id, outcome) in placement.settle() {
            guard let record = registry.records[id], let hosted = hosted[record.shard] else {
                placement.release(id)
                continue
            }
            if carryOut(outcome, of: record), hosted.slot.isRunning { waiting.append(record.shard) }
        }
        notePlacementGroups()
        noteWaits()
        assignWaiting()
    }

    private func carryOut(_ outcome: Placement.OnRequest, of record: ActorRecord) -> Bool {
        switch outcome {
        case .placed(let holding):
            if !holding.share.isEmpty { unstoredHoldings.insert(record.id) }
            change(record.id) {
                $0.holding = holding
                $0.waitsFor = nil
            }
            return true
        case .waits(let reason):
            change(record.id) { $0.waitsFor = reason }
            return false
        case .impossible(let reason):
            guard let hosted = hosted[record.shard] else { return false }
            let incarnation = hosted.slot.incarnation
            perform(hosted.slot.refused(incarnation, cause: .unschedulable(message: reason)), on: record.shard)
            return false
        }
    }

    /// What somebody waits for can become more, or less: nodes come and go.
    private func noteWaits() {
        for (id, reason) in placement.waits where registry.records[id]?.waitsFor != reason {
            change(id) { $0.waitsFor = reason }
        }
    }

    private func change(_ id: ActorID, _ change: (inout ActorRecord) -> Void) {
        guard let updated = registry.update(id, change) else { return }
        changes.records.append(updated)
        persistSoon()
    }

    func request(of record: ActorRecord) -> Placement.Request {
        // Options that cannot be read as a demand were stored by a newer build: such an actor is placed like any other.
        let demand = (try? ResourceDemand(record.options.resources)) ?? ResourceDemand.usual
        return Placement.Request(
            actor: record.id,
            demand: demand,
            strategy: record.options.scheduling ?? .default,
            callerNode: callerNodes.removeValue(forKey: record.id),
            localBytes: localBytes.removeValue(forKey: record.id) ?? [:]
        )
    }
}
