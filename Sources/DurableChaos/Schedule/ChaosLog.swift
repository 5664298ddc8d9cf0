internal import DurableProcess
internal import Synchronization

/// How much may be down at once.
public struct ChaosBudget: Sendable, Hashable {
    /// How many processes may be dead, starting or standing still at the same time. A fault that comes when so many are
    /// is left out. `freeze` and `killAll` hit everything, and come only when nothing is down.
    public var downMax: Int

    /// Allows so many.
    public init(downMax: Int = 1) {
        precondition(downMax > 0, "a budget of nothing lets nothing happen")
        self.downMax = downMax
    }
}

/// What happened to the processes of a runtime while its schedule ran.
public final class ChaosLog: Sendable {
    /// What became of one fault.
    public struct Entry: Sendable, CustomStringConvertible {
        /// A process that it hit.
        public struct Victim: Sendable, Hashable {
            /// Its number.
            public var processID: Int32
            /// When it started, as the kernel counts: with the number it names the process for good.
            public var startTime: UInt64
            /// The actor's type or name, or `supervisor`, or `driver`.
            public var title: String
        }

        /// The fault.
        public var fault: ChaosFault
        /// When it came, counted from the start of the schedule.
        public var offset: Duration
        /// Whom it hit.
        public var victims: [Victim]
        /// Why it hit nobody.
        public var omission: String?

        /// A line for people.
        public var description: String {
            let who = victims.map { "\($0.title), process \($0.processID)" }.joined(separator: "; ")
            return "after \(offset.chaosMilliseconds) ms: \(fault): \(omission.map { "left out, \($0)" } ?? who)"
        }
    }

    private struct State: Sendable {
        var entries: [Entry] = []
        var unplanned: [String] = []
    }

    private static let entriesMax = 100_000
    private let state = Mutex(State())

    private let onEntry: (@Sendable (Entry) -> Void)?

    /// Makes a log without entries.
    /// - Parameter onEntry: Called with each entry right after what it tells of; it must not block.
    public init(onEntry: (@Sendable (Entry) -> Void)? = nil) { self.onEntry = onEntry }

    /// The faults that came due, oldest first.
    public var entries: [Entry] { state.withLock { $0.entries } }

    /// Those that hit somebody: what to repeat, or to shrink.
    public var faults: [ChaosFault] { entries.filter { !$0.victims.isEmpty }.map(\.fault) }

    /// Deaths of workers that no fault has caused, a sentence for each.
    public var unplannedDeaths: [String] { state.withLock { $0.unplanned } }

    /// All processes that were hit.
    var marks: Set<FaultTally.Mark> {
        Set(entries.flatMap(\.victims).map { FaultTally.Mark(pid: $0.processID, startTime: $0.startTime) })
    }

    func enter(_ entry: Entry) {
        state.withLock { if $0.entries.count < Self.entriesMax { $0.entries.append(entry) } }
        onEntry?(entry)
    }

    func enter(unplanned: [String]) { state.withLock { $0.unplanned += unplanned } }
}

/// Workers died while a schedule ran, and not by its faults.
public struct UnplannedDeaths: Error, CustomStringConvertible {
    /// A sentence for each.
    public let deaths: [String]

    /// The sentences.
    public var description: String { deaths.joined(separator: "\n") }
}
