import DurableChaos
import DurableCore
import Testing

/// Actors come and go by chance; a model of its own, made of the outcomes only, says what must hold.
private struct Model {
    struct Wish {
        var resources: Resources
        var strategy: SchedulingStrategy
        var demand: ResourceDemand
        var asked: Int
    }

    let seed: UInt64
    var random: SeededGenerator
    var declared: [NodeDeclaration] = []
    var placement: Placement
    var wishes: [ActorID: Wish] = [:]
    var held: [ActorID: Placement.Holding] = [:]
    var next: UInt64 = 1

    init(seed: UInt64) throws {
        self.seed = seed
        random = SeededGenerator(seed: seed)
        for index in 0..<Int.random(in: 1...4, using: &random) {
            let resources = Resources(
                cpu: Double(Int.random(in: 0...8, using: &random)) / 2,
                gpu: Double(Int.random(in: 0...3, using: &random)),
                custom: random.oneIn(2) ? ["label": 2] : [:]
            )
            declared.append(try NodeDeclaration(name: "n\(index)", resources))
        }
        placement = Placement(declared)
    }

    mutating func step() throws {
        switch Int.random(in: 0..<10, using: &random) {
        case 0..<5: try ask()
        case 5..<9:
            if let id = wishes.keys.sorted().randomElement(using: &random) {
                placement.release(id)
                wishes[id] = nil
                held[id] = nil
            }
        case 9 where random.oneIn(4): try changeNodes()
        default:
            if let id = wishes.keys.sorted().randomElement(using: &random), let wish = wishes[id] { tell(id, wish) }
        }
        for (id, outcome) in placement.settle() { note(outcome, id) }
    }

    private mutating func changeNodes() throws {
        if let index = declared.indices.randomElement(using: &random), random.oneIn(2) {
            let name = declared.remove(at: index).name
            let lost = placement.remove(name)
            let expected = held.filter { $0.value.node == name }.map(\.key).sorted()
            #expect(lost == expected, "seed \(seed): of \(name)")
            for id in lost { (wishes[id], held[id]) = (nil, nil) }
            return
        }
        let resources = Resources(cpu: Double(Int.random(in: 1...4, using: &random)), custom: ["label": 1])
        let node = try NodeDeclaration(name: "n\(Int.random(in: 0...5, using: &random))", resources)
        let isNew = !declared.contains { $0.name == node.name }
        #expect(placement.add(node) == isNew, "seed \(seed)")
        if isNew { declared.append(node) }
    }

    private mutating func ask() throws {
        let resources =
            [
                Resources(), Resources(cpu: 0.5), Resources(cpu: 1), Resources(cpu: 2), Resources(gpu: 1),
                Resources(cpu: 0, gpu: 0.3), Resources(cpu: 0, gpu: 2), Resources(custom: ["label": 1]),
                Resources(cpu: 9),
            ].randomElement(using: &random) ?? Resources()
        let strategy =
            [
                SchedulingStrategy.default, .spread, .node("n0", soft: true), .node("n1", soft: false),
            ].randomElement(using: &random) ?? .default
        let wish = Wish(
            resources: resources,
            strategy: strategy,
            demand: try ResourceDemand(resources),
            asked: Int(next)
        )
        let id = ActorID(high: 0, low: next)
        next += 1
        wishes[id] = wish
        tell(id, wish)
    }

    private mutating func tell(_ id: ActorID, _ wish: Wish) {
        let request = Placement.Request(actor: id, demand: wish.demand, strategy: wish.strategy)
        note(placement.request(request), id)
    }

    private mutating func note(_ outcome: Placement.OnRequest, _ id: ActorID) {
        guard let wish = wishes[id] else {
            Issue.record("seed \(seed): \(id) ended, and is told \(outcome)")
            return
        }
        switch outcome {
        case .placed(let holding):
            #expect(held[id] == nil || held[id] == holding, "seed \(seed): what it holds has changed")
            if held[id] == nil {
                let waitedLonger = wishes.filter { other, rival in
                    rival.asked < wish.asked && rival.demand == wish.demand && rival.strategy == wish.strategy
                        && held[other] == nil
                }
                #expect(waitedLonger.isEmpty, "seed \(seed): \(id) overtook \(waitedLonger.keys)")
            }
            held[id] = holding
            #expect(holding.share.total == wish.demand.held, "seed \(seed): it holds something else than it asked for")
        case .waits:
            #expect(held[id] == nil, "seed \(seed): it waits for what it has")
        case .impossible:
            wishes[id] = nil
        }
    }

    /// What is free of a node, by the outcomes.
    private func free(_ node: NodeDeclaration) -> (amounts: ResourceSet, devices: [String: Double]) {
        var amounts = node.resources
        var devices = Dictionary(uniqueKeysWithValues: node.devices.map { ($0, 10_000) })
        for holding in held.values where holding.node == node.name {
            amounts = amounts - holding.share.total
            for part in holding.share.devices { devices[part.device, default: 0] -= Int(part.amount.units) }
        }
        return (amounts, devices.mapValues { Double($0) / 10_000 })
    }

    func check() {
        for node in declared {
            let (amounts, devices) = free(node)
            #expect(amounts.values.values.allSatisfy { $0 >= 0 }, "seed \(seed): \(node.name) gave \(amounts)")
            #expect(devices.values.allSatisfy { $0 >= 0 }, "seed \(seed): \(node.name) gave a GPU twice: \(devices)")
            #expect(placement.node(node.name)?.pool.available == amounts, "seed \(seed)")
        }
        for (id, wish) in wishes where held[id] == nil {
            for node in declared where isMeant(node, for: wish) {
                #expect(!hasRoom(node, for: wish), "seed \(seed): \(id) waits though \(node.name) has room")
            }
        }
        #expect(Set(placement.holdings.keys) == Set(held.keys), "seed \(seed)")
        #expect(Set(placement.waits.map(\.actor)) == Set(wishes.keys).subtracting(held.keys), "seed \(seed)")
    }

    private func isMeant(_ node: NodeDeclaration, for wish: Wish) -> Bool {
        guard case .node(let name, _) = wish.strategy, let wanted = declared.first(where: { $0.name == name }),
            wanted.resources.covers(wish.demand.placement)
        else { return true }
        return node.name == name
    }

    private func hasRoom(_ node: NodeDeclaration, for wish: Wish) -> Bool {
        let (amounts, devices) = free(node)
        guard amounts.covers(wish.demand.placement) else { return false }
        let gpu = wish.demand.placement["gpu"].value
        return gpu >= 1
            ? devices.values.count { $0 == 1 } >= Int(gpu) : devices.isEmpty || devices.values.contains { $0 >= gpu }
    }

    mutating func end() {
        for id in wishes.keys.sorted() { placement.release(id) }
        (wishes, held) = ([:], [:])
        #expect(placement.settle().isEmpty)
    }
}

struct PlacementSimulationTests {
    @Test(arguments: Seeds.first(60))
    func `nothing is given twice, nobody waits who has room, nobody is overtaken by his like`(seed: UInt64) throws {
        var model = try Model(seed: seed)
        for _ in 0..<400 {
            try model.step()
            model.check()
        }
        model.end()
        model.check()
    }
}
