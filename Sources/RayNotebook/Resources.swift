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
