/// Where an actor is put, of the nodes that have room for it.
public enum SchedulingStrategy: Sendable, Hashable, Codable {
    /// The node of whoever creates it, or else the one that is used least. Ray: `DEFAULT`.
    case `default`
    /// The node with the fewest actors of this strategy. Ray: `SPREAD`.
    case spread
    /// The node of this name: a `soft` wish allows another one when it is gone, or too small. Ray:
    /// `NodeAffinitySchedulingStrategy`.
    case node(String, soft: Bool)

    func validate() throws(ActorError) {
        if case .node(let name, _) = self { try ActorOptions.validate(name, as: "scheduling's node") }
    }
}
