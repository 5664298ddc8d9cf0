import DurableActors
import Glibc
import Testing

/// Lives in a placement group, or makes one.
distributed actor Member: DurableActor {
    @Checkpointed var steps: [Int] = []
    private var made: PlacementGroup?

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }

    distributed func step(_ number: Int) -> [Int] {
        steps.append(number)
        return steps
    }

    distributed func place() -> Place {
        let context = ActorContext.current
        return Place(
            node: context?.node ?? "",
            resources: context?.resources ?? [:],
            group: context?.placementGroup
        )
    }

    distributed func processID() -> Int32 { getpid() }

    distributed func create(_ options: ActorOptions) async throws -> Member {
        try await actorSystem.spawn(Member.self, options: options)
    }

    distributed func createIn(_ group: PlacementGroup) async throws -> Member {
        try await actorSystem.spawn(Member.self, options: .default.scheduled(group.strategy()))
    }

    distributed func makeGroup() async throws -> PlacementGroup {
        let group = try await actorSystem.placementGroup(bundles: [Resources(cpu: 1)])
        made = group
        return group
    }

    struct Place: Codable, Sendable, Equatable {
        var node: String
        var resources: [String: Double]
        var group: PlacementGroupID?
    }
}

/// Ray's cases of placement groups, on logical nodes.
@Suite(.serialized, .timeLimit(.minutes(2))) struct PlacementGroupConformance {
    /// A runtime whose head node has these processors, and others named a, b and so on.
    private func withNodes(head: Double, _ cpus: [Double], _ body: (ActorRuntime) async throws -> Void) async throws {
        var configuration = RuntimeConfiguration()
        configuration.resources = Resources(cpu: head, memory: 0)
        try await ActorRuntime.withRuntime(configuration: configuration) { runtime in
            for (name, cpu) in zip(["a", "b", "c"], cpus) {
                try await runtime.addNode(name: name, resources: Resources(cpu: cpu))
            }
            try await body(runtime)
        }
    }

    private func member(_ runtime: ActorRuntime, _ options: ActorOptions) async throws -> Member {
        try await runtime.spawn(Member.self, options: options)
    }

    private func free(_ runtime: ActorRuntime) async throws -> [Double] {
        try await runtime.nodes().map { $0.available["cpu"] ?? 0 }
    }

    private func bundles(_ count: Int, cpu: Double = 1) -> [Resources] {
        Array(repeating: Resources(cpu: cpu), count: count)
    }

    private static let one = ActorOptions.default.resources(cpu: 1)

    @Test func `PGR-01: an actor in a bundle is on the bundle's node and uses what it reserves`() async throws {
        try await withNodes(head: 1, [2, 2]) { runtime in
            let group = try await runtime.placementGroup(bundles: bundles(2, cpu: 2), strategy: .strictSpread)
            #expect(try await group.ready())
            let places = try await group.summary().bundles.map(\.node)
            #expect(Set(places) == ["a", "b"])
            #expect(try await free(runtime) == [1, 0, 0])
            for index in 0..<2 {
                let member = try await member(runtime, Self.one.scheduled(group.strategy(bundle: index)))
                #expect(try await member.place().node == places[index])
                #expect(try await group.summary().bundles[index].available == ["cpu": 1])
            }
            try await group.remove()
            #expect(try await free(runtime) == [1, 2, 2])
        }
    }

    @Test func `PGR-03: packed bundles are on one node, strictly or if it can be`() async throws {
        try await withNodes(head: 1, [2, 3]) { runtime in
            let strict = try await runtime.placementGroup(bundles: bundles(3), strategy: .strictPack)
            try await strict.ready()
            #expect(try await strict.summary().bundles.map(\.node) == ["b", "b", "b"])
            let second = try await runtime.placementGroup(bundles: bundles(3), strategy: .strictPack)
            #expect(try await second.ready(timeout: .milliseconds(50)) == false)
            let loose = try await runtime.placementGroup(bundles: bundles(3), strategy: .pack)
            try await loose.ready()
            #expect(Set(try await loose.summary().bundles.map(\.node)) == ["head", "a"])
            try await strict.remove()
            try await second.ready()
            try await loose.remove()
            let whole = try await runtime.placementGroup(bundles: bundles(2), strategy: .pack)
            try await whole.ready()
            #expect(try await whole.summary().bundles.map(\.node) == ["a", "a"])
        }
    }

    @Test func `PGR-04: spread bundles are on distinct nodes, strictly or if it can be`() async throws {
        try await withNodes(head: 4, [4]) { runtime in
            let strict = try await runtime.placementGroup(bundles: bundles(3), strategy: .strictSpread)
            #expect(try await strict.ready(timeout: .milliseconds(50)) == false)
            #expect(try await strict.summary().state == .pending)
            let loose = try await runtime.placementGroup(bundles: bundles(3), strategy: .spread)
            try await loose.ready()
            #expect(Set(try await loose.summary().bundles.map(\.node)) == ["head", "a"])
            try await runtime.addNode(name: "b", resources: Resources(cpu: 1))
            try await strict.ready()
            #expect(Set(try await strict.summary().bundles.map(\.node)) == ["head", "a", "b"])
        }
    }

    @Test func `PGR-07: a group of nothing is refused at once`() async throws {
        try await withNodes(head: 1, []) { runtime in
            for bundles in [[], [Resources()], [Resources(cpu: 0)], [Resources(cpu: -1)]] {
                let error = await failure { _ = try await runtime.placementGroup(bundles: bundles) }
                #expect(error?.code == .invalidArgument)
            }
            let groups = try await runtime.placementGroups()
            #expect(groups.isEmpty)
        }
    }

    @Test func `PGR-08: what a group reserves nobody outside gets, even if it is idle`() async throws {
        try await withNodes(head: 2, []) { runtime in
            let group = try await runtime.placementGroup(bundles: bundles(2))
            try await group.ready()
            let outside = try await member(runtime, Self.one)
            #expect(try await runtime.summary(of: outside).waitsFor == "1 cpu, which no node has free")
            #expect(try await member(runtime, Self.one.scheduled(group.strategy())).step(1) == [1])
            let second = try await runtime.placementGroup(bundles: bundles(1))
            #expect(try await second.ready(timeout: .milliseconds(20)) == false)
            try await group.remove()
            #expect(try await outside.step(1) == [1])
            try await second.ready()
        }
    }

    @Test func `PGR-09: removal kills the group's actors for good and frees all, and again does nothing`() async throws
    {
        try await withNodes(head: 2, []) { runtime in
            let group = try await runtime.placementGroup(bundles: bundles(2))
            let options = ActorOptions.resilient.resources(cpu: 1).scheduled(group.strategy())
            var members: [Member] = []
            for _ in 0..<3 { members.append(try await member(runtime, options)) }
            #expect(try await members[0].step(1) == [1])
            #expect(try await members[1].step(1) == [1])
            #expect(try await runtime.summary(of: members[2]).state == .pending)
            let call = members[2].submit { try await $0.step(1) }
            let process = try await members[0].processID()
            try await group.remove()
            #expect(!Processes.isAlive(process))
            #expect(try await free(runtime) == [2])
            for member in members {
                let error = await failure { _ = try await member.step(2) }
                #expect(error?.code == .died)
                #expect(error?.message.contains("its placement group was removed") == true)
            }
            #expect(await failure { _ = try await call.value }?.code == .died)
            try await group.remove()
            #expect(await failure { try await group.ready() }?.code == .notFound)
            let late = await failure { _ = try await member(runtime, options) }
            #expect(late?.code == .invalidArgument)
            let actors = try await runtime.actors()
            #expect(actors.isEmpty)
        }
    }

    @Test func `PGR-10: of a group that is removed while it waits nothing is left`() async throws {
        try await withNodes(head: 1, []) { runtime in
            let group = try await runtime.placementGroup(bundles: bundles(2))
            let waiting = try await member(runtime, Self.one.scheduled(group.strategy()))
            let ready = Task { await failure { try await group.ready() } }
            try await group.remove()
            #expect(await ready.value?.code == .notFound)
            #expect(await failure { _ = try await waiting.step(1) }?.code == .died)
            try await runtime.addNode(name: "a", resources: Resources(cpu: 2))
            #expect(try await free(runtime) == [1, 2])
            let groups = try await runtime.placementGroups()
            #expect(groups.isEmpty)
        }
    }

    @Test func `PGR-12: a group that fits nowhere is created when a node comes that has room`() async throws {
        try await withNodes(head: 1, []) { runtime in
            let group = try await runtime.placementGroup(bundles: [Resources(cpu: 4), Resources(cpu: 1)])
            let waits = try await group.summary().waitsFor
            #expect(waits == "bundles of 4 cpu; 1 cpu, which the nodes have not at all in this way")
            let member = try await member(runtime, Self.one.scheduled(group.strategy(bundle: 0)))
            let call = member.submit { try await $0.place() }
            try await runtime.addNode(name: "a", resources: Resources(cpu: 4))
            #expect(try await call.value.node == "a")
            #expect(try await group.ready())
        }
    }

    @Test func `PGR-13: children are in the group if it captures them, and outside if not or if they say so`()
        async throws
    {
        try await withNodes(head: 1, [4]) { runtime in
            let group = try await runtime.placementGroup(bundles: [Resources(cpu: 4)])
            try await group.ready()
            let capturing = try await member(runtime, Self.one.scheduled(group.strategy(capturesChildren: true)))
            let child = try await capturing.create(Self.one)
            #expect(try await child.place().group == group.id)
            #expect(try await child.create(Self.one).place().group == group.id, "and so are their children")
            let outside = try await capturing.create(.default.scheduled(.default))
            #expect(try await outside.place().group == nil)
            let plain = try await member(runtime, Self.one.scheduled(group.strategy()))
            #expect(try await plain.create(.default).place().group == nil)
        }
    }

    @Test func `PGR-15: a named group is found in its namespace, and its name is free after its removal`() async throws
    {
        try await withNodes(head: 4, []) { runtime in
            let group = try await runtime.placementGroup(bundles: bundles(1), name: "one", namespace: "x")
            #expect(try await runtime.placementGroup(named: "one", namespace: "x") == group)
            #expect(await failure { _ = try await runtime.placementGroup(named: "one") }?.code == .notFound)
            let taken = await failure {
                _ = try await runtime.placementGroup(bundles: bundles(1), name: "one", namespace: "x")
            }
            #expect(taken?.code == .nameTaken)
            let elsewhere = try await runtime.placementGroup(bundles: bundles(1), name: "one", namespace: "y")
            #expect(elsewhere != group)
            try await group.remove()
            let gone = await failure { _ = try await runtime.placementGroup(named: "one", namespace: "x") }
            #expect(gone?.code == .notFound)
            let again = try await runtime.placementGroup(bundles: bundles(1), name: "one", namespace: "x")
            #expect(again != group)
            let empty = await failure { _ = try await runtime.placementGroup(bundles: bundles(1), name: "") }
            #expect(empty?.code == .invalidArgument)
        }
    }

    @Test func `PGR-16: only a lost node's bundles are reserved anew, and restartable actors come back in them`()
        async throws
    {
        try await withNodes(head: 0, [1, 1]) { runtime in
            let group = try await runtime.placementGroup(bundles: bundles(2), strategy: .strictSpread)
            try await group.ready()
            let options = ActorOptions.resilient.resources(cpu: 1)
            let stays = try await member(runtime, options.scheduled(group.strategy(bundle: 0)))
            let moves = try await member(runtime, options.scheduled(group.strategy(bundle: 1)))
            let kept = try await stays.place().node
            #expect(try await moves.step(1) == [1])
            let process = try await stays.processID()
            try await runtime.killNode(try await moves.place().node)
            let summary = try await group.summary()
            #expect(summary.state == .rescheduling)
            #expect(summary.bundles.map(\.node) == [kept, nil])
            let waits = try await runtime.summary(of: moves).waitsFor
            #expect(waits == "1 cpu, which bundle 1 of its placement group has not free")
            #expect(try await stays.processID() == process)
            try await runtime.addNode(name: "c", resources: Resources(cpu: 1))
            #expect(try await moves.step(2) == [1, 2])
            #expect(try await moves.place().node == "c")
            #expect(try await group.ready())
            #expect(try await stays.processID() == process)
        }
    }

    @Test func `PGR-18: inside a group resources have their plain names, and the group is known`() async throws {
        try await withNodes(head: 2, []) { runtime in
            let group = try await runtime.placementGroup(bundles: bundles(1))
            let inside = try await member(runtime, Self.one.scheduled(group.strategy(bundle: 0)))
            #expect(try await inside.place() == .init(node: "head", resources: ["cpu": 1], group: group.id))
            #expect(try await runtime.summary(of: inside).placementGroup == group.id)
            let outside = try await runtime.spawn(Member.self)
            #expect(try await outside.place() == .init(node: "head", resources: [:], group: nil))
            #expect(ActorContext.current?.placementGroup == nil)
        }
    }

    @Test func `a wish that no bundle can ever meet is refused by the creation`() async throws {
        try await withNodes(head: 8, []) { runtime in
            let group = try await runtime.placementGroup(bundles: bundles(1))
            for options in [
                ActorOptions.default.resources(cpu: 2).scheduled(group.strategy()),
                Self.one.scheduled(group.strategy(bundle: 1)), Self.one.scheduled(group.strategy(bundle: -1)),
            ] {
                let refusal = await failure { _ = try await member(runtime, options) }
                #expect(refusal?.code == .invalidArgument)
            }
            let named = ActorOptions.default.resources(cpu: 2).named("free")
            _ = await failure { _ = try await member(runtime, named.scheduled(group.strategy())) }
            let steps = try await member(runtime, named).step(1)
            #expect(steps == [1], "the name was not taken by what was refused")
        }
    }

    @Test func `a group ends with the actor that made it, also with its present life only`() async throws {
        try await withNodes(head: 2, []) { runtime in
            let maker = try await member(runtime, .resilient)
            let group = try await maker.makeGroup()
            #expect(try await group.ready())
            let user = try await maker.createIn(group)
            #expect(try await user.place().group == group.id)
            kill(try await maker.processID(), SIGKILL)
            try await eventually("the group is gone") {
                try await runtime.placementGroups().count
            } is: {
                $0 == 0
            }
            #expect(await failure { _ = try await user.step(1) }?.code == .died)
            let second = try await maker.makeGroup()
            #expect(try await second.ready())
            try await runtime.kill(maker)
            #expect(try await free(runtime) == [2])
        }
    }

    @Test func `groups, their actors and those who wait outlive the supervisor`() async throws {
        try await withNodes(head: 0, [2]) { runtime in
            let group = try await runtime.placementGroup(bundles: bundles(2), name: "one")
            try await group.ready()
            let pending = try await runtime.placementGroup(bundles: bundles(3))
            let options = ActorOptions.resilient.resources(cpu: 1).scheduled(group.strategy())
            let members = [try await member(runtime, options), try await member(runtime, options)]
            for member in members { #expect(try await member.step(1) == [1]) }
            let supervisor = try #require(runtime.supervisorProcessID)
            let ready = Task { try await pending.ready() }
            kill(supervisor, SIGKILL)
            try await eventually("a new supervisor") {
                runtime.supervisorProcessID
            } is: {
                $0 != nil && $0 != supervisor
            }
            #expect(try await runtime.placementGroup(named: "one") == group)
            #expect(try await group.summary().state == .created)
            #expect(try await group.summary().bundles.map(\.available) == [[:], [:]])
            #expect(try await free(runtime) == [0, 0])
            try await runtime.addNode(name: "b", resources: Resources(cpu: 3))
            #expect(try await ready.value)
            try await group.remove()
            #expect(try await free(runtime) == [0, 2, 0])
            for member in members {
                let error = await failure { _ = try await member.step(2) }
                #expect(error?.code == .died)
            }
        }
    }

    @Test func `a detached group stays for the next runtime, and others go with their driver`() async throws {
        let scratch = ScratchDirectory()
        let directory = scratch.file("data")
        var configuration = RuntimeConfiguration()
        configuration.resources = Resources(cpu: 4)
        try await ActorRuntime.withRuntime(directory: directory, configuration: configuration) { runtime in
            let kept = try await runtime.placementGroup(bundles: bundles(1), name: "kept", isDetached: true)
            try await kept.ready()
            try await runtime.placementGroup(bundles: bundles(1)).ready()
        }
        try await ActorRuntime.withRuntime(directory: directory, configuration: configuration) { runtime in
            let groups = try await runtime.placementGroups()
            #expect(groups.map(\.name) == ["kept"])
            let kept = try await runtime.placementGroup(named: "kept")
            let inside = try await member(runtime, Self.one.scheduled(kept.strategy()))
            #expect(try await inside.place().group == kept.id)
            try await kept.remove()
        }
    }
}

extension ActorOptions {
    fileprivate func named(_ name: String) -> ActorOptions {
        var options = self
        options.name = name
        return options
    }
}
