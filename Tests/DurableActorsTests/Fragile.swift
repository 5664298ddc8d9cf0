import DurableActors
import Glibc

/// Breaks in the ways in which methods break, and starts only when it may.
distributed actor Fragile: DurableActor {
    struct Setup: Codable, Sendable {
        /// The constructor crashes once for each byte of this file.
        var obstacle = ""
        /// A byte for each start.
        var log = ""
    }

    enum Way: String, Codable, Sendable, CaseIterable {
        case trap, abort, exit, childTask
    }

    @Checkpointed var value = 0

    init(_ setup: Setup, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
        guard !setup.log.isEmpty else { return }
        _ = Attempts.note(in: setup.log)
        let obstacles = Attempts.count(in: setup.obstacle)
        guard obstacles > 0 else { return }
        truncate(setup.obstacle, obstacles - 1)
        fatalError("the way is blocked")
    }

    distributed func add(_ amount: Int) -> Int {
        value += amount
        return value
    }

    distributed func read() -> Int { value }

    distributed func processID() -> Int32 { getpid() }

    /// Crashes after a change, as often as the file has fewer bytes than `times`.
    distributed func crash(_ way: Way, times: Int, log: String) async -> Int {
        value += 1000
        guard Attempts.note(in: log) <= times else { return value }
        switch way {
        case .trap: fatalError("no way, größer")
        case .abort: abort()
        case .exit: Glibc.exit(3)
        case .childTask:
            async let child: Void = Self.crashElsewhere()
            await child
        }
        return value
    }

    /// Crashes whenever it is called.
    distributed func explode(_ amount: Int) -> Int {
        value += amount
        fatalError("exploded at \(amount)")
    }

    /// Waits, without running, until the file is there; says how often it was begun.
    distributed func wait(for file: String, log: String) async throws -> Int {
        let attempt = Attempts.note(in: log)
        while access(file, F_OK) != 0 { try await Task.sleep(for: .milliseconds(2)) }
        return attempt
    }

    private static func crashElsewhere() async {
        await Task.yield()
        fatalError("in a child")
    }
}
