/// Where an actor is put, of the nodes that have room for it.
public enum SchedulingStrategy: Sendable, Hashable, Codable {
    /// The node of whoever creates it, or else the one that is used least. Ray: `DEFAULT`.
    case `default`
    /// The node with the fewest actors of this strategy. Ray: `SPREAD`.
    case spread
    /// The node of this name: a `soft` wish allows another one when it is gone, or too small. Ray:
    /// `NodeAffinitySchedulingStrategy`.
    case node(String, soft: Bool)
    /// A bundle of a placement group, or any one that has room. With `capturesChildren`, actors that such an actor
    /// creates are in the placement group too, unless their options name a strategy. Ray:
    /// `PlacementGroupSchedulingStrategy`.
    case placementGroup(PlacementGroupID, bundle: Int?, capturesChildren: Bool)

    func validate() throws(ActorError) {
        switch self {
        case .node(let name, _): try ActorOptions.validate(name, as: "scheduling's node")
        case .placementGroup(_, let bundle?, _) where bundle < 0:
            throw ActorError(.invalidArgument, "scheduling's bundle is \(bundle); bundles are numbered from 0")
        default: break
        }
    }
}
