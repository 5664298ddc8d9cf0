import DurableActors
import Glibc

/// Says what its worker was given.
distributed actor GPUServer: DurableActor {
    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
    }

    distributed func devices() -> String { getenv("CUDA_VISIBLE_DEVICES").map { String(cString: $0) } ?? "" }
    distributed func processID() -> Int32 { getpid() }
}

/// In a runtime of its own, whose node has what the section needs, on any machine.
func resources(_ notebook: Notebook) async throws {
    notebook.begin("Actor resource fulfillment and scheduling")
    var configuration = RuntimeConfiguration()
    configuration.resources = Resources(cpu: 4, gpu: 2)
    try await ActorRuntime.withRuntime(configuration: configuration) { runtime in
        let options = ActorOptions.default.resources(cpu: 2)
        let servers = [
            try await runtime.spawn(ModelServer.self, options: options),
            try await runtime.spawn(ModelServer.self, options: options),
        ]
        notebook.check("with two processors infer(21) gives 42", try await servers[0].infer(21) == 42)

        // Two of two processors each fill the node: a third waits, and its calls with it.
        let third = try await runtime.spawn(ModelServer.self, options: options)
        let call = third.submit { try await $0.infer(1) }
        let waiting = try await runtime.actors().first { $0.id == third.id }
        notebook.check("a third waits for \(waiting?.waitsFor ?? "nothing")", waiting?.state == .pending)
        try await runtime.kill(servers[1])
        notebook.check("it runs when another one has ended", try await call.value == 2)

        let gpus = [
            try await runtime.spawn(GPUServer.self, options: .resilient.resources(cpu: 0, gpu: 1)),
            try await runtime.spawn(GPUServer.self, options: .resilient.resources(cpu: 0, gpu: 1)),
        ]
        let devices = [try await gpus[0].devices(), try await gpus[1].devices()]
        notebook.check("two actors have a GPU each: \(devices)", Set(devices) == ["0", "1"])
        kill(try await gpus[0].processID(), SIGKILL)
        notebook.check("a restart keeps its GPU", try await gpus[0].devices() == devices[0])
    }
}

/// Two logical nodes, and resources that are reserved on them together.
func placementGroups(_ notebook: Notebook) async throws {
    notebook.begin("Nodes and placement groups")
    var configuration = RuntimeConfiguration()
    configuration.resources = Resources(cpu: 1)
    try await ActorRuntime.withRuntime(configuration: configuration) { runtime in
        for name in ["left", "right"] { try await runtime.addNode(name: name, resources: Resources(cpu: 2)) }
        let bundles = [Resources(cpu: 2), Resources(cpu: 2)]
        let group = try await runtime.placementGroup(bundles: bundles, strategy: .strictSpread)
        try await group.ready()
        let nodes = try await group.summary().bundles.compactMap(\.node)
        notebook.check("two bundles are reserved on two nodes: \(nodes)", Set(nodes) == ["left", "right"])

        let options = ActorOptions.resilient.resources(cpu: 2).scheduled(group.strategy(bundle: 1))
        let server = try await runtime.spawn(ModelServer.self, options: options)
        notebook.check("an actor in bundle 1 answers", try await server.infer(21) == 42)
        let place = try await runtime.actors().first { $0.id == server.id }?.node
        notebook.check("it is on the node of its bundle", place == nodes[1])

        try await server.note("before")
        try await runtime.killNode(nodes[1])
        try await runtime.addNode(name: "third", resources: Resources(cpu: 2))
        notebook.check("its node was killed: it has its state on another", try await server.notes() == ["before"])

        try await group.remove()
        var code: ActorError.Code?
        do {
            _ = try await server.infer(1)
        } catch let error as ActorError {
            code = error.code
        }
        notebook.check("with the placement group its actors are gone", code == .died)
    }
}
