/// What a node is said to have.
package struct NodeDeclaration: Sendable, Hashable, Codable {
    package var name: String
    /// Everything, GPUs included.
    package var resources: ResourceSet
    /// The names of its GPUs, as `CUDA_VISIBLE_DEVICES` has them.
    package var devices: [String]
    /// Whether it takes no new actors.
    package var isDraining = false

    /// The node that drivers are on, and that is always there.
    package static let headName = "head"

    package init(name: String, resources: ResourceSet, devices: [String]) {
        self.name = name
        self.resources = resources
        self.devices = devices
    }

    /// A node whose GPUs are numbered from 0.
    /// - Throws: ``ActorError`` with `invalidArgument`.
    package init(name: String, _ resources: Resources) throws(ActorError) {
        try ActorOptions.validate(name, as: "a node's name")
        let amounts = try resources.amounts()
        let gpu = amounts[ResourceSet.Name.gpu]
        guard gpu.isWhole, gpu.wholes <= Limits.devicesMax else {
            let allowed = "allowed are whole numbers up to \(Limits.devicesMax)"
            throw ActorError(.invalidArgument, "a node's gpu is \(gpu); \(allowed)")
        }
        self.init(name: name, resources: amounts, devices: (0..<gpu.wholes).map(String.init))
    }
}

/// A named pool of resources with the workers that hold them.
package struct Node: Sendable, Hashable {
    package let name: String
    package let total: ResourceSet
    let deviceNames: [String]
    /// Its place among the nodes: those that came earlier are preferred.
    let order: Int
    package internal(set) var pool: ResourcePool
    package internal(set) var isDraining: Bool
    /// Actors that are placed here, and how many of them were to be spread.
    package internal(set) var actors = 0
    var spreadActors = 0

    init(_ declaration: NodeDeclaration, order: Int) {
        name = declaration.name
        total = declaration.resources
        deviceNames = declaration.devices
        self.order = order
        pool = ResourcePool(declaration.resources, devices: declaration.devices)
        isDraining = declaration.isDraining
    }

    /// What it was said to have.
    package var declaration: NodeDeclaration {
        var declaration = NodeDeclaration(name: name, resources: total, devices: deviceNames)
        declaration.isDraining = isDraining
        return declaration
    }

    /// Whether it has GPUs at all.
    package var hasDevices: Bool { !deviceNames.isEmpty }

    /// The node as it would be with nobody on it.
    var whole: ResourcePool { ResourcePool(total, devices: deviceNames) }

    /// How much of its scarcest resource is held, 0 to 1.
    var utilisation: Double {
        let available = pool.available
        return total.amounts.reduce(0) { most, entry in
            max(most, 1 - available[entry.key].value / entry.value.value)
        }
    }
}
