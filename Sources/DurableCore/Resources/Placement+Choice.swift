/// Which node it is to be, and why none.
extension Placement {
    /// The node for a request, of those that have room now.
    func choice(for request: Request) -> Int? {
        let fitting = nodes.indices.filter { hasRoom(nodes[$0], for: request.demand) }
        switch request.strategy {
        case .node(let name, _):
            guard let wanted = usable(name, for: request.demand) else { return preferred(fitting, request) }
            // Who wants a node that is only busy waits for it.
            return fitting.first { $0 == wanted }
        case .placementGroup:
            return nil
        case .spread:
            return fitting.min { rank($0) < rank($1) }
        case .default:
            return preferred(fitting, request)
        }
    }

    /// Why a request can never be met, if so: it insists on a node that is gone or too small.
    package func obstacle(to request: Request) -> String? {
        if case .placementGroup(let id, let index, _) = request.strategy {
            return obstacle(to: request, in: id, bundle: index)
        }
        guard case .node(let name, soft: false) = request.strategy, usable(name, for: request.demand) == nil else {
            return nil
        }
        guard let node = node(name) else { return "there is no node \"\(name)\"" }
        return node.isDraining
            ? "node \"\(name)\" is being drained"
            : "it needs \(request.demand.placement), and node \"\(name)\" has \(node.total) in all"
    }

    /// What a request waits for, to complete "it waits for …".
    func reason(for request: Request) -> String {
        let wanted = "\(request.demand.placement)"
        if case .node(let name, _) = request.strategy, usable(name, for: request.demand) != nil {
            return "\(wanted), which node \"\(name)\" has not free"
        }
        if case .placementGroup(_, let index, _) = request.strategy {
            return "\(wanted), which \(index.map { "bundle \($0)" } ?? "no bundle") of its placement group has"
                + "\(index == nil ? "" : " not") free"
        }
        let isFeasible = nodes.contains { !$0.isDraining && $0.whole.share(for: request.demand.placement) != nil }
        return isFeasible ? "\(wanted), which no node has free" : "\(wanted), which is more than any node has"
    }

    private func hasRoom(_ node: Node, for demand: ResourceDemand) -> Bool {
        !node.isDraining && node.pool.share(for: demand.placement) != nil
    }

    /// A node that a request names, if it could ever meet it.
    private func usable(_ name: String, for demand: ResourceDemand) -> Int? {
        guard let index = index(of: name), !nodes[index].isDraining,
            nodes[index].whole.share(for: demand.placement) != nil
        else { return nil }
        return index
    }

    /// Where most bytes of the arguments are; else the caller's node; else the one that is used least. Nodes that are
    /// less than half used are equal, and the one that came first is taken.
    private func preferred(_ fitting: [Int], _ request: Request) -> Int? {
        fitting.min { left, right in cost(left, request) < cost(right, request) }
    }

    private func cost(_ index: Int, _ request: Request) -> (Int, Int, Double, Int) {
        let node = nodes[index]
        let used = node.utilisation
        return (
            -(request.localBytes[node.name] ?? 0), node.name == request.callerNode ? 0 : 1, used < 0.5 ? 0 : used,
            node.order
        )
    }

    private func rank(_ index: Int) -> (Int, Int, Int) {
        (nodes[index].spreadActors, nodes[index].actors, nodes[index].order)
    }
}
