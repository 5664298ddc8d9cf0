/// Nodes that come, are drained and go.
extension Placement {
    /// The node of this name.
    package func node(_ name: String) -> Node? { nodes.first { $0.name == name } }

    /// A node is there. False when there is one of this name already.
    @discardableResult
    package mutating func add(_ declaration: NodeDeclaration) -> Bool {
        guard node(declaration.name) == nil else { return false }
        nodes.append(Node(declaration, order: nodesEver))
        nodesEver += 1
        return true
    }

    /// A node takes nobody new any more.
    /// - Returns: Who is on it.
    package mutating func drain(_ name: String) -> [ActorID] {
        guard let index = index(of: name) else { return [] }
        nodes[index].isDraining = true
        return actors(on: name)
    }

    /// A node is gone, and nobody holds anything of it any more.
    /// - Returns: Who did.
    package mutating func remove(_ name: String) -> [ActorID] {
        let lost = actors(on: name)
        for actor in lost {
            if let bundle = holdings.removeValue(forKey: actor)?.bundle { groups[bundle.placementGroup]?.users -= 1 }
        }
        nodes.removeAll { $0.name == name }
        loseBundles(on: name)
        return lost
    }

    /// Those who are placed on a node.
    package func actors(on name: String) -> [ActorID] {
        holdings.filter { $0.value.node == name }.map(\.key).sorted()
    }

    func index(of name: String) -> Int? { nodes.firstIndex { $0.name == name } }
}
