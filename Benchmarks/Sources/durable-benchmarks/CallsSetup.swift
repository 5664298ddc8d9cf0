internal import DurableActors
internal import DurableBench

/// The actors, the child and the file that the calls benchmark measures.
struct CallsSetup: ~Copyable {
    private let inMemory: BenchmarkActor
    private let atProcessLevel: BenchmarkActor
    private let onDisk: BenchmarkActor
    private let child: ChildProcess
    private let disk: DiskFlush
    private let raw: RawStore

    init(_ runtime: ActorRuntime, directory: String) async throws {
        let inMemory = try await runtime.spawn(BenchmarkActor.self, options: ActorOptions(durability: .none))
        let atProcessLevel = try await runtime.spawn(BenchmarkActor.self, options: ActorOptions(durability: .process))
        let onDisk = try await runtime.spawn(BenchmarkActor.self, options: ActorOptions(durability: .disk))
        let child = try ChildProcess.echo()
        let disk = try DiskFlush(directory: directory)
        let raw = try RawStore(directory: directory + "/raw", flushes: true)
        try raw.fill(0..<1)
        // Their processes run before the caller is pinned elsewhere.
        for actor in [inMemory, atProcessLevel, onDisk] { try await actor.ready() }
        self.inMemory = inMemory
        self.atProcessLevel = atProcessLevel
        self.onDisk = onDisk
        self.child = child
        self.disk = disk
        self.raw = raw
    }

    /// Measures one kind for one round. What blocks does so on the caller's own thread, as a program would.
    func measure(_ kind: CallsTable.Kind, calls: Int, inFlight: Int) async throws -> CallsTable.Result {
        let flushes = calls / 10
        switch kind {
        case .exchange: return try each(calls) { try child.exchange(100) }
        case .flush: return try each(flushes) { try disk.flush() }
        case .commit: return try each(flushes) { _ = try raw.add(1, to: 0) }
        case .noneChange: return try await eachCall(calls) { [inMemory] in _ = try await inMemory.increment() }
        case .read: return try await eachCall(calls) { [atProcessLevel] in _ = try await atProcessLevel.current() }
        case .processChange:
            return try await eachCall(calls) { [atProcessLevel] in _ = try await atProcessLevel.increment() }
        case .diskChange: return try await eachCall(flushes) { [onDisk] in _ = try await onDisk.increment() }
        case .pipelinedNoneChange:
            return try await pipelined(calls * 10, inFlight, inMemory) { try await $0.increment() }
        case .pipelinedRead:
            return try await pipelined(calls * 10, inFlight, atProcessLevel) { try await $0.current() }
        case .pipelinedProcessChange:
            return try await pipelined(calls * 10, inFlight, atProcessLevel) { try await $0.increment() }
        case .pipelinedDiskChange:
            return try await pipelined(calls * 10, inFlight, onDisk) { try await $0.increment() }
        case .awaitedNoneChange: return try await awaited(calls * 10, inFlight, inMemory)
        case .awaitedProcessChange: return try await awaited(calls * 10, inFlight, atProcessLevel)
        case .awaitedDiskChange: return try await awaited(calls * 10, inFlight, onDisk)
        }
    }

    private func each(_ count: Int, _ body: () throws -> Void) rethrows -> CallsTable.Result {
        var samples = Samples()
        for _ in 0..<count { try samples.measure(body) }
        return CallsTable.Result(p50: samples.p50, p99: samples.p99)
    }

    private func eachCall(_ count: Int, _ call: () async throws -> Void) async throws -> CallsTable.Result {
        var samples = Samples()
        for _ in 0..<count {
            let start = nanoseconds()
            try await call()
            samples.record(nanoseconds() - start)
        }
        return CallsTable.Result(p50: samples.p50, p99: samples.p99)
    }

    /// As many tasks as calls in flight; each makes one call at a time.
    private func awaited(_ count: Int, _ inFlight: Int, _ actor: BenchmarkActor) async throws -> CallsTable.Result {
        let start = nanoseconds()
        let share = max(1, count / inFlight)
        try await Callers.run(inFlight) { _ in for _ in 0..<share { _ = try await actor.increment() } }
        let each = Double(nanoseconds() - start) / Double(share * inFlight) / 1000
        return CallsTable.Result(p50: each, p99: .nan)
    }

    private func pipelined(
        _ count: Int,
        _ inFlight: Int,
        _ actor: BenchmarkActor,
        _ call: @escaping @Sendable (BenchmarkActor) async throws -> Int
    ) async throws -> CallsTable.Result {
        let start = nanoseconds()
        try await Pipeline.run(count, inFlight: inFlight) { _ in actor.submit(call) }
        let each = Double(nanoseconds() - start) / Double(count) / 1000
        return CallsTable.Result(p50: each, p99: .nan)
    }
}
