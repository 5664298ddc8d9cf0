import DurableActors
import DurableSupervisor
import Glibc
import Testing

/// Who holds what outlives the supervisor.
@Suite(.serialized, .timeLimit(.minutes(2))) struct ResourceRecoveryTests {
    private func configuration(_ resources: Resources) -> RuntimeConfiguration {
        var configuration = RuntimeConfiguration()
        configuration.resources = resources
        return configuration
    }

    private func replaceSupervisor(of runtime: ActorRuntime, killing worker: Int32? = nil) async throws {
        let supervisor = try #require(runtime.supervisorProcessID)
        kill(supervisor, SIGKILL)
        if let worker { kill(worker, SIGKILL) }
        try await eventually("a new supervisor") {
            runtime.supervisorProcessID
        } is: {
            $0 != nil && $0 != supervisor
        }
    }

    @Test func `a killed supervisor's successor gives nobody what an adopted worker holds`() async throws {
        let configuration = configuration(Resources(cpu: 2, gpu: 2))
        try await ActorRuntime.withRuntime(configuration: configuration) { runtime in
            let options = ActorOptions.default.resources(gpu: 1)
            let first = try await runtime.spawn(Tenant.self, options: options)
            let device = try #require(try await first.devices())
            for number in 1...3 {
                try await replaceSupervisor(of: runtime)
                let second = try await runtime.spawn(Tenant.self, options: options)
                let other = try #require(try await second.devices())
                #expect(Set([device, other]) == ["0", "1"])
                let summary = try await runtime.summary(of: first)
                #expect(summary.resources == ["cpu": 1, "gpu": 1])
                #expect(summary.node == "head")
                #expect(summary.incarnation == 1)
                let third = try await runtime.spawn(Tenant.self, options: options)
                #expect(try await runtime.summary(of: third).state == .pending)
                try await runtime.kill(third)
                try await runtime.kill(second)
                #expect(try await first.note(number) == Array(1...number))
            }
        }
    }

    @Test func `an actor that waits goes on waiting under the next supervisor, and then runs its calls`() async throws {
        let configuration = configuration(Resources(cpu: 1))
        try await ActorRuntime.withRuntime(configuration: configuration) { runtime in
            let options = ActorOptions.resilient.resources(cpu: 1)
            let holder = try await runtime.spawn(Tenant.self, options: options)
            #expect(try await holder.note(1) == [1])
            let waiting = [
                try await runtime.spawn(Tenant.self, options: options),
                try await runtime.spawn(Tenant.self, options: options),
            ]
            let call = waiting[0].submit { try await $0.note(1) }
            try await replaceSupervisor(of: runtime)
            // The second of them nobody asks for anything: it waits all the same.
            for actor in waiting {
                try await eventually("it waits again") {
                    try await runtime.summary(of: actor).state
                } is: {
                    $0 == .pending
                }
            }
            try await runtime.kill(holder)
            #expect(try await call.value == [1])
            try await runtime.kill(waiting[0])
            try await eventually("the last one runs") {
                try await runtime.summary(of: waiting[1]).state
            } is: {
                $0 == .alive
            }
        }
    }

    @Test func `a worker that dies together with its supervisor comes back with its GPU`() async throws {
        let configuration = configuration(Resources(cpu: 2, gpu: 2))
        try await ActorRuntime.withRuntime(configuration: configuration) { runtime in
            let options = ActorOptions.resilient.resources(cpu: 0, gpu: 1)
            let first = try await runtime.spawn(Tenant.self, options: options)
            let second = try await runtime.spawn(Tenant.self, options: options)
            #expect(try await [first.devices(), second.devices()] == ["0", "1"])
            let process = try await second.processID()
            try await replaceSupervisor(of: runtime, killing: process)
            #expect(try await second.devices() == "1")
            #expect(try await second.processID() != process)
            #expect(try await first.devices() == "0")
        }
    }

    @Test func `a detached actor that does not run holds nothing, and asks again when it is used`() async throws {
        let scratch = ScratchDirectory()
        let directory = scratch.file("data")
        let configuration = configuration(Resources(cpu: 1))
        let options = ActorOptions.resilient.resources(cpu: 1)
        var runtime = try await ActorRuntime.start(directory: directory, configuration: configuration)
        let named = try await runtime.spawn(Tenant.self, options: options.detached(name: "one"))
        #expect(try await named.note(1) == [1])
        let processes = [try await named.processID(), try #require(runtime.supervisorProcessID)]
        await runtime.shutdown()
        try await eventually("that the driver has left is stored") {
            let store = try RegistryStore(RuntimeLayout(directory: directory), readOnly: true)
            defer { store.close() }
            return try store.load().drivers.count
        } is: {
            $0 == 0
        }
        for process in processes.reversed() { kill(process, SIGKILL) }
        for process in processes {
            try await eventually("process \(process) is gone") {
                Processes.isAlive(process)
            } is: {
                !$0
            }
        }

        runtime = try await ActorRuntime.start(directory: directory, configuration: configuration)
        let owned = try await runtime.spawn(Tenant.self, options: options)
        #expect(try await owned.note(1) == [1], "the processor is free")
        let again = try await runtime.getActor(Tenant.self, name: "one")
        let call = again.submit { try await $0.note(2) }
        #expect(try await runtime.summary(of: again).waitsFor == "1 cpu, which no node has free")
        try await runtime.kill(owned)
        #expect(try await call.value == [1, 2])
        try await runtime.kill(again)
        await runtime.shutdown()
    }

    @Test func `detached actors that only wait do not keep the supervisor`() async throws {
        let scratch = ScratchDirectory()
        let directory = scratch.file("data")
        let configuration = configuration(Resources(cpu: 1))
        let runtime = try await ActorRuntime.start(directory: directory, configuration: configuration)
        let options = ActorOptions.resilient.resources(cpu: 2).detached(name: "large")
        let large = try await runtime.spawn(Tenant.self, options: options)
        #expect(try await runtime.summary(of: large).waitsFor == "2 cpu, which is more than any node has")
        let supervisor = try #require(runtime.supervisorProcessID)
        await runtime.shutdown()
        #expect(!Processes.isAlive(supervisor))

        let roomy = self.configuration(Resources(cpu: 2))
        try await ActorRuntime.withRuntime(directory: directory, configuration: roomy) { runtime in
            let large = try await runtime.getActor(Tenant.self, name: "large")
            #expect(try await large.note(1) == [1])
            try await runtime.kill(large)
        }
    }
}
