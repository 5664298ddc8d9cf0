/// Placement groups: resources that are reserved together, for actors that come later.
extension Placement {
    /// A placement group and what its actors have left of it.
    struct Reserved: Sendable {
        var record: PlacementGroupRecord
        /// What is free of each bundle.
        var pools: [ResourcePool?]
        /// Actors that hold something of it.
        var users = 0
        var isRemoved = false
    }

    /// A placement group is wanted; `settle` reserves it. False when it is there already.
    package mutating func add(_ record: PlacementGroupRecord) -> Bool {
        guard groups[record.id] == nil else { return false }
        groups[record.id] = Reserved(record: record, pools: Array(repeating: nil, count: record.bundles.count))
        waiting.append(.placementGroup(record.id))
        return true
    }

    /// A placement group of a former supervisor's time has its reservations still, unless their nodes are gone.
    package mutating func restore(_ record: PlacementGroupRecord) {
        guard groups[record.id] == nil else { return }
        var reserved = Reserved(record: record, pools: Array(repeating: nil, count: record.bundles.count))
        for (index, reservation) in record.reservations.enumerated() {
            guard let reservation else { continue }
            if let node = self.index(of: reservation.node) {
                nodes[node].pool.take(reservation.share)
                reserved.pools[index] = ResourcePool(reservation.share)
            } else {
                reserved.record.reservations[index] = nil
            }
        }
        groups[record.id] = reserved
        if !reserved.record.missing.isEmpty { waiting.append(.placementGroup(record.id)) }
    }

    /// A placement group is not wanted any more: nobody new gets anything of it, and once nobody holds anything of it
    /// its resources are free.
    /// - Returns: Who holds something of it, or waits for it.
    package mutating func remove(_ id: PlacementGroupID) -> [ActorID] {
        guard groups[id] != nil else { return [] }
        groups[id]?.isRemoved = true
        waiting.removeAll { $0 == .placementGroup(id) }
        let holders = holdings.filter { $0.value.bundle?.placementGroup == id }.map(\.key)
        let others = waiting.compactMap { waiter -> ActorID? in
            guard case .actor(let request) = waiter, case .placementGroup(id, _, _) = request.strategy else {
                return nil
            }
            return request.actor
        }
        changedGroups.insert(id)
        freeIfUnused(id)
        return (holders + others).sorted()
    }

    /// The placement groups whose records are others now, and those that are gone.
    package mutating func takeChangedGroups() -> [(id: PlacementGroupID, record: PlacementGroupRecord?)] {
        defer { changedGroups = [] }
        return changedGroups.sorted().map { id in
            (id, groups[id].flatMap { $0.isRemoved ? nil : $0.record })
        }
    }

    package func placementGroup(_ id: PlacementGroupID) -> PlacementGroupRecord? { groups[id]?.record }

    /// The one that has this name and is not being removed.
    package func placementGroup(named name: String, namespace: String) -> PlacementGroupRecord? {
        groups.values.first { $0.record.name == name && $0.record.namespace == namespace && !$0.isRemoved }?.record
    }

    /// Those that end with an owner.
    package func placementGroups(ownedBy owner: Owner) -> [PlacementGroupID] {
        groups.values.filter { $0.record.owner == owner && !$0.isRemoved }.map(\.record.id).sorted()
    }

    /// All of them.
    package var placementGroups: [PlacementGroupID] { groups.keys.sorted() }

    /// How a placement group shows in a list.
    package func summary(of id: PlacementGroupID) -> PlacementGroupSummary? {
        guard let reserved = groups[id] else { return nil }
        let record = reserved.record
        let isWaiting = !reserved.isRemoved && !record.missing.isEmpty
        let state: PlacementGroupSummary.State =
            if reserved.isRemoved { .removed } else if !isWaiting { .created } else {
                record.wasCreated ? .rescheduling : .pending
            }
        return PlacementGroupSummary(
            id: id,
            name: record.name,
            namespace: record.namespace,
            strategy: record.strategy,
            state: state,
            bundles: record.bundles.indices.map { index in
                PlacementGroupSummary.Bundle(
                    resources: record.bundles[index].values,
                    node: record.reservations[index]?.node,
                    available: reserved.pools[index]?.available.values ?? [:]
                )
            },
            waitsFor: isWaiting ? reason(for: reserved) : nil
        )
    }

    /// Reserves what a placement group misses, all of it or nothing.
    mutating func reserve(_ id: PlacementGroupID) -> Bool {
        guard var reserved = groups[id], !reserved.isRemoved, let choices = choices(for: reserved) else { return false }
        for choice in choices {
            nodes[choice.node].pool.take(choice.share)
            reserved.record.reservations[choice.bundle] = BundleReservation(
                node: nodes[choice.node].name,
                share: choice.share
            )
            reserved.pools[choice.bundle] = ResourcePool(choice.share)
        }
        reserved.record.wasCreated = true
        groups[id] = reserved
        changedGroups.insert(id)
        return true
    }

    /// The bundle for a request, and what of it.
    func bundle(for request: Request) -> (name: BundleName, share: ResourceShare)? {
        guard case .placementGroup(let id, let index, _) = request.strategy, let reserved = groups[id],
            !reserved.isRemoved
        else { return nil }
        for index in index.map({ [$0] }) ?? Array(reserved.pools.indices) {
            guard let pool = reserved.pools[index], pool.share(for: request.demand.placement) != nil,
                let share = pool.share(for: request.demand.held)
            else { continue }
            return (BundleName(placementGroup: id, index: index), share)
        }
        return nil
    }

    /// Why nothing of a placement group can ever meet a request.
    func obstacle(to request: Request, in id: PlacementGroupID, bundle index: Int?) -> String? {
        guard let reserved = groups[id], !reserved.isRemoved else { return "its placement group was removed" }
        let bundles = reserved.record.bundles
        if let index, !bundles.indices.contains(index) {
            return "its placement group has the bundles 0 to \(bundles.count - 1), and no bundle \(index)"
        }
        let meant = index.map { [bundles[$0]] } ?? bundles
        guard !meant.contains(where: { $0.covers(request.demand.placement) }) else { return nil }
        return index == nil
            ? "it needs \(request.demand.placement), and no bundle of its placement group has that"
            : "it needs \(request.demand.placement), and its bundle has \(meant[0])"
    }

    /// A holding of a placement group ends.
    mutating func put(_ holding: Holding, into name: BundleName) {
        groups[name.placementGroup]?.pools[name.index]?.put(holding.share)
        groups[name.placementGroup]?.users -= 1
        freeIfUnused(name.placementGroup)
    }

    /// A node is gone: the bundles on it are lost, and wait before all others.
    mutating func loseBundles(on node: String) {
        for id in placementGroups {
            guard var reserved = groups[id] else { continue }
            let lost = reserved.pools.indices.filter { reserved.record.reservations[$0]?.node == node }
            guard !lost.isEmpty else { continue }
            for index in lost {
                reserved.record.reservations[index] = nil
                reserved.pools[index] = nil
            }
            groups[id] = reserved
            changedGroups.insert(id)
            if reserved.isRemoved {
                freeIfUnused(id)
            } else if !waiting.contains(.placementGroup(id)) {
                waiting.insert(.placementGroup(id), at: 0)
            }
        }
    }

    private mutating func freeIfUnused(_ id: PlacementGroupID) {
        guard let reserved = groups[id], reserved.isRemoved, reserved.users == 0 else { return }
        for case let reservation? in reserved.record.reservations {
            if let node = index(of: reservation.node) { nodes[node].pool.put(reservation.share) }
        }
        groups[id] = nil
        changedGroups.insert(id)
    }

    private func choices(for reserved: Reserved, isWhole: Bool = false) -> [BundleSearch.Choice]? {
        let record = reserved.record
        let counts = nodes.map { node in record.reservations.count { $0?.node == node.name } }
        var search = BundleSearch(nodes, counts: counts, isWhole: isWhole)
        let bundles = record.missing.map { (index: $0, resources: record.bundles[$0]) }
        return search.choices(for: bundles, record.strategy)
    }

    private func reason(for reserved: Reserved) -> String {
        let missing = reserved.record.missing.map { "\(reserved.record.bundles[$0])" }.joined(separator: "; ")
        let isFeasible = choices(for: reserved, isWhole: true) != nil
        return "bundles of \(missing), which the nodes have not \(isFeasible ? "free" : "at all") in this way"
    }
}
