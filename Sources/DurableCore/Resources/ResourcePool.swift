/// What one holder has of a pool: amounts, and parts of devices.
package struct ResourceShare: Sendable, Hashable, Codable {
    /// A part of one device.
    package struct DevicePart: Sendable, Hashable, Codable {
        package var device: String
        package var amount: ResourceAmount
    }

    /// Everything but GPUs.
    package var amounts = ResourceSet()
    /// GPUs, by device.
    package var devices: [DevicePart] = []

    package init() {}

    package var isEmpty: Bool { amounts.isEmpty && devices.isEmpty }

    /// The amounts with the GPUs among them.
    package var total: ResourceSet {
        devices.reduce(into: amounts) { $0[ResourceSet.Name.gpu] = $0[ResourceSet.Name.gpu] + $1.amount }
    }
}

/// Resources that can be taken and put back: a node's, or those that a bundle reserves.
package struct ResourcePool: Sendable, Hashable {
    /// A GPU.
    struct Device: Sendable, Hashable {
        let name: String
        let capacity: ResourceAmount
        var free: ResourceAmount
    }

    /// What is free of everything but GPUs. Negative when more is held than there is: a restarted supervisor that was
    /// told of fewer resources finds holders that it cannot send away.
    private(set) var free: ResourceSet
    private(set) var devices: [Device]

    /// A pool of everything in a set; GPUs get these names.
    package init(_ total: ResourceSet, devices names: [String]) {
        free = total
        free[ResourceSet.Name.gpu] = .zero
        devices = names.map { Device(name: $0, capacity: .one, free: .one) }
    }

    /// A pool of what was taken from another one.
    package init(_ share: ResourceShare) {
        free = share.amounts
        devices = share.devices.map { Device(name: $0.device, capacity: $0.amount, free: $0.amount) }
    }

    /// Everything that is free.
    package var available: ResourceSet {
        devices.reduce(into: free) { $0[ResourceSet.Name.gpu] = $0[ResourceSet.Name.gpu] + $1.free }
    }

    /// What would be taken for a demand; `nil` when it is not free.
    package func share(for demand: ResourceSet) -> ResourceShare? {
        var amounts = demand
        amounts[ResourceSet.Name.gpu] = .zero
        guard free.covers(amounts) else { return nil }
        var share = ResourceShare()
        share.amounts = amounts
        let wanted = demand[ResourceSet.Name.gpu]
        if wanted >= .one {
            let whole = devices.filter { $0.free >= .one }
            guard whole.count >= wanted.wholes else { return nil }
            share.devices = whole.prefix(wanted.wholes).map { .init(device: $0.name, amount: .one) }
        } else if wanted > .zero {
            // The fullest one that still has room: whole devices stay whole for those who need them.
            guard let device = devices.filter({ $0.free >= wanted }).min(by: { $0.free < $1.free }) else { return nil }
            share.devices = [.init(device: device.name, amount: wanted)]
        }
        return share
    }

    /// Takes what a demand needs. `nil`, and nothing taken, when it is not free.
    package mutating func take(_ demand: ResourceSet) -> ResourceShare? {
        guard let share = share(for: demand) else { return nil }
        take(share)
        return share
    }

    /// Takes exactly this, free or not.
    package mutating func take(_ share: ResourceShare) {
        free = free - share.amounts
        for part in share.devices { change(part.device) { $0 - part.amount } }
    }

    /// Puts back what was taken.
    package mutating func put(_ share: ResourceShare) {
        free = free + share.amounts
        for part in share.devices { change(part.device) { $0 + part.amount } }
    }

    private mutating func change(_ name: String, _ change: (ResourceAmount) -> ResourceAmount) {
        if let index = devices.firstIndex(where: { $0.name == name }) {
            devices[index].free = change(devices[index].free)
        } else {
            devices.append(Device(name: name, capacity: .zero, free: change(.zero)))
        }
    }
}
