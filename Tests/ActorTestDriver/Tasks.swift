import DurableActors
import Glibc

/// Says in which process it runs.
struct ProcessOfTask: RemoteTask {
    func run(on runtime: ActorRuntime) async throws -> Int32 { getpid() }
}

/// Prints the processes of a task's worker and of the supervisor, then waits to be killed or for end of input.
func runTasks(in directory: String) async throws {
    let runtime = try await ActorRuntime.start(directory: directory)
    print(try await runtime.run(ProcessOfTask()), runtime.supervisorProcessID ?? 0)
    fflush(nil)
    while readLine() != nil {}
    await runtime.shutdown()
}
