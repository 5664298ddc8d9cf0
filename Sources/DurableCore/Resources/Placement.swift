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

        package init(node: String, share: ResourceShare, isSpread: Bool = false) {
            self.node = node
            self.share = share
            self.isSpread = isSpread
        }
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
    /// Oldest first.
    private(set) var waiting: [Request] = []
    private var waitingShapes: [Shape: Int] = [:]
    var nodesEver = 0

    package init(_ declarations: [NodeDeclaration]) {
        for declaration in declarations { add(declaration) }
    }

    /// An actor of a former supervisor's time has this still. False when its node is gone.
    @discardableResult
    package mutating func restore(_ holding: Holding, of actor: ActorID) -> Bool {
        guard holdings[actor] == nil, let index = index(of: holding.node) else { return false }
        nodes[index].pool.take(holding.share)
        note(holding, of: actor, at: index)
        return true
    }

    /// An actor asks for its resources. What it holds it keeps, and where it waits it goes on waiting.
    package mutating func request(_ request: Request) -> OnRequest {
        if let holding = holdings[request.actor] { return .placed(holding) }
        if isWaiting(request.actor) { return .waits(reason(for: request)) }
        if let obstacle = obstacle(to: request) { return .impossible(obstacle) }
        if waitingShapes[request.shape] == nil, let holding = place(request) { return .placed(holding) }
        waiting.append(request)
        waitingShapes[request.shape, default: 0] += 1
        return .waits(reason(for: request))
    }

    /// An actor ended, or gives up its place: what it held is free, what it waited for is not wanted any more.
    package mutating func release(_ actor: ActorID) {
        if let index = waiting.firstIndex(where: { $0.actor == actor }) { dequeue(at: index) }
        guard let holding = holdings.removeValue(forKey: actor), let index = index(of: holding.node) else { return }
        nodes[index].pool.put(holding.share)
        nodes[index].actors -= 1
        if holding.isSpread { nodes[index].spreadActors -= 1 }
    }

    /// Places everyone who waits and can be placed now. To be called when something was released or a node came or went.
    package mutating func settle() -> [(actor: ActorID, outcome: OnRequest)] {
        var settled: [(ActorID, OnRequest)] = []
        var blocked: Set<Shape> = []
        let asking = waiting
        for request in asking where !blocked.contains(request.shape) {
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
        guard !settled.isEmpty else { return [] }
        let gone = Set(settled.map(\.0))
        waiting.removeAll { gone.contains($0.actor) }
        waitingShapes = Dictionary(waiting.map { ($0.shape, 1) }, uniquingKeysWith: +)
        return settled
    }

    /// What everyone who waits is waiting for, oldest first.
    package var waits: [(actor: ActorID, reason: String)] { waiting.map { ($0.actor, reason(for: $0)) } }

    package var hasWaiting: Bool { !waiting.isEmpty }

    package func isWaiting(_ actor: ActorID) -> Bool { waiting.contains { $0.actor == actor } }

    private mutating func dequeue(at index: Int) {
        let shape = waiting.remove(at: index).shape
        waitingShapes[shape, default: 1] -= 1
        if waitingShapes[shape] == 0 { waitingShapes[shape] = nil }
    }

    private mutating func place(_ request: Request) -> Holding? {
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
