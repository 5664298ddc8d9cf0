import DurableActors
import Glibc

/// Works for a pool.
distributed actor PoolWorker: DurableActor {
    @Checkpointed var total = 0

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }

    distributed func square(_ x: Int) -> Int { x * x }

    /// Notes its begin and its end in a file, and waits in between while a file of that name exists.
    distributed func step(_ number: Int, hold: String = "", log: String) async throws -> Int {
        Notes.write("begin \(number)", to: log)
        while access(hold, F_OK) == 0 { try await Task.sleep(for: .milliseconds(2)) }
        Notes.write("end \(number)", to: log)
        return number
    }

    distributed func add(_ amount: Int) -> Int {
        total += amount
        return amount
    }

    distributed func read() -> Int { total }

    distributed func refuse(_ number: Int) throws -> Int { throw Refusal(reason: "not \(number)") }

    /// Dies as often as the file has fewer bytes than `times`.
    distributed func squareDying(_ x: Int, times: Int, log: String) -> Int {
        if Attempts.note(in: log) <= times { raise(SIGKILL) }
        return x * x
    }

    distributed func ask(_ other: PoolWorker, _ x: Int) async throws -> Int { try await other.square(x) }

    distributed func processID() -> Int32 { getpid() }
}

/// Runs with so many workers for a pool.
func withPoolWorkers(
    _ count: Int,
    _ options: ActorOptions = .default,
    _ body: @Sendable (ActorRuntime, [PoolWorker]) async throws -> Void
) async throws {
    try await ActorRuntime.withRuntime { runtime in
        var workers: [PoolWorker] = []
        for _ in 0..<count { workers.append(try await runtime.spawn(PoolWorker.self, options: options)) }
        try await body(runtime, workers)
    }
}
