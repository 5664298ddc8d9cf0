/// Which node each actor is on and what it holds there, and who waits for what. Pure; its driver starts the workers.
///
/// An actor holds its resources from its placement to its end, over all of its lives. Who waits is placed as soon as a
/// node has room, in the order of asking: of those who need the same, nobody is overtaken. Those who need something
/// else may be, as in Ray.
package struct Placement: Sendable {
    /// An actor's wish for a place.
    package struct Request: Sendable, Hashable {
        package let actor: ActorID
        package let demand: ResourceDemand
        package let strategy: SchedulingStrategy
        /// The node of whoever creates it.
        package var callerNode: String?
        /// The bytes of its arguments that are on nodes already.
        package var localBytes: [String: Int]

        package init(
            actor: ActorID,
            demand: ResourceDemand,
            strategy: SchedulingStrategy = .default,
            callerNode: String? = nil,
            localBytes: [String: Int] = [:]
        ) {
            self.actor = actor
            self.demand = demand
            self.strategy = strategy
            self.callerNode = callerNode
            self.localBytes = localBytes
        }

        var shape: Shape { Shape(demand: demand, strategy: strategy) }
    }

    /// What makes two requests equally hard to meet.
    struct Shape: Sendable, Hashable {
        let demand: ResourceDemand
        let strategy: SchedulingStrategy
    }

    /// What an actor has, and where.
    package struct Holding: Sendable, Hashable, Codable {
        package var node: String
        package var share: ResourceShare
        /// Whether it counts for those who are to be spread.
        package var isSpread: Bool
        /// The bundle that the share is of; `nil` when it is the node's.
        package var bundle: BundleName?

        package init(node: String, share: ResourceShare, isSpread: Bool = false, bundle: BundleName? = nil) {
            self.bundle = bundle
            self.node = node
            self.share = share
            self.isSpread = isSpread
        }
    }

    /// A bundle of a placement group.
    package struct BundleName: Sendable, Hashable, Codable {
        package var placementGroup: PlacementGroupID
        package var index: Int

        package init(placementGroup: PlacementGroupID, index: Int) {
            self.placementGroup = placementGroup
            self.index = index
        }
    }

    /// Who waits.
    enum Waiter: Sendable, Hashable {
        case actor(Request)
        case placementGroup(PlacementGroupID)
    }

    /// The outcome of asking.
    package enum OnRequest: Sendable, Hashable {
        /// It has its resources, and may be started.
        case placed(Holding)
        /// It has to wait for this; `settle` tells when it is placed.
        case waits(String)
        /// It can never be placed, because of this.
        case impossible(String)
    }

    /// Those that are there, in the order of their coming.
    package internal(set) var nodes: [Node] = []
    package internal(set) var holdings: [ActorID: Holding] = [:]
    var groups: [PlacementGroupID: Reserved] = [:]
    var changedGroups: Set<PlacementGroupID> = []
    /// Oldest first.
    var waiting: [Waiter] = []
    private var waitingShapes: [Shape: Int] = [:]
    var nodesEver = 0

    package init(_ declarations: [NodeDeclaration]) {
        for declaration in declarations { add(declaration) }
    }

    /// An actor of a former supervisor's time has this still. False when its node is gone.
    @discardableResult
    package mutating func restore(_ holding: Holding, of actor: ActorID) -> Bool {
        guard holdings[actor] == nil, let index = index(of: holding.node) else { return false }
        if let name = holding.bundle {
            guard let reserved = groups[name.placementGroup], reserved.pools.indices.contains(name.index),
                reserved.record.reservations[name.index]?.node == holding.node
            else { return false }
            groups[name.placementGroup]?.pools[name.index]?.take(holding.share)
            groups[name.placementGroup]?.users += 1
        } else {
            nodes[index].pool.take(holding.share)
        }
        note(holding, of: actor, at: index)
        return true
    }

    /// An actor asks for its resources. What it holds it keeps, and where it waits it goes on waiting.
    package mutating func request(_ request: Request) -> OnRequest {
        if let holding = holdings[request.actor] { return .placed(holding) }
        if isWaiting(request.actor) { return .waits(reason(for: request)) }
        if let obstacle = obstacle(to: request) { return .impossible(obstacle) }
        if waitingShapes[request.shape] == nil, let holding = place(request) { return .placed(holding) }
        waiting.append(.actor(request))
        waitingShapes[request.shape, default: 0] += 1
        return .waits(reason(for: request))
    }

    /// An actor ended, or gives up its place: what it held is free, what it waited for is not wanted any more.
    package mutating func release(_ actor: ActorID) {
        if isWaiting(actor) {
            waiting.removeAll { if case .actor(let request) = $0 { request.actor == actor } else { false } }
            countShapes()
        }
        guard let holding = holdings.removeValue(forKey: actor), let index = index(of: holding.node) else { return }
        nodes[index].actors -= 1
        if holding.isSpread { nodes[index].spreadActors -= 1 }
        if let name = holding.bundle {
            put(holding, into: name)
        } else {
            nodes[index].pool.put(holding.share)
        }
    }

    /// Places everyone who waits and can be placed now, actors and placement groups. To be called when something was
    /// released or wanted, or a node came or went.
    package mutating func settle() -> [(actor: ActorID, outcome: OnRequest)] {
        var settled: [(ActorID, OnRequest)] = []
        var reserved: Set<PlacementGroupID> = []
        var blocked: Set<Shape> = []
        for waiter in waiting {
            guard case .actor(let request) = waiter else {
                if case .placementGroup(let id) = waiter, reserve(id) { reserved.insert(id) }
                continue
            }
            guard !blocked.contains(request.shape) else { continue }
            let outcome: OnRequest
            if let obstacle = obstacle(to: request) {
                outcome = .impossible(obstacle)
            } else if let holding = place(request) {
                outcome = .placed(holding)
            } else {
                blocked.insert(request.shape)
                continue
            }
            settled.append((request.actor, outcome))
        }
        guard !settled.isEmpty || !reserved.isEmpty else { return [] }
        let gone = Set(settled.map(\.0))
        waiting.removeAll { waiter in
            switch waiter {
            case .actor(let request): gone.contains(request.actor)
            case .placementGroup(let id): reserved.contains(id)
            }
        }
        countShapes()
        return settled
    }

    /// What everyone who waits is waiting for, oldest first.
    package var waits: [(actor: ActorID, reason: String)] {
        // Many wait for the same.
        var reasons: [Shape: String] = [:]
        return waiting.compactMap { waiter in
            guard case .actor(let request) = waiter else { return nil }
            let reason = reasons[request.shape] ?? reason(for: request)
            reasons[request.shape] = reason
            return (request.actor, reason)
        }
    }

    package var hasWaiting: Bool { !waiting.isEmpty }

    package func isWaiting(_ actor: ActorID) -> Bool {
        waiting.contains { if case .actor(let request) = $0 { request.actor == actor } else { false } }
    }

    private mutating func countShapes() {
        waitingShapes = [:]
        for case .actor(let request) in waiting { waitingShapes[request.shape, default: 0] += 1 }
    }

    private mutating func place(_ request: Request) -> Holding? {
        if let (name, share) = bundle(for: request),
            let node = groups[name.placementGroup]?.record.reservations[name.index]?.node, let index = index(of: node)
        {
            groups[name.placementGroup]?.pools[name.index]?.take(share)
            groups[name.placementGroup]?.users += 1
            let holding = Holding(node: node, share: share, bundle: name)
            note(holding, of: request.actor, at: index)
            return holding
        }
        guard let index = choice(for: request), let share = nodes[index].pool.take(request.demand.held) else {
            return nil
        }
        let holding = Holding(node: nodes[index].name, share: share, isSpread: request.strategy == .spread)
        note(holding, of: request.actor, at: index)
        return holding
    }

    private mutating func note(_ holding: Holding, of actor: ActorID, at index: Int) {
        holdings[actor] = holding
        nodes[index].actors += 1
        if holding.isSpread { nodes[index].spreadActors += 1 }
    }
}
