internal import DurableChaos
internal import Synchronization

/// What happened in a run so far: the calls, the faults, the recoveries.
final class ChaosBook: Sendable {
    /// A process that a fault hit.
    struct Strike: Sendable, Hashable {
        var kind: ChaosFault.Kind
        /// When, counted from the start of the run.
        var offset: Duration
        /// The actor's name or type, or `supervisor`.
        var title: String
        var processID: Int32
        /// For how long it was to stand still.
        var lasting: Duration = .zero
        /// From the fault to the first answer to a later question; `nil` while there is none.
        var recovery: Duration?

        var isSupervisor: Bool { title == Self.supervisor }

        static let supervisor = "supervisor"
    }

    /// A process as the runtime tells of it.
    struct Process: Sendable, Hashable {
        var title: String
        var processID: Int32?
        var state: String
    }

    /// Everything at one moment.
    struct Page: Sendable {
        var elapsed: Duration = .zero
        var acknowledged = 0
        var failed = 0
        var unknown = 0
        /// The longest that a caller waited for an answer.
        var slowest: Duration = .zero
        /// Answers in each stretch of `bucket`.
        var buckets: [Int] = []
        /// Processes that were hit, in order.
        var strikes: [Strike] = []
        /// How many faults came of each kind.
        var faults: [ChaosFault.Kind: Int] = [:]
        /// Faults that hit nobody.
        var leftOut = 0
        var processes: [Process] = []
        /// What went wrong with calls, the first few.
        var errors: [String] = []
    }

    /// The stretch of time in which answers are counted together.
    static let bucket: Duration = .milliseconds(100)

    private static let errorsMax = 5
    private let state = Mutex(Page())
    private let start = ContinuousClock.now

    /// The time since the start.
    var elapsed: Duration { ContinuousClock.now - start }

    /// Everything so far.
    var page: Page {
        var page = state.withLock { $0 }
        page.elapsed = elapsed
        return page
    }

    /// A call was answered.
    func acknowledged(after wait: Duration) {
        let place = Int(elapsed / Self.bucket)
        state.withLock { page in
            page.acknowledged += 1
            page.slowest = max(page.slowest, wait)
            while page.buckets.count <= place { page.buckets.append(0) }
            page.buckets[place] += 1
        }
    }

    /// A call threw.
    func threw(_ error: any Error, isCertain: Bool) {
        state.withLock { page in
            if isCertain { page.failed += 1 } else { page.unknown += 1 }
            if page.errors.count < Self.errorsMax { page.errors.append(Failure(error).description) }
        }
    }

    /// A fault came. Returns the numbers of its strikes.
    func enter(_ kind: ChaosFault.Kind, _ strikes: [Strike]) -> Range<Int> {
        state.withLock { page in
            let first = page.strikes.count
            guard !strikes.isEmpty else {
                page.leftOut += 1
                return first..<first
            }
            page.faults[kind, default: 0] += 1
            page.strikes += strikes
            return first..<page.strikes.count
        }
    }

    /// What a strike hit answers again.
    func recovered(_ strike: Int, after duration: Duration) {
        state.withLock { $0.strikes[strike].recovery = duration }
    }

    /// How the processes stand.
    func show(_ processes: [Process]) { state.withLock { $0.processes = processes } }
}

extension ChaosBook.Page {
    /// How many faults hit somebody.
    var faultsCount: Int { faults.values.reduce(0, +) }

    var callsPerSecond: Double { Double(acknowledged) / max(elapsed / .seconds(1), 1e-9) }

    /// Recoveries of workers whose process was ended by itself.
    var workerRecoveries: [Duration] { recoveries { !$0.isSupervisor && $0.kind != .killAll } }

    /// From the end of a supervisor alone to the first answer of the next.
    var supervisorRecoveries: [Duration] { recoveries { $0.isSupervisor && $0.kind != .killAll } }

    /// Recoveries of whatever was ended together with everything else.
    var jointRecoveries: [Duration] { recoveries { $0.kind == .killAll } }

    private func recoveries(_ isMeant: (ChaosBook.Strike) -> Bool) -> [Duration] {
        strikes.filter { $0.kind.endsProcesses && isMeant($0) }.compactMap(\.recovery)
    }

    /// From a fault that ends no process to the next answer: the time of standing still is part of it.
    var standstills: [Duration] { strikes.filter { !$0.kind.endsProcesses }.compactMap(\.recovery) }

    /// The faults by kind, most frequent first.
    var faultsByKind: [(kind: String, count: Int)] {
        faults.map { (kind: $0.key.rawValue, count: $0.value) }
            .sorted { ($1.count, $0.kind) < ($0.count, $1.kind) }
    }
}
