import DurableActors
import Glibc

/// Squares a number.
struct Square: RemoteTask {
    var x: Int

    func run(on runtime: ActorRuntime) async throws -> Int { x * x }
}

/// Says in which process it runs, and as which actor.
struct Whereabouts: RemoteTask {
    struct Output: Codable, Sendable, Equatable {
        var process: Int32
        var actor: ActorID?
        var exit: ActorError.Code?
    }

    func run(on runtime: ActorRuntime) async throws -> Output {
        let exit = await failure { try await ActorContext.exit() }
        return Output(process: getpid(), actor: ActorContext.current?.actorID, exit: exit?.code)
    }
}

/// Notes its begin and its end in a file, waits in between while a file of that name exists, and says where it was.
struct Step: RemoteTask {
    var number: Int
    var hold = ""
    var log: String

    func run(on runtime: ActorRuntime) async throws -> Int32 {
        Notes.write("begin \(number)", to: log)
        while access(hold, F_OK) == 0 { try await Task.sleep(for: .milliseconds(2)) }
        Notes.write("end \(number)", to: log)
        return getpid()
    }
}

/// Fails in its way as often as the file has fewer bytes than `times`.
struct Failing: RemoteTask {
    enum Way: String, Codable, Sendable { case killed, trap, refusal, plain }

    var way: Way
    var times: Int
    var log: String

    func run(on runtime: ActorRuntime) async throws -> Int32 {
        guard Attempts.note(in: log) <= times else { return getpid() }
        switch way {
        case .killed: raise(SIGKILL)
        case .trap: fatalError("the task does not go on")
        case .refusal: throw Refusal(reason: "größer")
        case .plain: throw PlainError()
        }
        return 0
    }
}

/// Adds to a counter, then dies as often as the file has fewer bytes than `times`.
struct Addition: RemoteTask {
    var counters: [String: [Counter]]
    var amount: Int
    var times = 0
    var log = ""

    func run(on runtime: ActorRuntime) async throws -> Int {
        var sum = 0
        for counter in counters.values.joined() { sum = try await counter.add(amount) }
        if times > 0, Attempts.note(in: log) <= times { raise(SIGKILL) }
        return sum
    }
}

/// Writes a stream of its own into an actor, and submits a task that does the same.
struct Fork: RemoteTask {
    var scribe: Scribe
    var name: String
    var items: Int
    var depth: Int

    func run(on runtime: ActorRuntime) async throws -> Int {
        let lines = (0..<items).map { item in scribe.submit { try await $0.write("\(name) \(item)") } }
        var streams = 1
        if depth > 0 {
            var next = self
            next.name += "+"
            next.depth -= 1
            streams += try await runtime.run(next)
        }
        for line in lines { try await line.value }
        return streams
    }
}

/// Counts the leaves of a tree of tasks.
struct TaskTree: RemoteTask {
    var width: Int
    var depth: Int

    func run(on runtime: ActorRuntime) async throws -> Int {
        guard depth > 0 else { return 1 }
        let branches = (0..<width).map { _ in runtime.submit(TaskTree(width: width, depth: depth - 1)) }
        return try await runtime.get(branches).reduce(0, +)
    }
}

/// Keeps lines.
distributed actor Scribe: DurableActor {
    @Checkpointed var lines: [String] = []

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }

    distributed func write(_ line: String) { lines.append(line) }

    distributed func all() -> [String] { lines }
}

/// Makes a counter, and adds to it.
struct Founding: RemoteTask {
    var amount: Int

    func run(on runtime: ActorRuntime) async throws -> Counter {
        let counter = try await runtime.spawn(Counter.self)
        _ = try await counter.add(amount)
        return counter
    }
}

/// Adds to a counter that it finds by its name.
struct Finding: RemoteTask {
    var name: String

    func run(on runtime: ActorRuntime) async throws -> Int {
        try await runtime.getActor(Counter.self, name: name).add(1)
    }
}

/// An actor that has tasks run.
distributed actor Employer: DurableActor {
    @Checkpointed var lives = 0

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }

    distributed func processID() -> Int32 { getpid() }

    distributed func whereabouts() async throws -> Whereabouts.Output { try await actorSystem.run(Whereabouts()) }

    distributed func find(_ name: String) async throws -> Int { try await actorSystem.run(Finding(name: name)) }

    distributed func found(_ amount: Int) async throws -> Counter {
        try await actorSystem.run(Founding(amount: amount))
    }
}

/// A user's type that is called like one of the framework's.
distributed actor TaskWorker: DurableActor {
    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }
}
