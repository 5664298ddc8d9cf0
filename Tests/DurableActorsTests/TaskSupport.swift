import DurableActors
import Glibc

/// Squares a number.
struct SquareTask: RemoteTask {
    var x: Int

    func run(on runtime: ActorRuntime) async throws -> Int { x * x }
}

/// Says in which process it runs, and as which actor.
struct WhereaboutsTask: RemoteTask {
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
struct StepTask: RemoteTask {
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
struct FailingTask: RemoteTask {
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
struct AdditionTask: RemoteTask {
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
struct ForkTask: RemoteTask {
    var scribe: TaskScribe
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
struct TreeTask: RemoteTask {
    var width: Int
    var depth: Int

    func run(on runtime: ActorRuntime) async throws -> Int {
        guard depth > 0 else { return 1 }
        let branches = (0..<width).map { _ in runtime.submit(TreeTask(width: width, depth: depth - 1)) }
        return try await runtime.get(branches).reduce(0, +)
    }
}

/// Cannot be encoded, or read, or gives what cannot be encoded.
struct StubbornTask: RemoteTask {
    enum Point: String, Codable, Sendable { case sending, reading, answering }

    struct Output: Codable, Sendable {
        var isStubborn: Bool

        func encode(to encoder: any Encoder) throws {
            if isStubborn { throw Refusal(reason: "no output") }
            var container = encoder.singleValueContainer()
            try container.encode(isStubborn)
        }

        init(isStubborn: Bool) { self.isStubborn = isStubborn }

        init(from decoder: any Decoder) throws { isStubborn = try decoder.singleValueContainer().decode(Bool.self) }
    }

    var point: Point

    init(_ point: Point) { self.point = point }

    init(from decoder: any Decoder) throws {
        point = try decoder.singleValueContainer().decode(Point.self)
        if point == .reading { throw Refusal(reason: "no input") }
    }

    func encode(to encoder: any Encoder) throws {
        if point == .sending { throw Refusal(reason: "no sending") }
        var container = encoder.singleValueContainer()
        try container.encode(point)
    }

    func run(on runtime: ActorRuntime) async throws -> Output { Output(isStubborn: point == .answering) }
}

/// Keeps lines.
distributed actor TaskScribe: DurableActor {
    @Checkpointed var lines: [String] = []

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }

    distributed func write(_ line: String) { lines.append(line) }

    distributed func all() -> [String] { lines }
}

/// Makes a counter, and adds to it.
struct FoundingTask: RemoteTask {
    var amount: Int

    func run(on runtime: ActorRuntime) async throws -> Counter {
        let counter = try await runtime.spawn(Counter.self)
        _ = try await counter.add(amount)
        return counter
    }
}

/// Adds to a counter that it finds by its name.
struct FindingTask: RemoteTask {
    var name: String

    func run(on runtime: ActorRuntime) async throws -> Int {
        try await runtime.getActor(Counter.self, name: name).add(1)
    }
}

/// An actor that has tasks run.
distributed actor TaskEmployer: DurableActor {
    @Checkpointed var lives = 0

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }

    distributed func processID() -> Int32 { getpid() }

    distributed func whereabouts() async throws -> WhereaboutsTask.Output {
        try await actorSystem.run(WhereaboutsTask())
    }

    distributed func find(_ name: String) async throws -> Int { try await actorSystem.run(FindingTask(name: name)) }

    distributed func found(_ amount: Int) async throws -> Counter {
        try await actorSystem.run(FoundingTask(amount: amount))
    }
}

/// A user's type that is called like one of the framework's.
distributed actor TaskWorker: DurableActor {
    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }
}
