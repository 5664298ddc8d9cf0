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

/// Calls a server that it was given a handle of.
distributed actor Submitter: DurableActor {
    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
    }

    distributed func note(on server: ModelServer, times: Int) async throws {
        let references = (1...times).map { number in server.submit { try await $0.note("other \(number)") } }
        for reference in references { try await reference.value }
    }
}

func creationAndOrder(_ runtime: ActorRuntime, _ notebook: Notebook) async throws {
    notebook.begin("Actor creation and order")
    let server = try await runtime.spawn(ModelServer.self)
    notebook.check("infer(21) gives 42", try await server.infer(21) == 42)

    // A handle is a value: another actor gets it while the driver goes on to call.
    let submitter = try await runtime.spawn(Submitter.self)
    let other = submitter.submit { try await $0.note(on: server, times: 10) }
    let own = (1...10).map { number in server.submit { try await $0.note("driver \(number)") } }
    for reference in own { try await reference.value }
    try await other.value

    let notes = try await server.notes()
    let byDriver = notes.filter { $0.hasPrefix("driver") }
    let byOther = notes.filter { $0.hasPrefix("other") }
    notebook.check("the driver's calls ran in the order of submission", byDriver == (1...10).map { "driver \($0)" })
    notebook.check("the other actor's calls ran in their order", byOther == (1...10).map { "other \($0)" })
}
