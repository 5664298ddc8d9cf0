/// How the bundles of a placement group are put on nodes. Ray: `PACK` and so on.
public enum PlacementStrategy: String, Sendable, Hashable, Codable {
    /// On as few nodes as possible.
    case pack
    /// On as many nodes as possible.
    case spread
    /// On one node, or nowhere.
    case strictPack
    /// Each on another node, or nowhere.
    case strictSpread
}

/// What a bundle has of its node.
package struct BundleReservation: Sendable, Hashable, Codable {
    package var node: String
    package var share: ResourceShare

    package init(node: String, share: ResourceShare) {
        self.node = node
        self.share = share
    }
}

/// What is kept of a placement group: what was asked for and what is reserved.
package struct PlacementGroupRecord: Sendable, Hashable, Codable {
    package let id: PlacementGroupID
    package let name: String?
    package let namespace: String
    package let strategy: PlacementStrategy
    package let bundles: [ResourceSet]
    /// Who it ends with.
    package let owner: Owner
    /// For each bundle; `nil` while it has nothing.
    package internal(set) var reservations: [BundleReservation?]
    /// Whether all bundles were reserved at one time.
    package internal(set) var wasCreated = false

    /// - Throws: ``ActorError`` with `invalidArgument`.
    package init(
        id: PlacementGroupID,
        name: String?,
        namespace: String,
        strategy: PlacementStrategy,
        bundles: [Resources],
        owner: Owner
    ) throws(ActorError) {
        if let name { try ActorOptions.validate(name, as: "a placement group's name") }
        try ActorOptions.validate(namespace, as: "namespace")
        guard !bundles.isEmpty, bundles.count <= Limits.bundlesMax else {
            let allowed = "allowed are 1 to \(Limits.bundlesMax)"
            throw ActorError(.invalidArgument, "a placement group of \(bundles.count) bundles; \(allowed)")
        }
        var amounts: [ResourceSet] = []
        for (index, bundle) in bundles.enumerated() {
            let set = try bundle.amounts()
            guard !set.isEmpty else {
                throw ActorError(.invalidArgument, "bundle \(index) asks for nothing; give it some resource")
            }
            amounts.append(set)
        }
        self.id = id
        self.name = name
        self.namespace = namespace
        self.strategy = strategy
        self.bundles = amounts
        self.owner = owner
        reservations = Array(repeating: nil, count: bundles.count)
    }

    /// What a wish asks for.
    /// - Throws: ``ActorError`` with `invalidArgument`.
    package init(_ wish: PlacementGroupWish) throws(ActorError) {
        try self.init(
            id: wish.id,
            name: wish.name,
            namespace: wish.namespace,
            strategy: wish.strategy,
            bundles: wish.bundles,
            owner: wish.owner
        )
    }

    /// The bundles that have nothing.
    var missing: [Int] { bundles.indices.filter { reservations[$0] == nil } }
}

/// A placement group in a list.
public struct PlacementGroupSummary: Sendable, Hashable, Codable {
    /// Where a placement group stands.
    public enum State: String, Sendable, Hashable, Codable {
        /// Not all of its bundles fit yet, so none is reserved.
        case pending
        /// All bundles are reserved.
        case created
        /// It was created, and a node with some of its bundles was lost; they wait for another one.
        case rescheduling
        /// It is removed, and its actors are not all gone yet.
        case removed
    }

    /// A bundle of it.
    public struct Bundle: Sendable, Hashable, Codable {
        /// What it asks for, by the resource's name.
        public var resources: [String: Double]
        /// The node that it is reserved on.
        public var node: String?
        /// What of it no actor holds.
        public var available: [String: Double]
    }

    /// Its identity.
    public var id: PlacementGroupID
    /// The name it is found under.
    public var name: String?
    /// The scope of the name.
    public var namespace: String
    /// How its bundles are put on nodes.
    public var strategy: PlacementStrategy
    /// Where it stands.
    public var state: State
    /// Its bundles.
    public var bundles: [Bundle]
    /// What it waits for, if it does.
    public var waitsFor: String?
}
