import DurableActors
import DurableChaos
import DurableCore
import DurableSupervisor
import Glibc
import Synchronization

/// One failing disk under load.
final class DiskEpisode: Sendable {
    enum Kind: Sendable {
        case shard(FailingDisk.Fault, Durability)
        case registry(FailingDisk.Fault)
        case full(Durability)
        case sizeLimit(Durability)
        case damage(DiskDamage)
        case damagedRegistry

        var name: String {
            switch self {
            case .shard(let fault, let level): "\(fault.name), .\(level)"
            case .registry(let fault): fault.name
            case .full(let level): "full file system, .\(level)"
            case .sizeLimit(let level): "RLIMIT_FSIZE, .\(level)"
            case .damage(let damage): damage.rawValue
            case .damagedRegistry: "registry, a bit flipped"
            }
        }
    }

    struct Report {
        var isOver = false
        var calls = 0
        var acknowledged = 0
        var bites = 0
        /// What callers were told, and what else is worth counting.
        var seen: [String: Int] = [:]
        /// From the end of the fault to the first change after it.
        var recovery = Duration.zero
        var violations: [String] = []
        var unknown: [String] = []
    }

    static let kinds: [Kind] = {
        var kinds: [Kind] = []
        for level in [Durability.disk, .process] {
            for operation in ["data", "meta", "sync"] {
                for outcome in [EIO, ENOSPC, EINTR, 0, -EIO] where operation != "sync" || outcome != 0 {
                    kinds.append(.shard(.init(operation: operation, outcome: outcome), level))
                }
                kinds.append(.shard(.init(operation: operation, outcome: 0, isLate: true), level))
            }
            kinds += [.full(level), .sizeLimit(level)]
        }
        for damage in DiskDamage.allCases { kinds.append(.damage(damage)) }
        for (operation, outcome) in [("data", EIO), ("meta", EIO), ("sync", EIO), ("any", ENOSPC), ("data", 0)] {
            kinds.append(.registry(.init(operation: operation, outcome: outcome, isRegistry: true)))
        }
        kinds.append(.registry(.init(operation: "sync", outcome: 0, isLate: true, isRegistry: true)))
        kinds.append(.damagedRegistry)
        return kinds
    }()

    /// An actor that does not serve this long after its disk works again has not gone on by itself.
    static let recoveryMax: Duration = .seconds(5)

    let number: Int
    let kind: Kind
    let disk: FailingDisk
    let runtime: ActorRuntime
    private let random: Mutex<SeededGenerator>
    private let state = Mutex(Report())

    init(number: Int, kind: Kind, seed: UInt64, disk: FailingDisk, runtime: ActorRuntime) {
        self.number = number
        self.kind = kind
        self.disk = disk
        self.runtime = runtime
        random = Mutex(SeededGenerator(seed: seed &+ UInt64(number) &* 0x9e37_79b9))
    }

    var report: Report { state.withLock { $0 } }

    func choose(_ range: ClosedRange<Int>) -> Int { random.withLock { Int.random(in: range, using: &$0) } }

    func violate(_ what: String) { state.withLock { $0.violations.append(what) } }

    func bite(_ count: Int) { state.withLock { $0.bites += count } }

    func see(_ what: String, _ count: Int = 1) { state.withLock { $0.seen[what, default: 0] += count } }

    func recovered(after duration: Duration) {
        state.withLock { $0.recovery = max($0.recovery, duration) }
        if duration > Self.recoveryMax { violate("it took \(duration) to go on") }
    }

    func settle(_ witness: PassbookWitness, _ contents: Passbook.Contents) {
        let found = witness.violations(in: contents)
        state.withLock { state in
            state.violations += found
            state.calls += witness.calls
            state.acknowledged += witness.acknowledged
            for (code, count) in witness.codes { state.seen["told \(code)", default: 0] += count }
        }
    }

    func run() async {
        do {
            switch kind {
            case .shard(let fault, let level): try await failShard(fault, level)
            case .registry(let fault): try await failRegistry(fault)
            case .full(let level): try await fill(level)
            case .sizeLimit(let level): try await limitSize(level)
            case .damage(let damage): try await damageShard(damage, choose(0...1) == 0 ? .disk : .process)
            case .damagedRegistry: try await damageRegistry()
            }
            state.withLock { $0.isOver = true }
        } catch {
            state.withLock { $0.unknown.append("\(error)") }
        }
    }

    static func options(_ level: Durability) -> ActorOptions {
        ActorOptions(maxRestarts: .unlimited, maxTaskRetries: .unlimited, durability: level)
    }

    /// Puts a passbook under load, has something happen to its disk, and looks at all that was said.
    /// - Parameters:
    ///   - fault: Begins the fault.
    ///   - lift: Ends it.
    func underLoad(
        of runtime: ActorRuntime,
        _ level: Durability,
        _ fault: @escaping @Sendable (Passbook) async throws -> Void,
        lift: @escaping @Sendable () async throws -> Void
    ) async throws {
        try await withPatience(.seconds(60), of: [runtime], "an episode") { [self] in
            let book = try await runtime.spawn(Passbook.self, options: Self.options(level))
            let witness = PassbookWitness()
            await witness.enter(book)
            let stop = StopFlag()
            async let load: Void = witness.load(book, callers: 3, until: stop)
            do {
                try await Task.sleep(for: .milliseconds(choose(5...60)))
                try await fault(book)
                try await lift()
            } catch {
                stop.raise()
                try? await lift()
                throw error
            }
            let lifted = ContinuousClock.now
            let goesOn = await isReached(within: .seconds(20)) { witness.last.map { $0 > lifted } ?? false }
            recovered(after: lifted.duration(to: .now))
            if !goesOn { violate("the actor does not go on") }
            try await Task.sleep(for: .milliseconds(20))
            stop.raise()
            await load
            // What it says now comes from memory, and after a kill from the disk.
            let said = try await book.all()
            kill(try await book.processID(), SIGKILL)
            let stored = try await book.all()
            if said != stored { violate("after a kill it has \(stored.count) tickets, before it had \(said.count)") }
            settle(witness, stored)
            try await runtime.kill(book)
        }
    }

    private func failShard(_ fault: FailingDisk.Fault, _ level: Durability) async throws {
        let before = disk.count
        // One operation, a few, or all until it is mended.
        let count = fault.outcome == EINTR ? choose(1...5) : [1, choose(2...6), 1_000_000][choose(0...2)]
        let kills = choose(0...2) == 0
        try await underLoad(of: runtime, level) { [self] book in
            let worker = try await book.processID()
            try disk.arm(fault, first: choose(1...4), count: count, milliseconds: fault.isLate ? choose(1...200) : 0)
            _ = await isReached(within: .seconds(5)) { disk.count > before }
            try await Task.sleep(for: .milliseconds(choose(0...150)))
            guard kills else { return }
            kill(worker, SIGKILL)
            see("killed on a failing disk")
            try await Task.sleep(for: .milliseconds(choose(0...150)))
        } lift: { [self] in
            try disk.disarm()
        }
        bite(disk.count - before)
    }
}
