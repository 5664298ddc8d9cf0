import DurableActors
import Glibc
import Testing

/// Says what its process was given.
distributed actor Tenant: DurableActor {
    @Checkpointed var calls: [Int] = []

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }

    distributed func note(_ number: Int) -> [Int] {
        calls.append(number)
        return calls
    }

    distributed func processID() -> Int32 { getpid() }

    distributed func devices() -> String? { getenv("CUDA_VISIBLE_DEVICES").map { String(cString: $0) } }

    distributed func resources() -> [String: Double] { ActorContext.current?.resources ?? [:] }

    distributed func crash() { raise(SIGKILL) }

    distributed func leave() async throws { try await ActorContext.exit() }
}

/// Creates actors that belong to it.
distributed actor Landlord: DurableActor {
    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }

    distributed func takeIn(cpu: Double) async throws -> Tenant {
        try await actorSystem.spawn(Tenant.self, options: .default.resources(cpu: cpu))
    }
}

/// Ray's cases of resources, on the one node of a machine.
@Suite(.serialized, .timeLimit(.minutes(2))) struct ResourceConformance {
    private func withNode(_ resources: Resources, _ body: (ActorRuntime) async throws -> Void) async throws {
        var configuration = RuntimeConfiguration()
        configuration.resources = resources
        try await ActorRuntime.withRuntime(configuration: configuration) { try await body($0) }
    }

    private func tenant(_ runtime: ActorRuntime, _ options: ActorOptions) async throws -> Tenant {
        try await runtime.spawn(Tenant.self, options: options)
    }

    @Test func `RES-01: what does not fit waits, with its calls, until an earlier actor has ended`() async throws {
        try await withNode(Resources(cpu: 4)) { runtime in
            let options = ActorOptions.default.resources(cpu: 2)
            var tenants: [Tenant] = []
            for _ in 0..<4 { tenants.append(try await tenant(runtime, options)) }
            let refs = tenants.map { tenant in (1...3).map { number in tenant.submit { try await $0.note(number) } } }
            for ref in refs[0] + refs[1] { _ = try await ref.value }
            for waiting in tenants[2...] {
                let summary = try await runtime.summary(of: waiting)
                #expect(summary.state == .pending)
                #expect(summary.waitsFor == "2 cpu, which no node has free")
                #expect(summary.processID == nil)
                #expect(summary.node == nil)
                #expect(summary.resources.isEmpty)
            }
            let first = try await runtime.summary(of: tenants[0])
            #expect(first.state == .alive)
            #expect(first.waitsFor == nil)
            #expect(first.node == "head")
            #expect(first.resources == ["cpu": 2])

            try await runtime.kill(tenants[0])
            #expect(try await refs[2][2].value == [1, 2, 3], "they ran once each, in order")
            #expect(try await runtime.summary(of: tenants[3]).state == .pending, "the third was before it")
            try await runtime.kill(tenants[1])
            #expect(try await refs[3][2].value == [1, 2, 3])
        }
    }

    @Test func `RES-02: every call runs in the actor's one worker and takes nothing more`() async throws {
        try await withNode(Resources(cpu: 1)) { runtime in
            let tenant = try await tenant(runtime, .default.resources(cpu: 1))
            let refs = (1...20).map { _ in tenant.submit { try await $0.processID() } }
            var processes: Set<Int32> = []
            for ref in refs { processes.insert(try await ref.value) }
            #expect(processes == [try await runtime.process(of: tenant)])
            #expect(try await runtime.summary(of: tenant).resources == ["cpu": 1])
        }
    }

    @Test func `RES-03: whatever ends an actor, the next one gets all that it held`() async throws {
        try await withNode(Resources(cpu: 1, gpu: 1, custom: ["label": 1])) { runtime in
            let options = ActorOptions.default.resources(cpu: 1, gpu: 1, custom: ["label": 1])
            for _ in 0..<5 {
                let killed = try await tenant(runtime, options)
                #expect(try await killed.devices() == "0")
                try await runtime.kill(killed)
                let leaving = try await tenant(runtime, options)
                _ = await failure { try await leaving.leave() }
                let crashing = try await tenant(runtime, options)
                _ = await failure { try await crashing.crash() }
                let pending = try await tenant(runtime, options)
                #expect(try await pending.note(1) == [1])
                try await runtime.kill(pending)
            }
            let landlord = try await runtime.spawn(Landlord.self)
            let child = try await landlord.takeIn(cpu: 1)
            #expect(try await child.note(1) == [1])
            try await runtime.kill(landlord)
            #expect(try await tenant(runtime, options).note(1) == [1])
        }
    }

    @Test func `RES-05: with a GPU an actor holds a processor, and none if it says so`() async throws {
        try await withNode(Resources(cpu: 1, gpu: 3)) { runtime in
            let first = try await tenant(runtime, .default.resources(gpu: 1))
            #expect(try await first.resources() == ["cpu": 1, "gpu": 1])
            let second = try await tenant(runtime, .default.resources(gpu: 1))
            #expect(try await runtime.summary(of: second).waitsFor == "1 cpu and 1 gpu, which no node has free")
            let third = try await tenant(runtime, .default.resources(cpu: 0, gpu: 1))
            #expect(try await third.resources() == ["gpu": 1])
        }
    }

    @Test func `RES-07: an amount that is not allowed is refused by the creation itself`() async throws {
        try await withNode(Resources(cpu: 1)) { runtime in
            for options in [
                ActorOptions.default.resources(cpu: -1), .default.resources(cpu: 0.00001),
                .default.resources(gpu: 1.5), .default.resources(custom: ["GPU": 1]),
            ] {
                #expect(await failure { _ = try await tenant(runtime, options) }?.code == .invalidArgument)
            }
            let actors = try await runtime.actors()
            #expect(actors.isEmpty)
        }
    }

    @Test func `RES-09: no two actors have a GPU in common, and each keeps its own over its restarts`() async throws {
        try await withNode(Resources(cpu: 8, gpu: 4)) { runtime in
            let options = ActorOptions.resilient.resources(cpu: 0, gpu: 1)
            var tenants: [Tenant] = []
            for _ in 0..<2 { tenants.append(try await tenant(runtime, options)) }
            tenants.append(try await tenant(runtime, .resilient.resources(cpu: 0, gpu: 2)))
            var devices: [String] = []
            for tenant in tenants { devices.append(try #require(try await tenant.devices())) }
            #expect(devices.joined(separator: ",").split(separator: ",").sorted() == ["0", "1", "2", "3"])
            #expect(devices[2].split(separator: ",").count == 2)

            let without = try await runtime.spawn(Tenant.self)
            #expect(try await without.devices() == "", "it sees none of the node's")
            for (tenant, before) in zip(tenants, devices) {
                let process = try await tenant.processID()
                kill(process, SIGKILL)
                #expect(try await tenant.devices() == before)
                #expect(try await tenant.processID() != process)
            }
        }
    }

    @Test func `fractions of a GPU share one, and no more of them than make a whole`() async throws {
        try await withNode(Resources(cpu: 1, gpu: 2)) { runtime in
            let options = ActorOptions.default.resources(cpu: 0, gpu: 0.5)
            var devices: [String?] = []
            for _ in 0..<4 { devices.append(try await tenant(runtime, options).devices()) }
            #expect(devices == ["0", "0", "1", "1"])
            let fifth = try await tenant(runtime, options)
            #expect(try await runtime.summary(of: fifth).state == .pending)
        }
    }

    @Test func `RES-12: an actor that needs a custom resource waits where nobody has it`() async throws {
        try await withNode(Resources(cpu: 1, custom: ["label": 0.5])) { runtime in
            let options = ActorOptions.default.resources(cpu: 0, custom: ["label": 0.25])
            for _ in 0..<2 { #expect(try await tenant(runtime, options).resources() == ["label": 0.25]) }
            let third = try await tenant(runtime, options)
            #expect(try await runtime.summary(of: third).waitsFor == "0.25 label, which no node has free")
            let other = try await tenant(runtime, .default.resources(cpu: 0, custom: ["other": 1]))
            #expect(try await runtime.summary(of: other).waitsFor == "1 other, which is more than any node has")
        }
    }

    @Test func `RES-19: an owner's end withdraws what it asked for, and others get the room`() async throws {
        try await withNode(Resources(cpu: 2)) { runtime in
            let holder = try await tenant(runtime, .default.resources(cpu: 1))
            let landlord = try await runtime.spawn(Landlord.self)
            let waiting = try await landlord.takeIn(cpu: 2)
            let call = waiting.submit { try await $0.note(1) }
            #expect(try await runtime.summary(of: waiting).state == .pending)
            try await runtime.kill(landlord)
            let error = await failure { _ = try await call.value }
            #expect(error?.code == .died)
            #expect(error?.message.contains("its owner ended") == true, "\(String(describing: error))")
            try await runtime.kill(holder)
            #expect(try await tenant(runtime, .default.resources(cpu: 2)).note(1) == [1])
        }
    }

    @Test func `RES-20: inside an actor its explicit resources show, and none of one that asked for nothing`()
        async throws
    {
        try await withNode(Resources(cpu: 4, memory: 1000, custom: ["label": 2])) { runtime in
            #expect(try await runtime.spawn(Tenant.self).resources() == [:])
            let asking = try await tenant(runtime, .default.resources(cpu: 1.5, memory: 10, custom: ["label": 0.5]))
            #expect(try await asking.resources() == ["cpu": 1.5, "memory": 10, "label": 0.5])
            #expect(ActorContext.current?.resources == nil)
        }
    }

    @Test func `an actor that is killed while it waits never runs, and its calls fail`() async throws {
        try await withNode(Resources(cpu: 1)) { runtime in
            let holder = try await tenant(runtime, .default.resources(cpu: 1))
            let options = ActorOptions.resilient.resources(cpu: 1)
            let waiting = try await tenant(runtime, options)
            let call = waiting.submit { try await $0.note(1) }
            // A restart that is allowed changes nothing for who has not started.
            try await runtime.kill(waiting, noRestart: false)
            #expect(try await runtime.summary(of: waiting).waitsFor == "1 cpu, which no node has free")
            try await runtime.kill(waiting)
            #expect(await failure { _ = try await call.value }?.code == .died)
            #expect(try await runtime.actors().map(\.id) == [holder.id])
        }
    }
}
