/// Amounts of resources: what an actor needs, what a node has, what a bundle reserves.
///
/// They are counted, not enforced: nothing keeps an actor from using more than it asked for.
public struct Resources: Sendable, Hashable, Codable {
    /// Processors; fractions down to 0.0001. An actor for which nothing but memory is given needs 1 to be placed and
    /// holds none while it lives; with anything else given, 1.
    public var cpu: Double?

    /// GPUs: a fraction of one, which shares it with others, or a whole number.
    public var gpu: Double?

    /// Bytes of memory.
    public var memory: Int?

    /// Resources of any other name, 1 to 128 of `A-Z a-z 0-9 . _ -`.
    public var custom: [String: Double]

    /// Makes a list of resources; what is not given counts as zero, except for an actor's ``cpu``.
    /// - Parameters:
    ///   - cpu: Processors.
    ///   - gpu: GPUs: a fraction of one, or a whole number.
    ///   - memory: Bytes of memory.
    ///   - custom: Resources of any other name.
    public init(cpu: Double? = nil, gpu: Double? = nil, memory: Int? = nil, custom: [String: Double] = [:]) {
        self.cpu = cpu
        self.gpu = gpu
        self.memory = memory
        self.custom = custom
    }

    /// The amounts that are given, checked.
    /// - Throws: ``ActorError`` with `invalidArgument`, naming the resource and what it allows.
    package func amounts() throws(ActorError) -> ResourceSet {
        var set = ResourceSet()
        if let cpu { set[ResourceSet.Name.cpu] = try Self.amount(cpu, of: ResourceSet.Name.cpu) }
        if let gpu {
            let amount = try Self.amount(gpu, of: ResourceSet.Name.gpu)
            guard amount <= .one || amount.isWhole else {
                throw ActorError(.invalidArgument, "gpu is \(gpu); allowed are a fraction of 1, or a whole number")
            }
            set[ResourceSet.Name.gpu] = amount
        }
        if let memory {
            guard memory >= 0, let amount = ResourceAmount(Double(memory)) else {
                throw ActorError(.invalidArgument, "memory is \(memory); allowed are 0 to 100000000000000 bytes")
            }
            set[ResourceSet.Name.memory] = amount
        }
        for (name, value) in custom {
            try ActorOptions.validate(name, as: "a custom resource's name")
            guard ![ResourceSet.Name.cpu, ResourceSet.Name.gpu, ResourceSet.Name.memory].contains(name.lowercased())
            else {
                throw ActorError(.invalidArgument, "\(name) cannot be a custom resource; it has an option of its own")
            }
            set[name] = try Self.amount(value, of: name)
        }
        return set
    }

    /// Whether anything is given, were it zero.
    package var isGiven: Bool { self != Resources() }

    private static func amount(_ value: Double, of name: String) throws(ActorError) -> ResourceAmount {
        guard let amount = ResourceAmount(value) else {
            let allowed = "allowed are 0 to 100000000000000, no finer than 0.0001"
            throw ActorError(.invalidArgument, "\(name) is \(value); \(allowed)")
        }
        return amount
    }
}

/// What an actor needs: to be put somewhere, and from then on.
package struct ResourceDemand: Sendable, Hashable {
    /// What must be free on the node that it is put on.
    package let placement: ResourceSet
    /// What it holds for life.
    package let held: ResourceSet

    /// What an actor needs that asks for nothing: a processor to be placed.
    package static let usual = ResourceDemand(
        placement: ResourceSet([ResourceSet.Name.cpu: .one]),
        held: ResourceSet()
    )

    package init(placement: ResourceSet, held: ResourceSet) {
        self.placement = placement
        self.held = held
    }

    /// What an actor with these options needs, as in Ray: without any resource of its own it needs one processor to be
    /// placed and holds none; with one it holds a processor too, unless told otherwise. Memory does not count.
    package init(_ resources: Resources) throws(ActorError) {
        var held = try resources.amounts()
        if resources.cpu == nil, resources.gpu != nil || !resources.custom.isEmpty {
            held[ResourceSet.Name.cpu] = .one
        }
        self.held = held
        var placement = held
        if resources.cpu == nil { placement[ResourceSet.Name.cpu] = .one }
        self.placement = placement
    }
}
