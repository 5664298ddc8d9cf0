import DurableActors
import Glibc

/// Threads: blocking work runs beside the actor's own thread, where the value is touched. No lock is needed.
distributed actor ThreadedCounter: DurableActor {
    @Checkpointed var value = 0

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
    }

    distributed func add(_ x: Int) async throws -> Int {
        try await offload { _ = usleep(100_000) }  // Simulates work.
        value += x
        return value
    }
}

/// Calls interleave where they wait.
distributed actor AsyncWorker: DurableActor {
    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
    }

    distributed func work(_ i: Int) async throws -> Int {
        try await Task.sleep(for: .milliseconds(200))
        return i * i
    }
}

/// Two groups of methods, each with its own limit; `healthCheck` is in the default group.
distributed actor GroupedWorker: DurableActor {
    static var concurrencyGroups: [ConcurrencyGroup] {
        [
            ConcurrencyGroup("io", limit: 2, methods: ["fetchData"]),
            ConcurrencyGroup("compute", limit: 4, methods: ["processData"]),
        ]
    }

    private var running = ["fetch": 0, "process": 0]
    private var most = ["fetch": 0, "process": 0, "both": 0]

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
    }

    distributed func fetchData() async throws -> String {
        try await work("fetch", .milliseconds(100))
        return "data"
    }

    distributed func processData(_ data: String) async throws -> String {
        try await work("process", .milliseconds(200))
        return "processed: \(data)"
    }

    distributed func healthCheck() -> String { "healthy" }

    /// How many calls ran at once.
    distributed func highest() -> [String: Int] { most }

    private func work(_ kind: String, _ duration: Duration) async throws {
        running[kind, default: 0] += 1
        defer { running[kind, default: 0] -= 1 }
        most[kind] = max(most[kind, default: 0], running[kind, default: 0])
        most["both"] = max(most["both", default: 0], running.values.reduce(0, +))
        try await Task.sleep(for: duration)
    }
}

func multithreadedActors(_ runtime: ActorRuntime, _ notebook: Notebook) async throws {
    notebook.begin("Multithreaded actors")
    let counter = try await runtime.spawn(ThreadedCounter.self, options: .maxConcurrency(8))
    let start = ContinuousClock.now
    let references = (0..<32).map { _ in counter.submit { try await $0.add(1) } }
    let totals = try await runtime.get(references)
    let time = ContinuousClock.now - start
    notebook.check("the totals of 32 calls are 1 to 32, each once", totals.sorted() == Array(1...32))
    notebook.check("eight at once take about 0.4 s, not 3.2 s: \(time.rounded)", time < .seconds(1.6))
}

func asyncActors(_ runtime: ActorRuntime, _ notebook: Notebook) async throws {
    notebook.begin("Async actors")
    let worker = try await runtime.spawn(AsyncWorker.self, options: .maxConcurrency(16))
    let start = ContinuousClock.now
    let references = (0..<20).map { i in worker.submit { try await $0.work(i) } }
    let results = try await runtime.get(references)
    let time = ContinuousClock.now - start
    notebook.check("the results are the squares, in the order of submission", results == (0..<20).map { $0 * $0 })
    notebook.check("two waves take about 0.4 s, not 4 s: \(time.rounded)", time < .seconds(2))
}

func concurrencyGroups(_ runtime: ActorRuntime, _ notebook: Notebook) async throws {
    notebook.begin("Concurrency groups")
    let worker = try await runtime.spawn(GroupedWorker.self)
    let fetches = (0..<6).map { _ in worker.submit { try await $0.fetchData() } }
    let processes = (0..<8).map { i in worker.submit { try await $0.processData("\(i)") } }
    notebook.check("with both groups full the worker is healthy", try await worker.healthCheck() == "healthy")
    notebook.check("and that was answered before them", !fetches.contains { $0.isReady })
    notebook.check("six fetches give data", try await runtime.get(fetches) == Array(repeating: "data", count: 6))
    let processed = try await runtime.get(processes)
    notebook.check("eight pieces are processed", processed == (0..<8).map { "processed: \($0)" })
    let highest = try await worker.highest()
    let isBounded = highest == ["fetch": 2, "process": 4, "both": 6]
    notebook.check("at most 2 and 4 ran at once, and 6 together", isBounded)

    let inCompute = (0..<4).map { _ in worker.submit(.concurrencyGroup("compute")) { try await $0.fetchData() } }
    _ = try await runtime.get(inCompute)
    let most = try await worker.highest()["fetch"]
    notebook.check("in the group \"compute\", four fetches run at once", most == 4)
}

extension Duration {
    /// In seconds, with two digits behind the point.
    fileprivate var rounded: String {
        let hundredths = Int((self / .milliseconds(10)).rounded())
        let fraction = String(100 + hundredths % 100).dropFirst()
        return "\(hundredths / 100).\(fraction) s"
    }
}
