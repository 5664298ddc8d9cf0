import DurableActors
import Glibc

/// Takes memory until the kernel ends its process.
distributed actor Glutton: DurableActor {
    @Checkpointed var value = 0

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
    }

    distributed func processID() -> Int32 { getpid() }

    distributed func devour() {
        // While its memory is being freed, the kernel may look for somebody else to kill: nobody else is to be found.
        if let file = fopen("/proc/self/oom_score_adj", "w") {
            fputs("1000", file)
            fclose(file)
        }
        while let piece = malloc(1 << 20) { memset(piece, 1, 1 << 20) }
    }
}

/// Ends two lives of an actor, the first by a signal and the second for want of memory, and prints both processes and
/// what the caller of the second was told.
func hoard(in directory: String) async throws {
    let runtime = try await ActorRuntime.start(directory: directory)
    let glutton = try await runtime.getOrCreate(Glutton.self, name: "glutton", options: ActorOptions(maxRestarts: 1))
    let first = try await glutton.processID()
    kill(first, SIGKILL)
    var second: Int32?
    while second == nil { second = try? await glutton.processID() }
    var said = "nothing"
    do {
        try await glutton.devour()
    } catch {
        said = "\(error)"
    }
    print("\(first) \(second ?? 0) \(said)")
    fflush(nil)
    while readLine() != nil {}
    await runtime.shutdown()
}
