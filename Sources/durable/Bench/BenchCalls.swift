internal import ArgumentParser
internal import DurableActors
internal import DurableBench
internal import DurableChaos

/// Calls one at a time and many at once, by payload and durability.
struct BenchCalls: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "calls",
        abstract: "Calls one at a time and pipelined, by payload and durability."
    )

    @Option(help: "Rounds that are measured, 1 to 1000, after one that is not.")
    var rounds = 5

    @Option(help: "Calls of each kind in a round, 1 to 100000; a tenth as many, one at a time, that wait for the disk.")
    var calls = 500

    @Option(help: "Pipelined calls in flight, 1 to 10000.")
    var inFlight = 256

    @Option(help: "Sizes of the argument, separated by commas, in B, KiB, MiB or GiB.")
    var payloads = "16B,4KiB,64KiB"

    @Option(help: "What changes survive: disk, process or both.")
    var durability = BenchDurability.both

    @OptionGroup var claims: ClaimOptions
    @OptionGroup var options: BenchOptions

    func validate() throws {
        guard (1...1000).contains(rounds), (1...100_000).contains(calls), (1...10_000).contains(inFlight) else {
            throw ValidationError(
                "--rounds is \(rounds), --calls \(calls) and --in-flight \(inFlight); allowed are 1 to 1000, 1 to "
                    + "100000 and 1 to 10000"
            )
        }
        try validateSizes(payloads, "payloads")
    }

    func run() async throws {
        let payloads = try ByteCount.list(payloads, of: "payloads")
        let question = "What does a call cost, one at a time and with many under way, by payload and durability?"
        try await options.run("calls", question, claims: try claims.claims) { session in
            try await session.withRuntime { runtime, _ in
                var subjects: [CallKind.Change: BenchSubject] = [:]
                for change in [.none] + durability.levels.map({ CallKind.Change.survives($0) }) {
                    var options = ActorOptions.resilient
                    if case .survives(let level) = change { options.durability = level }
                    subjects[change] = try await runtime.spawn(BenchSubject.self, options: options)
                }
                let kinds = payloads.flatMap { payload in subjects.keys.map { CallKind(payload: payload, change: $0) } }
                return try await measure(kinds.sorted { $0.order < $1.order }, subjects, session)
            }
        }
    }

    private func measure(
        _ kinds: [CallKind],
        _ subjects: [CallKind.Change: BenchSubject],
        _ session: BenchSession
    ) async throws -> BenchFindings {
        var generator = session.generator
        var single: [CallKind: LatencySamples] = [:]
        var pipelined: [CallKind: LatencySamples] = [:]
        var progress = BenchProgress("calling", of: (rounds + 1) * kinds.count)
        var done = 0
        for round in 0...rounds {
            for kind in kinds.shuffled(using: &generator) {
                guard let subject = subjects[kind.change] else { continue }
                let samples = try await one(kind, subject)
                let each = try await many(kind, subject)
                done += 1
                progress.show(done)
                // The first round warms caches, connections and files.
                guard round > 0 else { continue }
                for duration in samples.durations { single[kind, default: .init()].record(duration) }
                pipelined[kind, default: .init()].record(each)
            }
        }
        return findings(kinds, single, pipelined)
    }

    private func one(_ kind: CallKind, _ subject: BenchSubject) async throws -> LatencySamples {
        let payload = String(repeating: "x", count: kind.payload.bytes)
        var samples = LatencySamples()
        for _ in 0..<(kind.waitsForDisk ? max(1, calls / 10) : calls) {
            let start = ContinuousClock.now
            _ = try await kind.call(subject, payload)
            samples.record(ContinuousClock.now - start)
        }
        return samples
    }

    /// Keeps a window of calls under way: each answer, in the order of submission, makes room for the next call.
    /// - Returns: The time of all divided by their number.
    private func many(_ kind: CallKind, _ subject: BenchSubject) async throws -> Duration {
        let payload = String(repeating: "x", count: kind.payload.bytes)
        return try await Pipeline.run(subject, calls: calls, inFlight: inFlight) { try await kind.call($0, payload) }
            / calls
    }

    private func findings(
        _ kinds: [CallKind],
        _ single: [CallKind: LatencySamples],
        _ pipelined: [CallKind: LatencySamples]
    ) -> BenchFindings {
        let latencies = kinds.compactMap { kind in
            single[kind]?.summary.map { (name: kind.name, summary: $0) }
        }
        let rates = kinds.compactMap { kind in
            pipelined[kind]?.summary.map { (name: kind.name, value: 1 / ($0.p50 / .seconds(1))) }
        }
        let figures = latencies.map { latency in
            BenchmarkReport.Figure(
                latency.name,
                latency.summary,
                adding: [("per second", 1 / (latency.summary.p50 / .seconds(1)))]
            )
        }
        let throughputs = rates.map {
            BenchmarkReport.Figure(name: $0.name, unit: "pipelined calls", values: [("per second", $0.value)])
        }
        return BenchFindings(
            parameters: [
                ("rounds", "\(rounds)"), ("calls", "\(calls)"), ("in flight", "\(inFlight)"), ("payloads", payloads),
                ("durability", durability.rawValue),
            ],
            figures: figures + throughputs,
            notes: ["One caller, one actor of each durability. Pipelined: the middle round."],
            plots: [
                .percentiles(
                    PercentilePlot(
                        title: "One call at a time",
                        unit: "ms",
                        rows: latencies.map { .init($0.name, $0.summary) }
                    )
                ),
                .bars(
                    BarPlot(
                        title: "Pipelined calls",
                        unit: "calls per second",
                        rows: rates.map { .init(label: $0.name, values: [$0.value]) }
                    )
                ),
            ],
            latencies: latencies
        )
    }
}

/// One kind of calls.
struct CallKind: Hashable, Sendable {
    /// What a call does to its actor.
    enum Change: Hashable, Sendable {
        case none
        case survives(Durability)
    }

    let payload: ByteCount
    let change: Change

    var name: String {
        switch change {
        case .none: "read, \(payload)"
        case .survives(let level): "change, .\(level), \(payload)"
        }
    }

    var waitsForDisk: Bool { change == .survives(.disk) }

    /// Where it stands in tables.
    var order: (Int, Int) { (change == .none ? 0 : waitsForDisk ? 2 : 1, payload.bytes) }

    func call(_ subject: BenchSubject, _ payload: String) async throws -> Int {
        if change == .none { try await subject.read(payload) } else { try await subject.write(payload) }
    }
}

/// Many calls under way at once.
enum Pipeline {
    /// Makes calls. Returns how long they took together.
    static func run(
        _ subject: BenchSubject,
        calls: Int,
        inFlight: Int,
        _ call: @escaping @Sendable (BenchSubject) async throws -> Int
    ) async throws -> Duration {
        var references: [ObjectRef<Int>] = []
        references.reserveCapacity(calls)
        let start = ContinuousClock.now
        for index in 0..<calls {
            if index >= inFlight { _ = try await references[index - inFlight].value }
            references.append(subject.submit(call))
        }
        for reference in references.suffix(inFlight) { _ = try await reference.value }
        return ContinuousClock.now - start
    }
}
