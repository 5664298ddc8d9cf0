import DurableActors

/// Serves a model, and remembers what it was asked.
distributed actor ModelServer: DurableActor {
    @Checkpointed var asked: [String] = []

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
    }

    distributed func infer(_ x: Int) -> Int { x * 2 }
    distributed func note(_ caller: String) { asked.append(caller) }
    distributed func notes() -> [String] { asked }
}

/// A task that calls a server, by the handle that it was given.
struct Submissions: RemoteTask {
    var server: ModelServer
    var times: Int

    func run(on runtime: ActorRuntime) async throws -> Int {
        let references = (1...times).map { number in server.submit { try await $0.note("task \(number)") } }
        for reference in references { try await reference.value }
        return times
    }
}

func creationAndOrder(_ runtime: ActorRuntime, _ notebook: Notebook) async throws {
    notebook.begin("Actor creation and order")
    let server = try await runtime.spawn(ModelServer.self)
    notebook.check("infer(21) gives 42", try await server.infer(21) == 42)

    // A handle is a value: a task in another process gets it while the driver goes on to call.
    let task = runtime.submit(Submissions(server: server, times: 10))
    let own = (1...10).map { number in server.submit { try await $0.note("driver \(number)") } }
    for reference in own { try await reference.value }
    _ = try await task.value

    let notes = try await server.notes()
    let byDriver = notes.filter { $0.hasPrefix("driver") }
    let byTask = notes.filter { $0.hasPrefix("task") }
    notebook.check("the driver's calls ran in the order of submission", byDriver == (1...10).map { "driver \($0)" })
    notebook.check("the task's calls ran in their order", byTask == (1...10).map { "task \($0)" })
}
