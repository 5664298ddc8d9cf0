import DurableActors
import Glibc

/// "Ray Actors in Detail", section by section, with actors whose state survives.
func notebook(_ runtime: ActorRuntime) async throws -> Int32 {
    let notebook = Notebook()
    try await simpleSubmission(runtime, notebook)
    try await resources(notebook)
    try await placementGroups(notebook)
    try await creationAndOrder(runtime, notebook)
    try await processFailure(runtime, notebook)
    try await stateRestoration(runtime, notebook)
    try await detachedActors(runtime, notebook)
    try await killingActors(runtime, notebook)
    try await multithreadedActors(runtime, notebook)
    try await asyncActors(runtime, notebook)
    try await concurrencyGroups(runtime, notebook)
    try await actorPools(runtime, notebook)
    return notebook.conclusion()
}

exit(try await ActorRuntime.withRuntime { try await notebook($0) })
