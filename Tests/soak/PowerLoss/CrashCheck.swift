import ArgumentParser
import DurableChaos
import DurableCore
import DurableStore
import DurableSupervisor
import Glibc

/// Makes states of a trace and looks at each. A process of its own, because LMDB may end it over a torn file.
struct CrashCheck: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "crash-check",
        abstract: "Checks states of one recorded trace, as crash-states does.",
        shouldDisplay: false
    )

    @Option(help: "The trace.") var trace: String
    @Option(help: "A directory in memory that is not there yet.") var scratch: String
    @Option(help: "Where to count, in numbers that the parent reads.") var counters: String
    @Option var seed: UInt64
    @Option(help: "How many states to look at.") var states: Int
    @Option(help: "Of how many parts of the trace this is one.") var parts = 1
    @Option var part = 0
    @Option(help: "The record to begin with.") var start = 0

    /// Positions in the counters.
    enum Counter {
        static let index = 0
        static let states = 1
        static let kinds = 2
        static let attempt = 8
        static let isRefused = 9
    }

    func run() throws {
        var checker = try CrashChecker(self)
        try checker.run()
    }
}

/// Walks through a trace.
struct CrashChecker {
    private let options: CrashCheck
    private let trace: WriteTrace
    private let truth: TraceTruth
    private let disk: ModelDisk
    private let counters: SharedNumbers
    private let pool = BytesPool()
    private let parent = getppid()
    /// States that were looked at, and those with what was promised at the time.
    private var seen: Set<Int> = []
    private var seenPromises: Set<Int> = []
    private var acknowledged: [Int: Int] = [:]
    private var ending: Set<Int> = []
    /// Which commit of each environment is durable for certain.
    private var floors: [String: Int] = [:]
    private var done = 0

    /// Consecutive records that one process looks at.
    private static let block = 128

    init(_ options: CrashCheck) throws {
        self.options = options
        trace = try WriteTrace(path: options.trace)
        truth = try TraceTruth(trace, scratch: options.scratch)
        disk = try ModelDisk(trace)
        counters = try SharedNumbers(path: options.counters)
    }

    mutating func run() throws {
        // Weighs records, so that states are spread over all that can have some.
        var left = 0
        for index in trace.records.indices where isOurs(index) { left += weight(index) }
        for (index, record) in trace.records.enumerated() {
            if record.kind == .acknowledged {
                acknowledged[Int(record.file)] = Int(record.number)
                // The creation of an actor is acknowledged when it is in the registry, and durable.
                let newest = record.number > 0 ? nil : newestCommit(of: "supervisor", at: index)
                if let newest { floors["supervisor"] = max(newest, floors["supervisor"] ?? -1) }
            }
            if record.kind == .ending { ending.insert(Int(record.file)) }
            let node = disk.apply(index)
            if let node, let name = node.environment, isOurs(index), index >= options.start {
                counters[CrashCheck.Counter.index] = index
                let share = weight(index)
                let quota = (options.states - done) * share / max(1, left)
                left -= share
                if share > 0 { try look(name, index, quota: max(1, quota)) }
            }
            if record.kind == .syncedWrite, let node, let name = node.environment {
                disk.settleSynced(index, node)
                if let place = truth.environments[name]?.commits.firstIndex(where: { $0.index == index }) {
                    floors[name] = place
                }
            }
        }
        counters[CrashCheck.Counter.index] = trace.records.count
    }

    private func isOurs(_ index: Int) -> Bool { index / Self.block % options.parts == options.part }

    private func weight(_ index: Int) -> Int {
        switch trace.records[index].kind {
        case .write: 4
        case .syncedWrite: 1
        case .create, .mkdir, .link, .rename, .unlink, .truncate, .syncEnd: 1
        default: 0
        }
    }

    private mutating func look(_ name: String, _ index: Int, quota: Int) throws {
        if let number = truth.environments[name]?.number, ending.contains(number) { return }
        guard done < options.states else { return }
        Child.endIfOrphaned(parent)
        var generator = SeededGenerator(seed: options.seed &+ UInt64(index) << 20)
        var (found, attempts) = (0, 0)
        while found < quota, attempts < 3 * quota + 2 {
            counters[CrashCheck.Counter.attempt] = attempts
            let isWhole = attempts == 0
            attempts += 1
            let kind: CrashState.Kind =
                switch isWhole ? 0 : Int.random(in: 0..<10, using: &generator) {
                case 0: .prefix
                case 1...4: .subset
                case 5...8: .torn
                default: .directory
                }
            let state = CrashState(kind, of: name, on: disk, isWhole: isWhole, pool: pool, &generator)
            let promise = promise(for: name, at: index)
            let fingerprint = state.fingerprint
            var hasher = Hasher()
            hasher.combine(fingerprint)
            hasher.combine(promise)
            // The same bytes are worth another look when more was promised meanwhile, and are not counted again.
            guard seenPromises.insert(hasher.finalize()).inserted else { continue }
            found += 1
            if let fault = try fault(in: state, name, promise) {
                print(
                    "record \(index) (\(trace.records[index].kind) in \(name)), state \(attempts - 1), \(kind): \(fault)"
                )
                fflush(nil)
            }
            guard seen.insert(fingerprint).inserted else { continue }
            done += 1
            counters[CrashCheck.Counter.states] += 1
            counters[CrashCheck.Counter.kinds + kind.rawValue] += 1
        }
    }

    private func newestCommit(of name: String, at index: Int) -> Int? {
        truth.environments[name]?.commits.lastIndex { $0.index <= index }
    }

    private func promise(for name: String, at index: Int) -> StatePromise {
        let environment = truth.environments[name]
        return StatePromise(
            floor: floors[name] ?? -1,
            newest: newestCommit(of: name, at: index) ?? -1,
            acknowledged: environment?.number.flatMap { acknowledged[$0] } ?? 0,
            isAnythingAcknowledged: !acknowledged.isEmpty
        )
    }

    /// What is wrong with a state; `nil` when it keeps what was promised.
    private func fault(in state: CrashState, _ name: String, _ promise: StatePromise) throws -> String? {
        let environment = truth.environments[name]
        guard state.exists else { return promise.faultIfMissing(isRegistry: name == "supervisor") }
        RuntimeDirectory.remove(options.scratch)
        mkdir(options.scratch, 0o700)
        let path = "\(options.scratch)/\(name == "supervisor" ? name : "shard")"
        try state.materialise(at: path)
        var look = StateLook(path: path, promise: promise, truth: environment ?? TraceTruth.Environment())
        if name == "supervisor" { return look.registry(in: options.scratch) }
        if environment?.isUnsynced != true { return look.flushedShard() }
        let result = look.unflushedShard(marker: state.file("unsynced") != nil, snapshot: newestSnapshot(of: name))
        if look.isRefused { counters[CrashCheck.Counter.isRefused] += 1 }
        return result
    }

    /// The version of the newest snapshot that is durable with its names.
    private func newestSnapshot(of name: String) -> UInt64 {
        var directory: ModelNode? = disk.root
        for part in ["data"] + name.split(separator: "/").map(String.init) + ["snapshots"] {
            directory = directory?.durableNames[part]
        }
        let sound = (directory?.durableNames ?? [:]).filter { _, snapshot in
            snapshot.durableNames["data.mdb"]?.changes.isEmpty == true
        }
        return sound.keys.compactMap { UInt64($0) }.max() ?? 0
    }
}
