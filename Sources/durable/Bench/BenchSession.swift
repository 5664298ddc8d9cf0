internal import DurableActors
internal import DurableBench
internal import DurableChaos
internal import DurableCore
internal import Synchronization

/// One run of a benchmark: starts the runtimes that it measures, and sees that each of them is gone in the end, also
/// when the user interrupts it.
struct BenchSession: Sendable {
    /// What decides the order of events.
    let seed: UInt64
    private let interruption: Interruption

    init(_ interruption: Interruption, seed: UInt64) {
        self.interruption = interruption
        self.seed = seed
    }

    /// A source of randomness that belongs to the seed.
    var generator: SeededGenerator { SeededGenerator(seed: seed) }

    /// Starts a runtime in an empty directory, gives it to `body`, and ends it.
    /// - Parameters:
    ///   - spares: Its warm spares.
    ///   - body: Gets the runtime and how long its start took.
    func withRuntime<Result>(
        spares: Int = Limits.sparesPerExecutable,
        _ body: (ActorRuntime, Duration) async throws -> Result
    ) async throws -> Result {
        var configuration = RuntimeConfiguration()
        configuration.warmSpares = spares
        await interruption.starting()
        let start = ContinuousClock.now
        let runtime: ActorRuntime
        do {
            runtime = try await ActorRuntime.start(configuration: configuration)
        } catch {
            interruption.startFailed()
            throw error
        }
        let duration = ContinuousClock.now - start
        let departure = Departure(runtime, isTemporary: true)
        await interruption.adopt(departure)
        let result: Result
        do {
            result = try await body(runtime, duration)
        } catch {
            await interruption.waitIfRaised()
            // The error matters more than what ended how; what still runs is named all the same.
            try? await leave(departure)
            throw error
        }
        try await leave(departure)
        return result
    }

    private func leave(_ departure: Departure) async throws {
        let outcome = await departure.leave()
        guard outcome != .clean else { return }
        StandardError.write("durable: \(departure.text(outcome))\n")
        if case .stuck = outcome { throw Failure("the processes of the benchmark cannot be ended") }
    }
}

/// Says on stderr how far a benchmark is, if it takes long: on a terminal in one line that is redrawn, elsewhere in a
/// line every few seconds.
struct BenchProgress: ~Copyable {
    private let what: String
    private let total: Int
    private let start = ContinuousClock.now
    private var last = ContinuousClock.now
    private var hasLine = false

    /// - Parameters:
    ///   - what: What is being done.
    ///   - total: How much there is to do.
    init(_ what: String, of total: Int) {
        self.what = what
        self.total = total
    }

    /// So much has been done.
    mutating func show(_ done: Int) {
        let now = ContinuousClock.now
        guard now - last > (StandardError.isTerminal ? .milliseconds(200) : .seconds(5)) else { return }
        last = now
        let left = (now - start) / Double(max(1, done)) * Double(max(0, total - done))
        let line = "\(what): \(done) of \(total), about \(left.components.seconds) s left"
        StandardError.write(StandardError.isTerminal ? "\r\(line)\u{1B}[K" : "\(line)\n")
        hasLine = StandardError.isTerminal
    }

    deinit {
        if hasLine { StandardError.write("\r\u{1B}[K") }
    }
}

/// An amount of bytes as users write it.
struct ByteCount: Sendable, Hashable, CustomStringConvertible {
    static let max = 4 << 30

    let bytes: Int

    private static let units = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)]

    init(_ bytes: Int) { self.bytes = bytes }

    /// Reads a whole number and one of the units B, KiB, MiB and GiB; at most 4 GiB.
    init?(_ text: some StringProtocol) {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let unit = text[digits.endIndex...]
        guard let number = Int(digits), let factor = Self.units.first(where: { $0.0 == unit })?.1 else { return nil }
        let (bytes, isTooMuch) = number.multipliedReportingOverflow(by: factor)
        guard !isTooMuch, bytes <= Self.max else { return nil }
        self.bytes = bytes
    }

    var description: String {
        let unit = Self.units.first { bytes >= $0.1 && bytes.isMultiple(of: $0.1) } ?? ("B", 1)
        return "\(bytes / unit.1) \(unit.0)"
    }

    /// Reads a list, as in `1KiB,16MiB`.
    static func list(_ text: String, of option: String) throws(Failure) -> [ByteCount] {
        var counts: [ByteCount] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let count = ByteCount(part), !counts.contains(count) else {
                throw Failure(
                    "--\(option): \"\(part)\" is no size or is there twice; sizes are whole numbers with a unit, as in "
                        + "100B,1KiB,16MiB, at most 4GiB"
                )
            }
            counts.append(count)
        }
        return counts
    }
}

/// Which levels of durability are measured.
enum BenchDurability: String, CaseIterable {
    case both
    case disk
    case process

    var levels: [Durability] {
        switch self {
        case .both: [.process, .disk]
        case .disk: [.disk]
        case .process: [.process]
        }
    }
}
