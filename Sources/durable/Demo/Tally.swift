internal import DurableChaos
internal import Synchronization

/// What was killed so far, and how long each recovery took.
final class Tally: Sendable {
    /// The figures at one moment.
    struct Snapshot: Sendable {
        var workers = 0
        var supervisors = 0
        /// From the kill of a worker to the first reply of its actor to a later call.
        var recoveries: [Duration] = []
        /// From the kill of the supervisor to the first answer of the next one.
        var supervisorRecoveries: [Duration] = []
    }

    private let state = Mutex(Snapshot())

    /// The figures now.
    var snapshot: Snapshot { state.withLock { $0 } }

    /// How many kills there were, and how long the last recovery of a worker took.
    var brief: (kills: Int, recovery: Duration?) {
        state.withLock { ($0.workers + $0.supervisors, $0.recoveries.last) }
    }

    /// A process was killed.
    func struck(_ target: KillPlan.Target) {
        state.withLock { state in
            switch target {
            case .worker: state.workers += 1
            case .supervisor: state.supervisors += 1
            }
        }
    }

    /// Its successor answered.
    func recovered(_ target: KillPlan.Target, _ duration: Duration) {
        state.withLock { state in
            switch target {
            case .worker: state.recoveries.append(duration)
            case .supervisor: state.supervisorRecoveries.append(duration)
            }
        }
    }
}

/// The usual three figures of a number of durations.
struct Percentiles: Sendable {
    var p50: Duration?
    var p99: Duration?
    var max: Duration?

    init(_ durations: [Duration]) {
        let sorted = durations.sorted()
        func at(_ percent: Int) -> Duration? {
            // The nearest rank: the smallest value that is not below this part of all.
            sorted.isEmpty ? nil : sorted[Swift.max(0, (sorted.count * percent + 99) / 100 - 1)]
        }
        p50 = at(50)
        p99 = at(99)
        max = sorted.last
    }

    /// The figures for people.
    var shown: String {
        guard let p50, let p99, let max else { return "none measured" }
        return "p50 \(p50.shown)   p99 \(p99.shown)   max \(max.shown)"
    }
}
