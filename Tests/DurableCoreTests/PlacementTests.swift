import DurableCore
import Testing

/// A placement that conditions of tests can change.
final class Site {
    private(set) var placement: Placement

    init(_ placement: Placement) { self.placement = placement }

    var nodes: [Node] { placement.nodes }
    var waits: [(actor: ActorID, reason: String)] { placement.waits }
    var holdings: [ActorID: Placement.Holding] { placement.holdings }

    func request(_ request: Placement.Request) -> Placement.OnRequest { placement.request(request) }
    func release(_ actor: ActorID) { placement.release(actor) }
    func settle() -> [(actor: ActorID, outcome: Placement.OnRequest)] { placement.settle() }
    func add(_ node: NodeDeclaration) -> Bool { placement.add(node) }
    func drain(_ node: String) -> [ActorID] { placement.drain(node) }
    func remove(_ node: String) -> [ActorID] { placement.remove(node) }
    func add(_ group: PlacementGroupRecord) -> Bool { placement.add(group) }
    func remove(_ group: PlacementGroupID) -> [ActorID] { placement.remove(group) }
    func restore(_ group: PlacementGroupRecord) { placement.restore(group) }
    func takeChangedGroups() -> [(id: PlacementGroupID, record: PlacementGroupRecord?)] {
        placement.takeChangedGroups()
    }
    func restore(_ holding: Placement.Holding, of actor: ActorID) -> Bool { placement.restore(holding, of: actor) }
}

/// Which node it is, who waits, and for what.
struct PlacementTests {
    static func actor(_ number: UInt64) -> ActorID { ActorID(high: 0, low: number) }

    /// Nodes n0, n1 and so on.
    static func nodes(_ amounts: [Resources]) throws -> Site {
        Site(
            Placement(
                try amounts.enumerated().map { index, resources in try NodeDeclaration(name: "n\(index)", resources) }
            )
        )
    }

    static func request(
        _ number: UInt64,
        _ resources: Resources = Resources(),
        _ strategy: SchedulingStrategy = .default,
        callerNode: String? = nil,
        localBytes: [String: Int] = [:]
    ) throws -> Placement.Request {
        Placement.Request(
            actor: actor(number),
            demand: try ResourceDemand(resources),
            strategy: strategy,
            callerNode: callerNode,
            localBytes: localBytes
        )
    }

    private func node(_ outcome: Placement.OnRequest) -> String? {
        if case .placed(let holding) = outcome { holding.node } else { nil }
    }

    @Test func `any number of actors that ask for nothing are placed on a node with one processor`() throws {
        let placement = try Self.nodes([Resources(cpu: 1)])
        for number in 1...1000 { #expect(node(placement.request(try Self.request(UInt64(number)))) == "n0") }
        #expect(placement.nodes[0].pool.available.values == ["cpu": 1])
    }

    @Test func `an actor that asks for nothing waits while no processor is free, and for ever where there is none`()
        throws
    {
        let placement = try Self.nodes([Resources(cpu: 1)])
        #expect(node(placement.request(try Self.request(1, Resources(cpu: 1)))) == "n0")
        #expect(placement.request(try Self.request(2)) == .waits("1 cpu, which no node has free"))
        placement.release(Self.actor(1))
        #expect(placement.settle().map(\.actor) == [Self.actor(2)])

        let empty = try Self.nodes([Resources()])
        #expect(empty.request(try Self.request(1)) == .waits("1 cpu, which is more than any node has"))
        #expect(node(empty.request(try Self.request(2, Resources(cpu: 0)))) == "n0")
    }

    @Test func `what is more than any node has is said to be, until a node comes that has it`() throws {
        let placement = try Self.nodes([Resources(cpu: 2), Resources(cpu: 2)])
        let wanted = try Self.request(1, Resources(cpu: 3))
        #expect(placement.request(wanted) == .waits("3 cpu, which is more than any node has"))
        #expect(placement.settle().isEmpty)
        #expect(placement.waits.map(\.reason) == ["3 cpu, which is more than any node has"])
        #expect(placement.add(try NodeDeclaration(name: "big", Resources(cpu: 3))))
        #expect(placement.settle().map { node($0.outcome) } == ["big"])
        #expect(placement.waits.isEmpty)
    }

    @Test func `of those who need the same nobody is overtaken, and others may be`() throws {
        let placement = try Self.nodes([Resources(cpu: 4)])
        #expect(node(placement.request(try Self.request(1, Resources(cpu: 2)))) != nil)
        #expect(node(placement.request(try Self.request(2, Resources(cpu: 1)))) != nil)
        for number: UInt64 in 3...5 {
            #expect(node(placement.request(try Self.request(number, Resources(cpu: 2)))) == nil)
        }
        #expect(node(placement.request(try Self.request(6, Resources(cpu: 1)))) == "n0", "smaller, and there is room")
        placement.release(Self.actor(2))
        placement.release(Self.actor(6))
        // Room for one that waits; a new one of the same need goes behind the two that remain.
        #expect(node(placement.request(try Self.request(7, Resources(cpu: 2)))) == nil)
        #expect(placement.settle().map(\.actor) == [Self.actor(3)])
        placement.release(Self.actor(1))
        placement.release(Self.actor(3))
        #expect(placement.settle().map(\.actor) == [Self.actor(4), Self.actor(5)])
        #expect(placement.waits.map(\.actor) == [Self.actor(7)])
    }

    @Test func `asking again changes nothing, and who is released while it waits is not placed`() throws {
        let placement = try Self.nodes([Resources(cpu: 1)])
        let first = placement.request(try Self.request(1, Resources(cpu: 1)))
        #expect(placement.request(try Self.request(1, Resources(cpu: 1))) == first)
        for _ in 0..<2 { #expect(node(placement.request(try Self.request(2, Resources(cpu: 1)))) == nil) }
        #expect(placement.waits.count == 1)
        placement.release(Self.actor(2))
        placement.release(Self.actor(1))
        placement.release(Self.actor(1))
        #expect(placement.settle().isEmpty)
        #expect(placement.nodes[0].pool.available.values == ["cpu": 1])
        #expect(placement.holdings.isEmpty)
    }

    @Test func `the caller's node is taken while it has room, then the one that is used least`() throws {
        let placement = try Self.nodes([Resources(cpu: 4), Resources(cpu: 2), Resources(cpu: 4)])
        func place(_ number: UInt64) throws -> String? {
            node(placement.request(try Self.request(number, Resources(cpu: 1), callerNode: "n1")))
        }
        #expect(try (1...2).map(place) == ["n1", "n1"])
        #expect(try (3...8).map(place) == ["n0", "n0", "n2", "n2", "n0", "n2"])
    }

    @Test func `RES-14: the node with most bytes of the arguments is preferred, and another taken when it is full`()
        throws
    {
        let placement = try Self.nodes([Resources(cpu: 4), Resources(cpu: 4), Resources(cpu: 1)])
        func place(_ number: UInt64, _ bytes: [String: Int]) throws -> String? {
            let request = try Self.request(number, Resources(cpu: 1), callerNode: "n1", localBytes: bytes)
            return node(placement.request(request))
        }
        #expect(try place(1, ["n0": 1 << 20, "n2": 2 << 20]) == "n2")
        #expect(try place(2, ["n0": 1 << 20, "n2": 2 << 20]) == "n0", "n2 is full")
        #expect(try place(3, ["n0": 5, "n1": 5]) == "n1", "of equals the caller's")
        #expect(try place(4, ["n2": 2 << 20]) == "n1")
    }

    @Test(arguments: [1, 2, 3, 6, 9]) func `actors that are to be spread are spread evenly`(count: Int) throws {
        let placement = try Self.nodes([Resources(cpu: 16), Resources(cpu: 16), Resources(cpu: 16)])
        for other: UInt64 in 100..<105 { _ = placement.request(try Self.request(other, Resources(cpu: 1))) }
        var nodes: [String: Int] = [:]
        for number in 1...count {
            let found = node(placement.request(try Self.request(UInt64(number), Resources(), .spread)))
            nodes[try #require(found), default: 0] += 1
        }
        #expect(nodes.count == min(count, 3))
        if count % 3 == 0 { #expect(nodes.values.allSatisfy { $0 == count / 3 }) }
    }

    @Test func `who insists on a node waits while it is full, and cannot be placed when it is gone or too small`()
        throws
    {
        let placement = try Self.nodes([Resources(cpu: 4), Resources(cpu: 1)])
        #expect(node(placement.request(try Self.request(1, Resources(cpu: 1), .node("n1", soft: false)))) == "n1")
        for (number, isSoft) in [(UInt64(2), false), (3, true)] {
            let outcome = placement.request(try Self.request(number, Resources(cpu: 1), .node("n1", soft: isSoft)))
            #expect(outcome == .waits("1 cpu, which node \"n1\" has not free"))
        }
        let missing = placement.request(try Self.request(4, Resources(), .node("x", soft: false)))
        #expect(missing == .impossible("there is no node \"x\""))
        let small = placement.request(try Self.request(5, Resources(cpu: 2), .node("n1", soft: false)))
        #expect(small == .impossible("it needs 2 cpu, and node \"n1\" has 1 cpu in all"))
        #expect(node(placement.request(try Self.request(6, Resources(), .node("x", soft: true)))) == "n0")
        #expect(node(placement.request(try Self.request(7, Resources(cpu: 2), .node("n1", soft: true)))) == "n0")
    }

    @Test func `what is on a node that goes is lost, and those who insist on it cannot be placed any more`() throws {
        let placement = try Self.nodes([Resources(cpu: 1), Resources(cpu: 2)])
        #expect(node(placement.request(try Self.request(1, Resources(cpu: 1)))) == "n0")
        for number: UInt64 in 2...3 {
            #expect(node(placement.request(try Self.request(number, Resources(cpu: 1)))) == "n1")
        }
        #expect(node(placement.request(try Self.request(4, Resources(cpu: 1), .node("n1", soft: false)))) == nil)
        #expect(node(placement.request(try Self.request(5, Resources(cpu: 2)))) == nil)
        #expect(placement.remove("n1") == [Self.actor(2), Self.actor(3)])
        #expect(placement.remove("n1").isEmpty)
        #expect(Array(placement.holdings.keys) == [Self.actor(1)])
        let settled = placement.settle()
        #expect(settled.map(\.actor) == [Self.actor(4)])
        #expect(settled.map(\.outcome) == [.impossible("there is no node \"n1\"")])
        #expect(placement.waits.map(\.reason) == ["2 cpu, which is more than any node has"])
        placement.release(Self.actor(2))
        #expect(placement.add(try NodeDeclaration(name: "n1", Resources(cpu: 2))))
        #expect(placement.settle().map { node($0.outcome) } == ["n1"])
    }

    @Test func `a node that is drained takes nobody, keeps who is there, and says who that is`() throws {
        let placement = try Self.nodes([Resources(cpu: 1), Resources(cpu: 4)])
        for number: UInt64 in 1...3 { _ = placement.request(try Self.request(number, Resources(cpu: 1))) }
        #expect(placement.drain("n1") == [Self.actor(2), Self.actor(3)])
        #expect(node(placement.request(try Self.request(4))) == nil)
        #expect(placement.waits.map(\.reason) == ["1 cpu, which no node has free"])
        let insisting = placement.request(try Self.request(5, Resources(), .node("n1", soft: false)))
        #expect(insisting == .impossible("node \"n1\" is being drained"))
        #expect(node(placement.request(try Self.request(6, Resources(cpu: 0), .node("n1", soft: true)))) == "n0")
        #expect(placement.nodes[1].actors == 2)
        #expect(placement.nodes[1].declaration.isDraining)
        placement.release(Self.actor(2))
        #expect(placement.settle().isEmpty)
        #expect(placement.drain("x").isEmpty)
    }

    @Test func `what a former supervisor's actors hold is not given to others`() throws {
        let before = try Self.nodes([Resources(cpu: 2, gpu: 2)])
        guard case .placed(let holding) = before.request(try Self.request(1, Resources(gpu: 1))) else {
            Issue.record("not placed")
            return
        }
        let after = try Self.nodes([Resources(cpu: 2, gpu: 2)])
        #expect(after.restore(holding, of: Self.actor(1)))
        #expect(!after.restore(holding, of: Self.actor(1)), "once is enough")
        guard case .placed(let other) = after.request(try Self.request(2, Resources(gpu: 1))) else {
            Issue.record("not placed")
            return
        }
        #expect(other.share.devices != holding.share.devices)
        #expect(node(after.request(try Self.request(3, Resources(gpu: 1)))) == nil)
        let fewer = try Self.nodes([Resources(cpu: 1)])
        #expect(fewer.restore(holding, of: Self.actor(1)))
        #expect(node(fewer.request(try Self.request(2))) == nil, "the one processor is held")
        fewer.release(Self.actor(1))
        #expect(fewer.settle().count == 1)
        let empty = Site(Placement([]))
        #expect(!empty.restore(holding, of: Self.actor(1)), "its node is gone")
    }
}
