internal import ArgumentParser
internal import DurableActors
internal import DurableBench

/// What idle actors take.
struct BenchMemory: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "memory",
        abstract: "Memory of an idle actor, with a process of its own and in a shared one."
    )

    @Option(help: "Actors with a process of their own, 1 to 1000.")
    var dedicated = 8

    @Option(help: "Actors that share a process, 2 to 100000.")
    var shared = 1000

    @OptionGroup var options: BenchOptions

    func validate() throws {
        guard (1...1000).contains(dedicated), (2...100_000).contains(shared) else {
            throw ValidationError(
                "--dedicated is \(dedicated) and --shared \(shared); allowed are 1 to 1000 and 2 to 100000"
            )
        }
    }

    func run() async throws {
        try await options.run("memory", "How much memory does an idle actor take?") { session in
            try await session.withRuntime { runtime, _ in
                let rest = RuntimeAtRest(directory: runtime.directory)
                let alone = try await measureDedicated(runtime, rest)
                let (first, all) = try await measureShared(runtime, rest)
                guard let supervisor = runtime.supervisorProcessID else { throw Failure("the supervisor is gone") }
                let each = (all - first) / Double(shared - 1)
                return findings(alone, all, each, try Memory(of: supervisor))
            }
        }
    }

    /// The mean of the workers of actors that each have answered once.
    private func measureDedicated(_ runtime: ActorRuntime, _ rest: RuntimeAtRest) async throws -> Memory {
        var progress = BenchProgress("starting actors", of: dedicated)
        var processes: [Int32] = []
        for number in 1...dedicated {
            let subject = try await runtime.spawn(BenchSubject.self)
            _ = try await subject.touch()
            processes.append(try await subject.process())
            progress.show(number)
        }
        // Supervisor, workers and spares.
        try await rest.wait(for: dedicated + 3, atMost: .seconds(10))
        let memories = try processes.map { try Memory(of: $0) }
        return memories.reduce(Memory(), +) / Double(dedicated)
    }

    /// The worker of a group with one actor, and with all of them.
    private func measureShared(_ runtime: ActorRuntime, _ rest: RuntimeAtRest) async throws -> (Memory, Memory) {
        var progress = BenchProgress("starting shared actors", of: shared)
        let options = ActorOptions.default.shared("bench")
        let subject = try await runtime.spawn(BenchSubject.self, options: options)
        _ = try await subject.touch()
        let process = try await subject.process()
        try await rest.wait(for: dedicated + 4, atMost: .seconds(10))
        let first = try Memory(of: process)
        for number in 2...shared {
            _ = try await runtime.spawn(BenchSubject.self, options: options).touch()
            progress.show(number)
        }
        try await rest.wait(for: dedicated + 4, atMost: .seconds(10))
        guard try await subject.process() == process else { throw Failure("the shared actors' process died meanwhile") }
        return (first, try Memory(of: process))
    }

    private func findings(_ alone: Memory, _ all: Memory, _ each: Memory, _ supervisor: Memory) -> BenchFindings {
        let lines = [
            ("dedicated actor, its process", alone), ("shared actor, each further one", each),
            ("process of \(shared) shared actors", all), ("supervisor", supervisor),
        ]
        return BenchFindings(
            parameters: [("dedicated", "\(dedicated)"), ("shared", "\(shared)")],
            figures: lines.map { line in
                BenchmarkReport.Figure(
                    name: line.0,
                    unit: "KiB",
                    values: [("PSS", line.1.resident), ("own", line.1.own)]
                )
            },
            notes: [
                "PSS, of /proc/PID/smaps_rollup: resident memory, of which pages that several processes share count in",
                "part, so that more processes make each look smaller. Own: the part of it that belongs to no file. Each",
                "actor had answered one call and was idle. The kernel gives memory in pages of 4 KiB.",
            ],
            plots: [
                .bars(
                    BarPlot(
                        title: "Memory of idle actors",
                        unit: "KiB of PSS",
                        rows: lines.map { .init(label: $0.0, values: [max(0, $0.1.resident)]) }
                    )
                )
            ]
        )
    }
}

/// Memory of a process or of a part of one, in KiB.
private struct Memory {
    /// Resident memory; pages that several processes share count in part.
    var resident = 0.0
    /// What is not of a file.
    var own = 0.0

    init() {}

    /// What a process holds at the moment.
    init(of process: Int32) throws {
        let memory = try ProcessMemory(of: process)
        self.init(Double(memory.resident) / 1024, Double(memory.anonymous) / 1024)
    }

    private init(_ resident: Double, _ own: Double) { (self.resident, self.own) = (resident, own) }

    static func + (left: Memory, right: Memory) -> Memory {
        Memory(left.resident + right.resident, left.own + right.own)
    }

    static func - (left: Memory, right: Memory) -> Memory {
        Memory(left.resident - right.resident, left.own - right.own)
    }

    static func / (memory: Memory, count: Double) -> Memory { Memory(memory.resident / count, memory.own / count) }
}
