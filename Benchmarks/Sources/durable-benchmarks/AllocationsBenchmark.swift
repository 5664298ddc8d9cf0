internal import ArgumentParser
internal import CBenchmarks
internal import DurableActors
internal import DurableBench
internal import Glibc

/// Answers: how often do caller and worker ask for memory for each call? Unlike times, these counts hardly depend on the
/// machine, so they have limits that a change must not exceed.
struct AllocationsBenchmark: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "allocations",
        abstract: "Allocations for each call, in the caller's process and in the worker's."
    )

    /// Of as many portions the one with the fewest allocations counts: where other work slows a portion down, calls wait
    /// in another way and groups are of other sizes.
    private static let portions = 10

    @Option(help: "Calls of each kind.")
    var calls = 20_000

    @Option(help: "Calls in flight.")
    var inFlight = 1000

    @Option(help: "A file with limits: lines of a name, and what caller and worker may have; exceeding one fails.")
    var limits: String?

    @Option(help: "The directory on whose disk the state is kept.")
    var directory = "/var/tmp"

    @Option(help: "A file for the figures.")
    var json: String?

    func run() async throws {
        guard benchmarks_allocations() >= 0 else { return try preloadCounter() }
        try checkCounter()
        // On one core answers come soon enough for callers to wait for them in the same way on any machine.
        try Machine.pin(toCore: 0)
        let load = BenchmarkMachine.load
        let place = try WorkingDirectory(in: directory)
        let counts = try await ActorRuntime.withRuntime(directory: place.path + "/runtime") { try await count(on: $0) }
        let report = Report(
            benchmark: "allocations",
            parameters: [("calls", "\(calls)"), ("in flight", "\(inFlight)")],
            machine: .current(),
            loadBefore: load,
            figures: counts.map { count in
                Report.Figure(
                    name: count.name,
                    unit: "allocations",
                    values: [("caller", count.caller), ("worker", count.worker)]
                )
            },
            notes: ["Counted by a preloaded library: calls of malloc, calloc, realloc and memalign, divided by calls."]
        )
        try report.publish(json: json)
        if let limits { try check(counts, against: AllocationLimits(file: limits)) }
    }

    /// Starts this program anew with the counter, which its workers inherit.
    private func preloadCounter() throws {
        let own = try executable()
        let library = own[..<(own.lastIndex(of: "/") ?? own.endIndex)] + "/libAllocationCounter.so"
        guard getenv("LD_PRELOAD") == nil, access(String(library), R_OK) == 0 else {
            throw BenchmarkError("the counter cannot be loaded: build the product AllocationCounter")
        }
        setenv("LD_PRELOAD", String(library), 1)
        var arguments = CommandLine.arguments.map { strdup($0) } + [nil]
        execv(own, &arguments)
        throw BenchmarkError("starting \(own)", code: errno)
    }

    private func executable() throws -> String {
        var path = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &path, path.count)
        guard count > 0 else { throw BenchmarkError("this program's path", code: errno) }
        return String(decoding: path.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// A counter that counts nothing would find everything good.
    private func checkCounter() throws {
        let before = benchmarks_allocations()
        benchmarks_allocate(1000)
        let counted = benchmarks_allocations() - before
        guard (1000...1100).contains(counted) else {
            throw BenchmarkError("1,000 allocations were counted as \(counted)")
        }
    }

    private func count(on runtime: ActorRuntime) async throws -> [AllocationCount] {
        var counts: [AllocationCount] = []
        for level in [Durability.none, .process, .disk] {
            let actor = try await runtime.spawn(BenchmarkActor.self, options: ActorOptions(durability: level))
            if level != .disk {
                counts.append(try await count("call.\(level)", on: actor) { try await single(actor) })
            }
            counts.append(try await count("pipelined.\(level)", on: actor) { try await pipelined(actor) })
            if level == .process {
                counts.append(try await count("read.process", on: actor) { try await reads(actor) })
            }
        }
        return counts
    }

    private func single(_ actor: BenchmarkActor) async throws {
        for _ in 0..<portion { _ = try await actor.increment() }
    }

    private func reads(_ actor: BenchmarkActor) async throws {
        for _ in 0..<portion { _ = try await actor.current() }
    }

    private func pipelined(_ actor: BenchmarkActor) async throws {
        try await Pipeline.run(portion, inFlight: inFlight) { _ in actor.submit { try await $0.increment() } }
    }

    private func count(
        _ name: String,
        on actor: BenchmarkActor,
        _ body: () async throws -> Void
    ) async throws -> AllocationCount {
        // Once without counting: buffers and tables grow to their sizes.
        try await body()
        var least = AllocationCount(name: name, caller: .infinity, worker: .infinity)
        for _ in 0..<Self.portions {
            let workerBefore = try await actor.allocations()
            guard workerBefore > 0 else { throw BenchmarkError("the worker's allocations are not counted") }
            let callerBefore = benchmarks_allocations()
            try await body()
            let callerAfter = benchmarks_allocations()
            let workerAfter = try await actor.allocations()
            least.caller = min(least.caller, Double(callerAfter - callerBefore) / Double(portion))
            least.worker = min(least.worker, Double(workerAfter - workerBefore) / Double(portion))
        }
        return least
    }

    private var portion: Int { max(1, calls / Self.portions) }

    private func check(_ counts: [AllocationCount], against limits: AllocationLimits) throws {
        let excesses = counts.flatMap { limits.excesses(of: $0) } + limits.missing(in: counts)
        guard excesses.isEmpty else { throw BenchmarkError(excesses.joined(separator: "\n")) }
        print("within the limits")
    }
}

/// How often memory was asked for, for each call.
struct AllocationCount {
    let name: String
    var caller: Double
    var worker: Double
}

/// What counts may not exceed.
struct AllocationLimits {
    private var limits: [String: (caller: Double, worker: Double)] = [:]

    /// Reads lines of a name and two numbers; what follows `#` is for people.
    init(file path: String) throws {
        guard let file = fopen(path, "re") else { throw BenchmarkError(path, code: errno) }
        defer { fclose(file) }
        var buffer = [CChar](repeating: 0, count: 1024)
        while fgets(&buffer, Int32(buffer.count), file) != nil {
            let bytes = buffer.prefix { $0 != 0 && $0 != 10 && $0 != 35 }.map { UInt8(bitPattern: $0) }
            let fields = String(decoding: bytes, as: UTF8.self).split(separator: " ")
            if fields.isEmpty { continue }
            guard fields.count == 3, let caller = Double(fields[1]), let worker = Double(fields[2]) else {
                throw BenchmarkError("\(path): a line is not a name and two numbers: \(fields.joined(separator: " "))")
            }
            limits[String(fields[0])] = (caller, worker)
        }
    }

    /// What is too much of a count.
    func excesses(of count: AllocationCount) -> [String] {
        guard let limit = limits[count.name] else { return ["\(count.name) has no limit"] }
        var excesses: [String] = []
        for (side, value, most) in [("caller", count.caller, limit.caller), ("worker", count.worker, limit.worker)]
        where value > most {
            excesses.append("\(count.name): the \(side) allocates \(value) times for each call, the limit is \(most)")
        }
        return excesses
    }

    /// Limits of which nothing was counted.
    func missing(in counts: [AllocationCount]) -> [String] {
        limits.keys.filter { name in !counts.contains { $0.name == name } }.sorted().map { "\($0) was not counted" }
    }
}
