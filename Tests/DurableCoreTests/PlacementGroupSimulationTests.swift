import DurableChaos
import DurableCore
import Testing

/// Groups, their actors, others and nodes come and go by chance; a model that knows only the outcomes says what must hold.
private struct GroupModel {
    struct Group {
        var strategy: PlacementStrategy
        var bundles: [Int]
        var isRemoved = false
        var wasCreated = false
    }

    let seed: UInt64
    var random: SeededGenerator
    var nodes: [String: Int] = [:]
    var placement = Placement([])
    var groups: [PlacementGroupID: Group] = [:]
    var demands: [ActorID: Int] = [:]
    var held: [ActorID: Placement.Holding] = [:]
    var next: UInt64 = 1

    init(seed: UInt64) throws {
        self.seed = seed
        random = SeededGenerator(seed: seed)
        for _ in 0..<3 { try addNode() }
    }

    mutating func step() throws {
        switch Int.random(in: 0..<20, using: &random) {
        case 0..<4: try addGroup()
        case 4..<6: removeGroup()
        case 6..<13: try ask()
        case 13..<18: release()
        case 18: try addNode()
        default: removeNode()
        }
        for (id, outcome) in placement.settle() { note(outcome, id) }
        for id in groups.keys where isWhole(id) { groups[id]?.wasCreated = true }
        for (id, group) in groups where group.isRemoved && placement.placementGroup(id) == nil { groups[id] = nil }
    }

    private mutating func number() -> UInt64 {
        next += 1
        return next
    }

    private mutating func addNode() throws {
        guard nodes.count < 4 else { return }
        let name = "n\(number())"
        nodes[name] = Int.random(in: 1...4, using: &random)
        #expect(
            placement.add(try NodeDeclaration(name: name, Resources(cpu: Double(nodes[name] ?? 0)))),
            "seed \(seed)"
        )
    }

    private mutating func removeNode() {
        guard nodes.count > 1, let name = nodes.keys.sorted().randomElement(using: &random) else { return }
        nodes[name] = nil
        let lost = placement.remove(name)
        #expect(lost == held.filter { $0.value.node == name }.map(\.key).sorted(), "seed \(seed)")
        for id in lost { (demands[id], held[id]) = (nil, nil) }
    }

    private mutating func addGroup() throws {
        guard groups.count < 4 else { return }
        let strategies: [PlacementStrategy] = [.pack, .spread, .strictPack, .strictSpread]
        let strategy = strategies.randomElement(using: &random) ?? .pack
        let count = Int.random(in: 1...3, using: &random)
        let bundles = (0..<count).map { _ in Int.random(in: 1...3, using: &random) }
        let id = PlacementGroupID(high: 0, low: number())
        let record = try PlacementGroupRecord(
            id: id,
            name: nil,
            namespace: "default",
            strategy: strategy,
            bundles: bundles.map { Resources(cpu: Double($0)) },
            owner: .detached
        )
        _ = placement.add(record)
        groups[id] = Group(strategy: strategy, bundles: bundles)
    }

    private mutating func removeGroup() {
        guard let id = groups.keys.sorted().randomElement(using: &random) else { return }
        let users = placement.remove(id)
        groups[id]?.isRemoved = true
        let expected = held.filter { $0.value.bundle?.placementGroup == id }.map(\.key)
        #expect(Set(users).isSuperset(of: expected), "seed \(seed)")
        // As the supervisor does: some end at once, others a moment later.
        for user in users where random.oneIn(2) {
            placement.release(user)
            (demands[user], held[user]) = (nil, nil)
        }
    }

    private mutating func ask() throws {
        let cpu = Int.random(in: 1...2, using: &random)
        var strategy = SchedulingStrategy.default
        if !random.oneIn(3), let id = groups.keys.sorted().randomElement(using: &random), let group = groups[id] {
            let bundle = random.oneIn(2) ? Int.random(in: 0..<group.bundles.count, using: &random) : nil
            strategy = .placementGroup(id, bundle: bundle, capturesChildren: false)
        }
        let id = ActorID(high: 0, low: number())
        demands[id] = cpu
        let demand = try ResourceDemand(Resources(cpu: Double(cpu)))
        note(placement.request(.init(actor: id, demand: demand, strategy: strategy)), id)
    }

    private mutating func release() {
        guard let id = demands.keys.sorted().randomElement(using: &random) else { return }
        placement.release(id)
        (demands[id], held[id]) = (nil, nil)
    }

    private mutating func note(_ outcome: Placement.OnRequest, _ id: ActorID) {
        switch outcome {
        case .placed(let holding):
            #expect(held[id] == nil && demands[id] != nil, "seed \(seed): \(id) is placed again, or after its end")
            held[id] = holding
        case .waits: #expect(held[id] == nil, "seed \(seed)")
        case .impossible: demands[id] = nil
        }
    }

    private func isWhole(_ id: PlacementGroupID) -> Bool {
        placement.placementGroup(id)?.reservations.allSatisfy { $0 != nil } ?? false
    }

    /// What is free of each node, by the reservations and the outcomes.
    private var free: [String: Int] {
        var free = nodes
        for id in groups.keys {
            for reservation in placement.placementGroup(id)?.reservations ?? [] {
                if let reservation { free[reservation.node, default: 0] -= reservation.share.total["cpu"].wholes }
            }
        }
        for (id, holding) in held where holding.bundle == nil { free[holding.node, default: 0] -= demands[id] ?? 0 }
        return free
    }

    func check() {
        let free = free
        #expect(free.values.allSatisfy { $0 >= 0 }, "seed \(seed): nodes gave more than they have: \(free)")
        for node in placement.nodes {
            #expect(node.pool.available["cpu"].wholes == free[node.name], "seed \(seed): \(node.name)")
        }
        for (id, group) in groups {
            guard let reservations = placement.placementGroup(id)?.reservations else { continue }
            let places = reservations.map { $0?.node }
            let found = Set(places.compactMap(\.self))
            #expect(found.isSubset(of: nodes.keys), "seed \(seed): reserved on a node that is gone")
            let isPartial = places.contains(nil) && !found.isEmpty
            #expect(!isPartial || group.wasCreated, "seed \(seed): some bundles of \(id) are reserved, not all")
            if group.strategy == .strictPack { #expect(found.count <= 1, "seed \(seed)") }
            if group.strategy == .strictSpread {
                #expect(found.count == places.compactMap(\.self).count, "seed \(seed)")
            }
            for (index, bundle) in group.bundles.enumerated() {
                let name = Placement.BundleName(placementGroup: id, index: index)
                let users = held.filter { $0.value.bundle == name }
                let used = users.keys.reduce(0) { $0 + (demands[$1] ?? 0) }
                #expect(used <= (reservations[index] == nil ? 0 : bundle), "seed \(seed): \(name) gave \(used)")
                #expect(users.allSatisfy { $0.value.node == places[index] }, "seed \(seed)")
            }
            let isMissed = !group.isRemoved && places.contains(nil) && found.isEmpty
            #expect(!isMissed || !fits(group, free), "seed \(seed): \(id) waits and would fit: \(group) on \(free)")
        }
    }

    /// Whether bundles would fit, found by trying everything.
    private func fits(_ group: Group, _ free: [String: Int]) -> Bool {
        func fits(_ rest: ArraySlice<Int>, _ free: [String: Int], _ used: [String]) -> Bool {
            guard let bundle = rest.first else { return true }
            return free.contains { name, room in
                switch group.strategy {
                case .strictPack where !used.isEmpty && used[0] != name: return false
                case .strictSpread where used.contains(name): return false
                default: break
                }
                guard room >= bundle else { return false }
                var left = free
                left[name] = room - bundle
                return fits(rest.dropFirst(), left, used + [name])
            }
        }
        return fits(group.bundles[...], free, [])
    }

    mutating func end() {
        for id in groups.keys.sorted() { _ = placement.remove(id) }
        for id in demands.keys.sorted() { placement.release(id) }
        (groups, demands, held) = ([:], [:], [:])
        let settled = placement.settle()
        #expect(settled.isEmpty && !placement.hasWaiting, "seed \(seed)")
        #expect(placement.placementGroups.isEmpty, "seed \(seed)")
    }
}

struct PlacementGroupSimulationTests {
    @Test(arguments: Seeds.first(60))
    func `groups are reserved whole or not at all, and whenever they fit; nothing is given twice`(seed: UInt64) throws {
        var model = try GroupModel(seed: seed)
        for _ in 0..<300 {
            try model.step()
            model.check()
        }
        model.end()
        model.check()
    }
}
