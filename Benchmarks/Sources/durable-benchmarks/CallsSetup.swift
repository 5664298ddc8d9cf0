internal import DurableActors
internal import DurableBench

/// The actors, the child and the file that the calls benchmark measures.
struct CallsSetup: ~Copyable {
    private let atProcessLevel: BenchmarkActor
    private let onDisk: BenchmarkActor
    private let child: ChildProcess
    private let disk: DiskFlush

    init(_ runtime: ActorRuntime, directory: String) async throws {
        let atProcessLevel = try await runtime.spawn(BenchmarkActor.self, options: ActorOptions(durability: .process))
        let onDisk = try await runtime.spawn(BenchmarkActor.self, options: ActorOptions(durability: .disk))
        let child = try ChildProcess.echo()
        let disk = try DiskFlush(directory: directory)
        self.atProcessLevel = atProcessLevel
        self.onDisk = onDisk
        self.child = child
        self.disk = disk
    }

    /// Measures one kind for one round. What blocks does so on the caller's own thread, as a program would.
    func measure(_ kind: CallsTable.Kind, calls: Int, inFlight: Int) async throws -> CallsTable.Result {
        let flushes = calls / 10
        switch kind {
        case .exchange: return try each(calls) { try child.exchange(100) }
        case .flush: return try each(flushes) { try disk.flush() }
        case .read: return try await eachCall(calls) { [atProcessLevel] in _ = try await atProcessLevel.current() }
        case .processChange:
            return try await eachCall(calls) { [atProcessLevel] in _ = try await atProcessLevel.increment() }
        case .diskChange: return try await eachCall(flushes) { [onDisk] in _ = try await onDisk.increment() }
        case .pipelinedRead:
            return try await pipelined(calls * 5, inFlight, atProcessLevel) { try await $0.current() }
        case .pipelinedProcessChange:
            return try await pipelined(calls * 5, inFlight, atProcessLevel) { try await $0.increment() }
        case .pipelinedDiskChange:
            return try await pipelined(calls * 5, inFlight, onDisk) { try await $0.increment() }
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

    /// Keeps a window of calls under way: each answer, in the order of submission, makes room for the next call.
    private func pipelined(
        _ count: Int,
        _ inFlight: Int,
        _ actor: BenchmarkActor,
        _ call: @escaping @Sendable (BenchmarkActor) async throws -> Int
    ) async throws -> CallsTable.Result {
        var references: [ObjectRef<Int>] = []
        references.reserveCapacity(count)
        let start = nanoseconds()
        for index in 0..<count {
            if index >= inFlight { _ = try await references[index - inFlight].value }
            references.append(actor.submit(call))
        }
        for reference in references.suffix(inFlight) { _ = try await reference.value }
        let each = Double(nanoseconds() - start) / Double(count) / 1000
        return CallsTable.Result(p50: each, p99: .nan)
    }
}
