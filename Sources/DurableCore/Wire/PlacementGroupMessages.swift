/// A wish for a placement group.
package struct PlacementGroupWish: Sendable, Hashable, Codable {
    package var id: PlacementGroupID
    package var name: String?
    package var namespace: String
    package var strategy: PlacementStrategy
    package var bundles: [Resources]
    package var owner: Owner

    package init(
        id: PlacementGroupID,
        name: String?,
        namespace: String,
        strategy: PlacementStrategy,
        bundles: [Resources],
        owner: Owner
    ) {
        self.id = id
        self.name = name
        self.namespace = namespace
        self.strategy = strategy
        self.bundles = bundles
        self.owner = owner
    }
}

/// What may be asked about placement groups.
package enum PlacementGroupRequest: Sendable, Hashable, Codable {
    /// There is to be one more.
    case create(PlacementGroupWish)
    /// Answered when it is created, or after so many milliseconds with where it stands then.
    case wait(PlacementGroupID, milliseconds: Int64?)
    /// It ends, with its actors.
    case remove(PlacementGroupID)
    /// The one of this name.
    case lookup(name: String, namespace: String)
    /// All of them.
    case list
}
