internal import DurableCore
internal import DurableTransport

/// Placement groups: reserved, waited for and removed.
extension Supervisor {
    func perform(_ request: PlacementGroupRequest, _ answer: @escaping @Sendable (SupervisorResponse) -> Void) {
        switch request {
        case .create(let wish):
            do throws(ActorError) {
                answer(.placementGroups([try create(wish)]))
            } catch {
                answer(.failed(error))
            }
        case .wait(let id, let milliseconds):
            wait(for: id, milliseconds, answer)
        case .remove(let id):
            removePlacementGroup(id) { answer(.done) }
        case .lookup(let name, let namespace):
            let found = placement.placementGroup(named: name, namespace: namespace)
            guard let summary = found.flatMap({ placement.summary(of: $0.id) }) else {
                let message = "there is no placement group \"\(name)\" in namespace \"\(namespace)\""
                return answer(.failed(ActorError(.notFound, message)))
            }
            answer(.placementGroups([summary]))
        case .list:
            answer(.placementGroups(placement.placementGroups.compactMap(placement.summary)))
        }
    }

    /// Takes over the placement groups of a former supervisor's time.
    func restorePlacementGroups() throws {
        for record in try store.placementGroups() { placement.restore(record) }
    }

    /// Ends what nobody owns any more, and what was being removed when the former supervisor ended.
    func sweepPlacementGroups() {
        let orphans = placement.placementGroups.filter { id in
            switch placement.placementGroup(id)?.owner {
            case .detached: false
            case .driver(let driver): drivers[driver] == nil
            case .actor(let actor): registry.records[actor].map { $0.ended != nil } ?? true
            case nil: true
            }
        }
        for id in orphans { removePlacementGroup(id) }
        let homeless = registry.records.values.filter { record in
            guard record.ended == nil, let bundle = record.holding?.bundle else { return false }
            return placement.placementGroup(bundle.placementGroup) == nil
        }
        endActors(homeless.map(\.id), because: .placementGroupRemoved)
        placeWaitingSoon()
    }

    /// Removes what an owner leaves behind.
    func removePlacementGroups(ownedBy owner: Owner) {
        for id in placement.placementGroups(ownedBy: owner) { removePlacementGroup(id) }
    }

    /// Stores what has become of placement groups, and tells those who wait for it.
    func notePlacementGroups() {
        for (id, record) in placement.takeChangedGroups() {
            changes.placement.append(record.map { .group($0) } ?? .groupGone(id))
            persistSoon()
            guard record == nil || placement.summary(of: id)?.state == .created else { continue }
            for waiter in placementGroupWaiters.removeValue(forKey: id) ?? [] { waiter() }
        }
    }

    /// The placement group of the actor that creates another one, if that is to be in it too.
    func captured(_ request: CreateRequest) -> CreateRequest {
        guard request.options.scheduling == nil, request.options.isolation == .dedicated,
            case .actor(let parent) = request.owner,
            case .placementGroup(let id, _, true)? = registry.records[parent]?.options.scheduling
        else { return request }
        var request = request
        request.options.scheduling = .placementGroup(id, bundle: nil, capturesChildren: true)
        return request
    }

    /// Why an actor that was just created can never be in the placement group that it asks for.
    func placementGroupObstacle(to record: ActorRecord) -> ActorError? {
        guard case .placementGroup? = record.options.scheduling,
            let obstacle = placement.obstacle(to: request(of: record))
        else { return nil }
        return ActorError(.invalidArgument, "the actor cannot be placed: \(obstacle)")
    }

    private func create(_ wish: PlacementGroupWish) throws(ActorError) -> PlacementGroupSummary {
        if let known = placement.summary(of: wish.id) { return known }
        let record = try PlacementGroupRecord(wish)
        guard placement.placementGroups.count < Limits.placementGroupsMax else {
            let message = "there are \(Limits.placementGroupsMax) placement groups, the most that there may be"
            throw ActorError(.limitExceeded, message + "; remove one first")
        }
        if let name = wish.name, placement.placementGroup(named: name, namespace: wish.namespace) != nil {
            let message = "the name \"\(name)\" in namespace \"\(wish.namespace)\" belongs to a placement group"
            throw ActorError(.nameTaken, message + "; remove it first, or find it by its name")
        }
        if case .actor(let id) = wish.owner, registry.records[id].map({ $0.ended != nil }) ?? true {
            throw ActorError(.died, "the actor that was to own the placement group has ended")
        }
        _ = placement.add(record)
        changes.placement.append(.group(record))
        if let error = persist() {
            _ = placement.remove(record.id)
            notePlacementGroups()
            throw error
        }
        placeWaitingSoon()
        guard let summary = placement.summary(of: record.id) else {
            throw ActorError(.internalError, "the placement group is not known")
        }
        return summary
    }

    private func wait(
        for id: PlacementGroupID,
        _ milliseconds: Int64?,
        _ answer: @escaping @Sendable (SupervisorResponse) -> Void
    ) {
        let answerNow = { [self] in
            guard let summary = placement.summary(of: id), summary.state != .removed else {
                return answer(.failed(ActorError(.notFound, "the placement group \(id) was removed")))
            }
            answer(.placementGroups([summary]))
        }
        guard let state = placement.summary(of: id)?.state, state == .pending || state == .rescheduling else {
            return answerNow()
        }
        let once = OnceFlag()
        let box = LoopConfined(value: { if once.take() { answerNow() } })
        placementGroupWaiters[id, default: []].append(box.value)
        guard let milliseconds else { return }
        loop.schedule(after: .milliseconds(milliseconds)) { box.value() }
    }

    /// Removes a placement group and kills its actors for good. An unknown one is removed already.
    private func removePlacementGroup(_ id: PlacementGroupID, _ done: @escaping () -> Void = {}) {
        let users = placement.remove(id).filter { registry.records[$0]?.ended == nil }
        notePlacementGroups()
        // Whoever is told finds it so also under the next supervisor.
        persist()
        let remaining = Countdown(users.count, done)
        for id in users {
            guard let record = registry.records[id], hosting(record).worker != nil else {
                endActors([id], because: .placementGroupRemoved)
                remaining.step()
                continue
            }
            let hosted = hosting(record)
            hosted.waiters.append((hosted.slot.incarnation, { remaining.step() }))
            endActors([id], because: .placementGroupRemoved)
        }
        placeWaitingSoon()
    }
}
