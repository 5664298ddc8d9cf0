import DurableActors
import Glibc
import Testing

/// Says where it is, and creates others.
distributed actor Resident: DurableActor {
    @Checkpointed var steps: [Int] = []

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }

    distributed func step(_ number: Int) -> [Int] {
        steps.append(number)
        return steps
    }

    distributed func node() -> String { ActorContext.current?.node ?? "" }

    distributed func lives() -> UInt64 { ActorContext.current?.incarnation ?? 0 }

    distributed func processID() -> Int32 { getpid() }

    distributed func create(_ options: ActorOptions) async throws -> Resident {
        try await actorSystem.spawn(Resident.self, options: options)
    }
}

/// Ray's cases of several nodes, with logical ones.
@Suite(.serialized, .timeLimit(.minutes(2))) struct NodeConformance {
    /// A runtime with the head node and others named a, b and so on.
    private func withNodes(
        head: Resources,
        _ others: [Resources],
        _ body: (ActorRuntime) async throws -> Void
    ) async throws {
        var configuration = RuntimeConfiguration()
        configuration.resources = head
        try await ActorRuntime.withRuntime(configuration: configuration) { runtime in
            for (name, resources) in zip(["a", "b", "c"], others) {
                try await runtime.addNode(name: name, resources: resources)
            }
            try await body(runtime)
        }
    }

    private func resident(_ runtime: ActorRuntime, _ options: ActorOptions) async throws -> Resident {
        try await runtime.spawn(Resident.self, options: options)
    }

    @Test func `nodes are listed with what they have, what is free and who is there`() async throws {
        try await withNodes(head: Resources(cpu: 1, memory: 100), [Resources(cpu: 2, gpu: 1)]) { runtime in
            let one = try await resident(runtime, .default.resources(gpu: 1))
            #expect(try await one.node() == "a")
            let nodes = try await runtime.nodes()
            #expect(nodes.map(\.name) == ["head", "a"])
            #expect(nodes.map(\.resources) == [["cpu": 1, "memory": 100], ["cpu": 2, "gpu": 1]])
            #expect(nodes.map(\.available) == [["cpu": 1, "memory": 100], ["cpu": 1]])
            #expect(nodes.map(\.actors) == [0, 1])
            #expect(await failure { try await runtime.addNode(name: "a", resources: Resources()) }?.code == .nameTaken)
            for name in ["head", "x"] {
                let code = name == "x" ? ActorError.Code.notFound : .invalidArgument
                #expect(await failure { try await runtime.killNode(name) }?.code == code)
                #expect(await failure { try await runtime.drainNode(name) }?.code == code)
            }
            let invalid = await failure { try await runtime.addNode(name: "b", resources: Resources(cpu: -1)) }
            #expect(invalid?.code == .invalidArgument)
        }
    }

    @Test func `the head node has what the environment of the first driver declares`() async throws {
        let scratch = ScratchDirectory()
        let directory = scratch.file("data")
        let declared = "cpu=3,gpu=2,memory=1000,label=0.5"
        let environment = ["DURABLE_NODE_RESOURCES": declared, "CUDA_VISIBLE_DEVICES": "5,7"]
        let driver = try TestProcess(["hold", directory], environment: environment)
        try await ActorRuntime.withRuntime(directory: directory) { runtime in
            let nodes = try await runtime.nodes()
            #expect(nodes.map(\.resources) == [["cpu": 3, "gpu": 2, "memory": 1000, "label": 0.5]])
            let tenant = try await runtime.spawn(Tenant.self, options: .default.resources(gpu: 1))
            #expect(try await tenant.devices() == "5")
        }
        driver.end()
    }

    @Test func `RES-12: actors that need a label are on the nodes that have it only`() async throws {
        let labelled = Resources(cpu: 1, custom: ["label": 2])
        try await withNodes(head: Resources(cpu: 8), [labelled, Resources(cpu: 8)]) { runtime in
            let options = ActorOptions.default.resources(cpu: 0, custom: ["label": 1])
            for _ in 0..<2 { #expect(try await resident(runtime, options).node() == "a") }
            let third = try await resident(runtime, options)
            #expect(try await runtime.summary(of: third).state == .pending)
            try await runtime.addNode(name: "d", resources: labelled)
            #expect(try await third.node() == "d")
        }
    }

    @Test func `RES-13: an actor is placed on its creator's node while that has room, and else on another`()
        async throws
    {
        try await withNodes(head: Resources(cpu: 2), [Resources(cpu: 2), Resources(cpu: 2)]) { runtime in
            #expect(try await resident(runtime, .default.resources(cpu: 1)).node() == "head")
            let creator = try await resident(runtime, .default.scheduled(.node("b", soft: false)))
            #expect(try await creator.node() == "b")
            for _ in 0..<2 { #expect(try await creator.create(.default.resources(cpu: 1)).node() == "b") }
            #expect(try await creator.create(.default.resources(cpu: 1)).node() != "b")
        }
    }

    @Test func `RES-15: spread actors are on distinct nodes, and evenly many on each`() async throws {
        let eight = Resources(cpu: 8)
        try await withNodes(head: eight, [eight, eight]) { runtime in
            var nodes: [String: Int] = [:]
            for count in 1...6 {
                nodes[try await resident(runtime, .default.scheduled(.spread)).node(), default: 0] += 1
                if count == 3 { #expect(nodes == ["head": 1, "a": 1, "b": 1]) }
            }
            #expect(nodes == ["head": 2, "a": 2, "b": 2])
        }
    }

    @Test func `an actor that insists on a node that is not there dies, and one that prefers it does not`() async throws
    {
        try await withNodes(head: Resources(cpu: 1), [Resources(cpu: 1)]) { runtime in
            let insisting = try await resident(runtime, .resilient.scheduled(.node("x", soft: false)))
            let error = await failure { _ = try await insisting.node() }
            #expect(error?.code == .died)
            #expect(error?.message.contains("cannot be placed: there is no node \"x\"") == true)
            #expect(try await resident(runtime, .default.scheduled(.node("x", soft: true))).node() == "head")

            let options = ActorOptions.default.resources(cpu: 1).scheduled(.node("a", soft: true))
            let holder = try await resident(runtime, options)
            #expect(try await holder.node() == "a")
            let busy = try await resident(runtime, options)
            #expect(try await runtime.summary(of: busy).waitsFor == "1 cpu, which node \"a\" has not free")
            try await runtime.kill(holder)
            #expect(try await busy.node() == "a")
        }
    }

    @Test func `RST-24, STA-13: a lost node's actors go on elsewhere with their state, when there is room`()
        async throws
    {
        let one = Resources(cpu: 1, custom: ["site": 1])
        try await withNodes(head: Resources(cpu: 1), [one, one]) { runtime in
            var options = ActorOptions.resilient.resources(cpu: 1, custom: ["site": 1])
            options.maxRestarts = 2
            let resident = try await resident(runtime, options)
            let first = try await resident.node()
            let other = first == "a" ? "b" : "a"
            let process = try await resident.processID()
            #expect(try await resident.step(1) == [1])
            try await runtime.killNode(first)
            #expect(!Processes.isAlive(process))
            #expect(try await resident.step(2) == [1, 2])
            #expect(try await resident.node() == other)

            try await runtime.killNode(other)
            let call = resident.submit { try await $0.step(3) }
            let summary = try await runtime.summary(of: resident)
            #expect(summary.state == .restarting)
            #expect(summary.waitsFor == "1 cpu and 1 site, which is more than any node has")
            #expect(summary.restarts == 2)
            #expect(summary.node == nil)
            try await runtime.addNode(name: "c", resources: one)
            #expect(try await call.value == [1, 2, 3])
            #expect(try await resident.node() == "c")

            try await runtime.killNode("c")
            let error = await failure { _ = try await resident.step(4) }
            #expect(error?.code == .died)
            #expect(error?.message.contains("its node \"c\" died") == true, "\(String(describing: error))")
        }
    }

    @Test func `BUF-11: actors that a lost node was to start all start elsewhere`() async throws {
        let ten = Resources(cpu: 10)
        try await withNodes(head: Resources(cpu: 0), [ten]) { runtime in
            var options = ActorOptions(maxRestarts: 1, maxTaskRetries: .unlimited)
            options = options.resources(cpu: 1)
            var residents: [Resident] = []
            for _ in 0..<10 { residents.append(try await resident(runtime, options)) }
            let calls = residents.map { resident in resident.submit { try await $0.step(1) } }
            async let killing: Void = runtime.killNode("a")
            try await runtime.addNode(name: "b", resources: ten)
            try await killing
            for call in calls { #expect(try await call.value == [1]) }
            for resident in residents { #expect(try await resident.node() == "b") }
        }
    }

    @Test func `RST-34: a drained node's actors move, and no restart is counted`() async throws {
        let four = Resources(cpu: 4)
        try await withNodes(head: Resources(cpu: 0), [four, four]) { runtime in
            let affinity = SchedulingStrategy.node("a", soft: true)
            let moving = try await resident(
                runtime,
                ActorOptions(maxRestarts: 1, maxTaskRetries: 1).scheduled(affinity)
            )
            let staying = try await resident(runtime, .default.resources(cpu: 1).scheduled(affinity))
            #expect(try await moving.step(1) == [1])
            #expect(try await staying.step(1) == [1])
            try await runtime.drainNode("a")
            try await eventually("it has moved") {
                try await runtime.summary(of: moving)
            } is: {
                $0.node == "b" && $0.state == .alive
            }
            #expect(try await moving.step(2) == [1, 2])
            #expect(try await runtime.summary(of: moving).restarts == 0)
            #expect(try await moving.lives() == 2)
            #expect(try await staying.node() == "a", "it may not be restarted, so it stays")
            #expect(try await resident(runtime, .default.scheduled(affinity)).node() == "b")
            #expect(try await runtime.nodes().map(\.isDraining) == [false, true, false])

            try await runtime.killNode("a")
            let error = await failure { _ = try await staying.step(2) }
            #expect(error?.message.contains("its node \"a\" was drained") == true, "\(String(describing: error))")
            kill(try await moving.processID(), SIGKILL)
            #expect(try await moving.step(3) == [1, 2, 3])
            #expect(try await runtime.summary(of: moving).restarts == 1)
        }
    }

    @Test func `CHA-02: nodes killed one after the other with calls in flight lose and repeat no change`() async throws
    {
        let two = Resources(cpu: 2)
        try await withNodes(head: Resources(cpu: 0), [two, two]) { runtime in
            let options = ActorOptions.resilient.resources(cpu: 1)
            var residents: [Resident] = []
            for _ in 0..<2 { residents.append(try await resident(runtime, options)) }
            var calls: [[ObjectRef<[Int]>]] = [[], []]
            var names = ["a", "b"]
            for round in 0..<4 {
                for (index, resident) in residents.enumerated() {
                    for number in 0..<20 {
                        calls[index].append(resident.submit { try await $0.step(round * 20 + number) })
                    }
                }
                try await runtime.killNode(names.removeFirst())
                names.append("n\(round)")
                try await runtime.addNode(name: "n\(round)", resources: two)
            }
            for index in 0..<2 {
                for (number, call) in calls[index].enumerated() { #expect(try await call.value == Array(0...number)) }
            }
        }
    }

    @Test func `added nodes and who is on them outlive the supervisor, and go with the runtime`() async throws {
        let scratch = ScratchDirectory()
        var configuration = RuntimeConfiguration()
        configuration.resources = Resources(cpu: 1)
        let directory = scratch.file("data")
        try await ActorRuntime.withRuntime(directory: directory, configuration: configuration) { runtime in
            for name in ["a", "b", "c"] { try await runtime.addNode(name: name, resources: Resources(cpu: 1)) }
            let options = ActorOptions.resilient.resources(cpu: 1).scheduled(.node("b", soft: false))
            let resident = try await resident(runtime, options)
            #expect(try await resident.step(1) == [1])
            try await runtime.drainNode("a")
            try await runtime.killNode("c")
            let supervisor = try #require(runtime.supervisorProcessID)
            kill(supervisor, SIGKILL)
            try await eventually("a new supervisor") {
                runtime.supervisorProcessID
            } is: {
                $0 != nil && $0 != supervisor
            }
            let nodes = try await runtime.nodes()
            #expect(Set(nodes.map(\.name)) == ["head", "a", "b"])
            #expect(nodes.first { $0.name == "a" }?.isDraining == true)
            #expect(nodes.first { $0.name == "b" }?.available == [:])
            #expect(nodes.first { $0.name == "b" }?.actors == 1)
            try await runtime.killNode("b")
            #expect(await failure { _ = try await resident.step(2) }?.code == .died)
        }
        try await ActorRuntime.withRuntime(directory: directory, configuration: configuration) { runtime in
            let nodes = try await runtime.nodes()
            #expect(nodes.map(\.name) == ["head"])
        }
    }
}
