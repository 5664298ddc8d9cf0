import DurableActors

func detachedActors(_ runtime: ActorRuntime, _ notebook: Notebook) async throws {
    notebook.begin("Detached actors")
    let service = try await runtime.spawn(
        ModelServer.self,
        options: ActorOptions().detached(name: "global_model", namespace: "my-test")
    )
    try await service.note("before")

    // Later, or from another driver:
    let found = try await runtime.getActor(ModelServer.self, name: "global_model", namespace: "my-test")
    notebook.check("the service is found by name and namespace", found == service)
    notebook.check("it has its state", try await found.notes() == ["before"])
    let message = "the name is not known in another namespace"
    notebook.check(message, try await isMissing("global_model", in: "other", runtime))
}

func killingActors(_ runtime: ActorRuntime, _ notebook: Notebook) async throws {
    notebook.begin("Killing actors")
    let service = try await runtime.getActor(ModelServer.self, name: "global_model", namespace: "my-test")
    try await runtime.kill(service, noRestart: true)
    do {
        _ = try await service.infer(1)
        notebook.check("a call to the killed service fails", false)
    } catch let error as ActorError {
        notebook.check("a call to the killed service fails: \(error.code)", error.code == .died)
    }
    notebook.check("its name is free", try await isMissing("global_model", in: "my-test", runtime))
}

private func isMissing(_ name: String, in namespace: String, _ runtime: ActorRuntime) async throws -> Bool {
    do {
        _ = try await runtime.getActor(ModelServer.self, name: name, namespace: namespace)
        return false
    } catch let error as ActorError where error.code == .notFound {
        return true
    }
}
