import DurableActors
import Glibc

/// Counts durably; does as it is told to its own process.
distributed actor Tally: DurableActor {
    @Checkpointed var value = 0

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
    }

    distributed func add(_ amount: Int) -> Int {
        value += amount
        return value
    }

    distributed func processID() -> Int32 { getpid() }

    /// Writes a line to the worker's stderr.
    distributed func say(_ line: String) {
        let text = line + "\n"
        _ = text.withCString { write(2, $0, strlen($0)) }
    }

    /// Starts a process that outlives the worker, and says its number.
    distributed func startSleeper() -> Int32 {
        var pid: pid_t = 0
        let arguments = ["/bin/sleep", "600"].map { (text: String) in strdup(text) }
        defer { for argument in arguments { free(argument) } }
        return posix_spawn(&pid, "/bin/sleep", nil, nil, arguments + [nil], nil) == 0 ? pid : -1
    }
}
