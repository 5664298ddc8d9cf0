/// What may be asked about nodes.
package enum NodeRequest: Sendable, Hashable, Codable {
    /// There is one more.
    case add(NodeDeclaration)
    /// It takes nobody new, and those who may move do.
    case drain(String)
    /// It dies, with all of its workers.
    case kill(String)
    /// All of them.
    case list
}

/// A node in a list.
public struct NodeSummary: Sendable, Hashable, Codable {
    /// Its name.
    public var name: String
    /// What it has, by the resource's name.
    public var resources: [String: Double]
    /// What of it nobody holds.
    public var available: [String: Double]
    /// How many actors are placed on it.
    public var actors: Int
    /// Whether it takes no new actors.
    public var isDraining: Bool

    package init(_ node: Node) {
        name = node.name
        resources = node.total.values
        available = node.pool.available.values
        actors = node.actors
        isDraining = node.isDraining
    }
}
