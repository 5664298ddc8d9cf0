internal import CBOR
internal import DurableCore
internal import DurableProcess

/// Nodes and placement groups, and who holds what of them.
struct ResourceInspection {
    /// The head first, then by name.
    let nodes: [Node]
    let placementGroups: [PlacementGroupSummary]

    init(nodes stored: [NodeDeclaration], placementGroups: [PlacementGroupRecord], actors: [ActorRecord]) {
        func rank(_ node: NodeDeclaration) -> Int { node.name == NodeDeclaration.headName ? 0 : 1 }
        var placement = Placement(stored.sorted { (rank($0), $0.name) < (rank($1), $1.name) })
        for group in placementGroups { placement.restore(group) }
        for actor in actors where actor.ended == nil {
            if let holding = actor.holding { placement.restore(holding, of: actor.id) }
        }
        nodes = placement.nodes
        self.placementGroups = placement.placementGroups.compactMap(placement.summary)
    }

    /// For programs: the nodes.
    var nodeValues: CBORValue {
        .array(
            nodes.map { node in
                .object([
                    "name": .text(node.name),
                    "resources": Self.value(node.total.values),
                    "available": Self.value(node.pool.available.values),
                    "actors": CBORValue(node.actors),
                    "draining": .bool(node.isDraining),
                ])
            }
        )
    }

    /// For programs: the placement groups.
    var placementGroupValues: CBORValue {
        .array(
            placementGroups.map { group in
                .object([
                    "id": .text("\(group.id)"),
                    "name": .text(orNull: group.name),
                    "namespace": .text(group.namespace),
                    "strategy": .text(group.strategy.rawValue),
                    "state": .text(group.state.rawValue),
                    "waitsFor": .text(orNull: group.waitsFor),
                    "bundles": .array(
                        group.bundles.map { bundle in
                            .object([
                                "node": .text(orNull: bundle.node),
                                "resources": Self.value(bundle.resources),
                                "available": Self.value(bundle.available),
                            ])
                        }
                    ),
                ])
            }
        )
    }

    /// For people; empty when there is nothing of it.
    var text: String {
        var text = ""
        if !nodes.isEmpty {
            var table = Table(["NODE", "STATE", "ACTORS", "TOTAL", "FREE"])
            for node in nodes {
                let state = node.isDraining ? "draining" : "open"
                table.add([node.name, state, "\(node.actors)", "\(node.total)", "\(node.pool.available)"])
            }
            text += "\nnodes\n" + table.text
        }
        guard !placementGroups.isEmpty else { return text }
        var table = Table(["PLACEMENT GROUP", "STRATEGY", "STATE", "NODES", "WAITS FOR"])
        for group in placementGroups {
            let nodes = group.bundles.map { $0.node ?? "-" }.joined(separator: ", ")
            let title = group.name ?? "\(group.id)"
            table.add([title, group.strategy.rawValue, group.state.rawValue, nodes, group.waitsFor ?? "-"])
        }
        return text + "\nplacement groups\n" + table.text
    }

    private static func value(_ amounts: [String: Double]) -> CBORValue {
        .map(amounts.sorted { $0.key < $1.key }.map { CBORValue.Entry(.text($0.key), .float($0.value)) })
    }
}

extension Inspection.Actor {
    /// For how long the process that hosts the actor has given no sign of life, when that is long.
    static func silence(of record: ActorRecord, hostedBy worker: WorkerIdentity?) -> Duration? {
        guard record.ended == nil, let worker, ProcessTable.isAlive(worker),
            let silence = WorkerPage.silence(ofProcess: worker.pid), silence > Limits.unresponsiveAfter
        else { return nil }
        return silence
    }
}
