internal import ArgumentParser
internal import DurableActors
internal import DurableBench
internal import Glibc

/// Takes and gives bytes.
distributed actor PayloadActor: DurableActor {
    /// No state: what the last call brought.
    private var last: [UInt8] = []

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
    }

    /// Keeps bytes, and returns how many they are and what they end with.
    distributed func take(_ bytes: [UInt8]) -> [Int] {
        last = bytes
        return [bytes.count, Int(bytes.last ?? 0)]
    }

    /// Gives back what the last call brought.
    distributed func give() -> [UInt8] { last }

    private var lastShared = SharedBytes()

    /// The same for bytes that are shared.
    distributed func takeShared(_ bytes: SharedBytes) -> [Int] {
        lastShared = bytes
        return [bytes.count, Int(bytes.last ?? 0)]
    }

    /// The same for bytes that are shared.
    distributed func giveShared() -> SharedBytes { lastShared }
}

/// Answers: what do large arguments and results cost beside a copy in memory of as many bytes?
///
/// One caller, one actor without durability, one call at a time. In each round every size is copied, sent and fetched.
struct PayloadBenchmark: AsyncParsableCommand {
    private struct Round {
        /// Half-way durations in microseconds.
        var copy = 0.0
        var argument = 0.0
        var result = 0.0
        var shared = 0.0
        var sharedResult = 0.0
        var making = 0.0
    }

    static let configuration = CommandConfiguration(
        commandName: "payload",
        abstract: "Calls with small and large arguments and results beside a copy in memory."
    )

    @Option(help: "Bytes of the argument or result, separated by commas.")
    var sizes = "16,256,4096,65536,1048576,16777216,104857600"

    @Option(help: "Rounds that are measured, after one that is not.")
    var rounds = 5

    @Option(help: "Calls of each size in a round at most; fewer of large ones, but at least 3.")
    var calls = 500

    @Option(help: "The directory on whose disk the runtime is.")
    var directory = "/var/tmp"

    @Option(help: "A file for the figures.")
    var json: String?

    func validate() throws {
        _ = try NumberList.parse(sizes, of: "sizes")
        guard rounds > 0, calls >= 3 else { throw ValidationError("rounds must be positive, and calls at least 3") }
    }

    func run() async throws {
        let sizes = try NumberList.parse(sizes, of: "sizes")
        let load = BenchmarkMachine.load
        let machine = BenchmarkMachine.current()
        let place = try WorkingDirectory(in: directory)
        let rows = try await ActorRuntime.withRuntime(directory: place.path + "/runtime") { runtime in
            let actor = try await runtime.spawn(PayloadActor.self, options: ActorOptions(durability: .none))
            var rows: [[Int: Round]] = []
            for round in 0...rounds {
                var row: [Int: Round] = [:]
                for size in sizes { row[size] = try await measure(size, actor) }
                // The first round warms caches, connections and files.
                if round > 0 { rows.append(row) }
            }
            // After all arrays: what the kernel takes apart for the one is what it puts together for the other.
            for index in rows.indices {
                for size in sizes { try await measureShared(size, actor, &rows[index][size, default: Round()]) }
            }
            return rows
        }
        let report = Report(
            benchmark: "payload",
            parameters: [("sizes", self.sizes), ("rounds", "\(rounds)"), ("calls", "\(calls)")],
            machine: machine,
            loadBefore: load,
            figures: sizes.map { size in figure(size, rows.compactMap { $0[size] }) },
            notes: [
                "Medians over the rounds of p50; ratios are of one round. The copy goes into memory that has been",
                "touched before. Shared bytes are made anew for each call, which is not in the call's time.",
            ]
        )
        try report.publish(json: json)
    }

    private func figure(_ size: Int, _ rounds: [Round]) -> Report.Figure {
        Report.Figure(
            name: "\(size) bytes",
            values: [
                ("copy", median(rounds.map(\.copy))),
                ("argument", median(rounds.map(\.argument))),
                ("result", median(rounds.map(\.result))),
                ("shared", median(rounds.map(\.shared))),
                ("shared result", median(rounds.map(\.sharedResult))),
                ("making shared", median(rounds.map(\.making))),
                ("argument x copy", median(rounds.map { $0.argument / $0.copy })),
                ("result x copy", median(rounds.map { $0.result / $0.copy })),
                ("shared x copy", median(rounds.map { $0.shared / $0.copy })),
                ("shared result x copy", median(rounds.map { $0.sharedResult / $0.copy })),
            ]
        )
    }

    private static func bytes(_ size: Int) -> [UInt8] { (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31) } }

    private func count(_ size: Int) -> Int { max(3, min(calls, (256 << 20) / size)) }

    private func measure(_ size: Int, _ actor: PayloadActor) async throws -> Round {
        let bytes = Self.bytes(size)
        let count = count(size)
        var (copies, arguments, results) = (Samples(), Samples(), Samples())
        var target = [UInt8](repeating: 1, count: size)
        for _ in 0..<count {
            copies.measure { target.withUnsafeMutableBytes { to in bytes.withUnsafeBytes { to.copyMemory(from: $0) } } }
        }
        for _ in 0..<count {
            let start = nanoseconds()
            let answer = try await actor.take(bytes)
            arguments.record(nanoseconds() - start)
            guard answer == [size, Int(bytes.last ?? 0)] else { throw BenchmarkError("\(size) bytes arrived damaged") }
        }
        for _ in 0..<count {
            let start = nanoseconds()
            let answer = try await actor.give()
            results.record(nanoseconds() - start)
            guard answer.count == size, answer.last == target.last else {
                throw BenchmarkError("\(size) bytes came back damaged")
            }
        }
        return Round(copy: copies.p50, argument: arguments.p50, result: results.p50)
    }

    private func measureShared(
        _ size: Int,
        _ actor: PayloadActor,
        _ round: inout Round
    ) async throws {
        let bytes = Self.bytes(size)
        let count = count(size)
        var (making, arguments, results) = (Samples(), Samples(), Samples())
        for _ in 0..<count {
            var shared = SharedBytes()
            making.measure { shared = SharedBytes(bytes) }
            let start = nanoseconds()
            let answer = try await actor.takeShared(shared)
            arguments.record(nanoseconds() - start)
            guard answer == [bytes.count, Int(bytes.last ?? 0)] else { throw BenchmarkError("they arrived damaged") }
        }
        for _ in 0..<count {
            let start = nanoseconds()
            let answer = try await actor.giveShared()
            results.record(nanoseconds() - start)
            guard answer.count == bytes.count, answer.last == bytes.last else {
                throw BenchmarkError("shared bytes came back damaged")
            }
        }
        (round.making, round.shared, round.sharedResult) = (making.p50, arguments.p50, results.p50)
    }
}
