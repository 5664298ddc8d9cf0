import DurableCore
import Testing

/// Bundles that are reserved together.
struct PlacementGroupTests {
    private static func id(_ number: UInt64) -> PlacementGroupID { PlacementGroupID(high: 0, low: number) }

    private func record(
        _ number: UInt64,
        _ strategy: PlacementStrategy,
        _ bundles: [Resources],
        name: String? = nil
    ) throws -> PlacementGroupRecord {
        try PlacementGroupRecord(
            id: Self.id(number),
            name: name,
            namespace: "default",
            strategy: strategy,
            bundles: bundles,
            owner: .detached
        )
    }

    /// Nodes n0, n1 and so on with so many processors.
    private func nodes(_ cpus: [Double]) throws -> Site {
        Site(Placement(try cpus.enumerated().map { try NodeDeclaration(name: "n\($0)", Resources(cpu: $1)) }))
    }

    private func request(
        _ number: UInt64,
        _ resources: Resources,
        in group: UInt64,
        bundle: Int? = nil
    ) throws -> Placement.Request {
        Placement.Request(
            actor: PlacementTests.actor(number),
            demand: try ResourceDemand(resources),
            strategy: .placementGroup(Self.id(group), bundle: bundle, capturesChildren: false)
        )
    }

    private func places(_ site: Site, _ number: UInt64) -> [String?] {
        site.placement.placementGroup(Self.id(number))?.reservations.map { $0?.node } ?? []
    }

    private func free(_ site: Site) -> [Double] { site.nodes.map { $0.pool.available["cpu"].value } }

    private static let one = Resources(cpu: 1)

    @Test(arguments: [
        // Strategy, nodes, bundles, distinct nodes; 0 when it cannot be.
        (PlacementStrategy.strictPack, [2.0, 3.0], [1.0, 2.0], 1),
        (.strictPack, [2.0, 2.0], [1.0, 2.0], 0),
        (.pack, [2.0, 3.0], [1.0, 2.0], 1),
        (.pack, [2.0, 2.0], [1.0, 2.0], 2),
        (.pack, [1.0, 1.0], [1.0, 1.0, 1.0], 0),
        (.strictSpread, [4.0, 4.0], [1.0, 1.0], 2),
        (.strictSpread, [8.0, 8.0], [1.0, 1.0, 1.0], 0),
        (.spread, [8.0, 8.0, 8.0], [1.0, 1.0, 1.0], 3),
        (.spread, [8.0, 8.0], [1.0, 1.0, 1.0], 2),
        (.spread, [8.0], [1.0, 1.0], 1),
        // The first node that would do for the large bundle is the only one for both: the search goes back.
        (.strictSpread, [3.0, 2.0, 3.0], [3.0, 3.0], 2),
        (.pack, [3.0, 2.0, 2.0], [2.0, 2.0, 2.0, 1.0], 3),
    ])
    func `each strategy finds the nodes that it is to find, or reserves nothing`(
        strategy: PlacementStrategy,
        cpus: [Double],
        bundles: [Double],
        distinct: Int
    ) throws {
        let placement = try nodes(cpus)
        #expect(placement.add(try record(1, strategy, bundles.map { Resources(cpu: $0) })) == true)
        #expect(placement.settle().isEmpty)
        let places = places(placement, 1)
        guard distinct > 0 else {
            #expect(places.allSatisfy { $0 == nil })
            #expect(free(placement) == cpus)
            #expect(placement.placement.summary(of: Self.id(1))?.state == .pending)
            return
        }
        #expect(Set(places).count == distinct)
        #expect(placement.placement.summary(of: Self.id(1))?.state == .created)
        let taken: Double = cpus.reduce(0, +) - free(placement).reduce(0, +)
        #expect(taken == bundles.reduce(0, +))
        for (index, cpu) in cpus.enumerated() {
            var left = cpu
            for (place, bundle) in zip(places, bundles) where place == "n\(index)" { left -= bundle }
            #expect(free(placement)[index] == left)
        }
    }

    @Test func `PGR-07: a group without bundles, or with a bundle of nothing, is refused`() {
        for bundles in [[], [Resources()], [Self.one, Resources(cpu: 0)], [Resources(cpu: -1)], [Resources(gpu: 1.5)]] {
            let error = #expect(throws: ActorError.self) { try record(1, .pack, bundles) }
            #expect(error?.code == .invalidArgument)
        }
        #expect(throws: ActorError.self) { try record(1, .pack, Array(repeating: Self.one, count: 1025)) }
        #expect(throws: ActorError.self) { try record(1, .pack, [Self.one], name: "a b") }
    }

    @Test func `what a group reserves nobody outside gets, and its actors get no more than that`() throws {
        let placement = try nodes([3])
        _ = placement.add(try record(1, .pack, [Self.one, Resources(cpu: 2)]))
        _ = placement.settle()
        let outside = Placement.Request(actor: PlacementTests.actor(9), demand: try ResourceDemand(Self.one))
        #expect(placement.request(outside) == .waits("1 cpu, which no node has free"))

        guard case .placed(let first) = placement.request(try request(1, Self.one, in: 1, bundle: 1)) else {
            Issue.record("not placed")
            return
        }
        #expect(first.bundle == Placement.BundleName(placementGroup: Self.id(1), index: 1))
        let second = placement.request(try request(2, Resources(cpu: 2), in: 1, bundle: 1))
        #expect(second == .waits("2 cpu, which bundle 1 of its placement group has not free"))
        let third = placement.request(try request(3, Self.one, in: 1))
        guard case .placed(let anywhere) = third else {
            Issue.record("not placed: \(third)")
            return
        }
        #expect(anywhere.bundle?.index == 0, "the first that has room")
        placement.release(PlacementTests.actor(1))
        #expect(placement.settle().map(\.actor) == [PlacementTests.actor(2)])

        let large = try request(4, Resources(cpu: 3), in: 1)
        #expect(
            placement.request(large) == .impossible("it needs 3 cpu, and no bundle of its placement group has that")
        )
        let there = try request(5, Resources(cpu: 2), in: 1, bundle: 0)
        #expect(placement.request(there) == .impossible("it needs 2 cpu, and its bundle has 1 cpu"))
        let missing = try request(6, Self.one, in: 1, bundle: 2)
        let bundles = "its placement group has the bundles 0 to 1, and no bundle 2"
        #expect(placement.request(missing) == .impossible(bundles))
        let unknown = try request(7, Self.one, in: 2)
        #expect(placement.request(unknown) == .impossible("its placement group was removed"))
    }

    @Test func `a removed group's resources are free once the last of its actors is gone`() throws {
        let placement = try nodes([2])
        _ = placement.add(try record(1, .pack, [Self.one, Self.one], name: "a"))
        _ = placement.settle()
        _ = placement.request(try request(1, Self.one, in: 1))
        _ = placement.request(try request(2, Self.one, in: 1))
        _ = placement.request(try request(3, Self.one, in: 1))
        #expect(placement.placement.placementGroup(named: "a", namespace: "default") != nil)
        #expect(placement.remove(Self.id(1)) == (1...3).map(PlacementTests.actor))
        #expect(placement.placement.placementGroup(named: "a", namespace: "default") == nil)
        #expect(placement.settle().map(\.outcome) == [.impossible("its placement group was removed")])
        placement.release(PlacementTests.actor(1))
        #expect(free(placement) == [0])
        placement.release(PlacementTests.actor(2))
        #expect(free(placement) == [2])
        #expect(placement.placement.placementGroups.isEmpty)
        #expect(placement.remove(Self.id(1)).isEmpty, "again is no error")
        #expect(!placement.placement.hasWaiting)
    }

    @Test func `of a group that waits nothing is left when it is removed`() throws {
        let placement = try nodes([1])
        _ = placement.add(try record(1, .pack, [Self.one, Self.one]))
        #expect(placement.settle().isEmpty)
        #expect(placement.placement.summary(of: Self.id(1))?.waitsFor?.contains("not at all") == true)
        #expect(placement.remove(Self.id(1)).isEmpty)
        #expect(!placement.placement.hasWaiting && placement.placement.placementGroups.isEmpty)
        #expect(free(placement) == [1])
        #expect(placement.takeChangedGroups().map(\.record) == [nil])
        #expect(placement.add(try NodeDeclaration(name: "x", Resources(cpu: 2))))
        #expect(placement.settle().isEmpty)
    }

    @Test func `only what was on a lost node is reserved anew, and its actors come back there`() throws {
        let placement = try nodes([1, 1])
        _ = placement.add(try record(1, .strictSpread, [Self.one, Self.one]))
        _ = placement.settle()
        let before = places(placement, 1)
        _ = placement.request(try request(1, Self.one, in: 1, bundle: 0))
        _ = placement.request(try request(2, Self.one, in: 1, bundle: 1))
        let lost = try #require(before[1])
        #expect(placement.remove(lost) == [PlacementTests.actor(2)])
        #expect(places(placement, 1) == [before[0], nil])
        #expect(placement.placement.summary(of: Self.id(1))?.state == .rescheduling)
        let waits = placement.request(try request(2, Self.one, in: 1, bundle: 1))
        #expect(waits == .waits("1 cpu, which bundle 1 of its placement group has not free"))
        #expect(placement.settle().isEmpty, "the other node is in use")
        #expect(placement.add(try NodeDeclaration(name: "x", Self.one)))
        #expect(placement.settle().map(\.actor) == [PlacementTests.actor(2)])
        #expect(places(placement, 1) == [before[0], "x"])
        #expect(placement.placement.summary(of: Self.id(1))?.state == .created)
    }

    @Test func `a group's GPUs are its own, and its actors share them without overlap`() throws {
        let placement = Site(Placement([try NodeDeclaration(name: "n", Resources(cpu: 4, gpu: 4))]))
        _ = placement.add(try record(1, .pack, [Resources(cpu: 1, gpu: 2)]))
        _ = placement.settle()
        var devices: [String] = []
        for number: UInt64 in 1...2 {
            let wanted = try request(number, Resources(cpu: 0, gpu: 1), in: 1)
            if case .placed(let holding) = placement.request(wanted) { devices += holding.share.devices.map(\.device) }
        }
        let outside = try ResourceDemand(Resources(cpu: 0, gpu: 2))
        if case .placed(let holding) = placement.request(.init(actor: PlacementTests.actor(3), demand: outside)) {
            devices += holding.share.devices.map(\.device)
        }
        #expect(devices.sorted() == ["0", "1", "2", "3"])
    }

    @Test func `a former supervisor's groups and their actors keep what they have`() throws {
        let before = try nodes([1, 2])
        _ = before.add(try record(1, .strictSpread, [Self.one, Self.one]))
        _ = before.settle()
        guard case .placed(let holding) = before.request(try request(1, Self.one, in: 1, bundle: 1)),
            let record = before.placement.placementGroup(Self.id(1))
        else {
            Issue.record("not placed")
            return
        }
        let after = try nodes([1, 2])
        after.restore(record)
        #expect(after.restore(holding, of: PlacementTests.actor(1)) == true)
        #expect(free(after) == free(before))
        #expect(after.placement.summary(of: Self.id(1)) == before.placement.summary(of: Self.id(1)))
        let again = after.request(try request(2, Self.one, in: 1, bundle: 1))
        #expect(again == .waits("1 cpu, which bundle 1 of its placement group has not free"))

        let fewer = try nodes([1])
        fewer.restore(record)
        #expect(fewer.placement.summary(of: Self.id(1))?.state == .rescheduling)
        let without = try nodes([1, 2])
        #expect(!without.restore(holding, of: PlacementTests.actor(1)), "its group is gone")
    }
}
