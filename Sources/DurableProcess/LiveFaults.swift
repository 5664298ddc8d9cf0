package import DurableCore
internal import Synchronization

/// The faults that this process was told to show. A process that was told none pays one load for each look.
package final class LiveFaults: Sendable {
    /// What a commit meets.
    package enum DiskFault: Sendable, Hashable {
        /// It takes that much longer.
        case slow(Duration)
        /// The disk fails.
        case failed
        /// The disk has no room.
        case full
    }

    private struct State: Sendable {
        var replies: [LiveFault] = []
        var slow: Duration?
        var failing: (fault: DiskFault, until: ContinuousClock.Instant?)?

        var isEmpty: Bool { replies.isEmpty && slow == nil && failing == nil }
    }

    /// Those of this process.
    package static let current = LiveFaults()

    private static let repliesMax = 1024
    private let isArmedNow = Atomic(false)
    private let offset = Atomic<Int64>(0)
    private let state = Mutex(State())

    package init() {}

    /// Whether there may be a fault to show.
    package var isArmed: Bool { isArmedNow.load(ordering: .relaxed) }

    /// How many milliseconds the time of day is off.
    package var clockOffset: Int64 { offset.load(ordering: .relaxed) }

    /// Takes a fault up. `exit` is the affair of whoever was told.
    package func arm(_ fault: LiveFault) {
        let time = Duration.milliseconds(max(0, fault.milliseconds))
        state.withLock { state in
            let until = fault.milliseconds > 0 ? ContinuousClock.now + time : nil
            switch fault.kind {
            case .exit: break
            case .dropReply, .delayReply, .duplicateReply:
                if state.replies.count < Self.repliesMax { state.replies.append(fault) }
            case .slowDisk: state.slow = time
            case .failDisk: state.failing = (.failed, until)
            case .fullDisk: state.failing = (.full, until)
            case .jumpClock: offset.store(fault.milliseconds, ordering: .relaxed)
            case .calm:
                state = State()
                offset.store(0, ordering: .relaxed)
            }
            isArmedNow.store(!state.isEmpty, ordering: .relaxed)
        }
    }

    /// What the reply meets that is about to leave; of each fault once.
    package func takeReply() -> LiveFault? {
        guard isArmed else { return nil }
        return state.withLock { state in
            defer { isArmedNow.store(!state.isEmpty, ordering: .relaxed) }
            return state.replies.isEmpty ? nil : state.replies.removeFirst()
        }
    }

    /// What the commit meets that is about to be made. A disk that is slow may fail as well, the next time.
    package func takeDisk() -> DiskFault? {
        guard isArmed else { return nil }
        return state.withLock { state in
            defer { isArmedNow.store(!state.isEmpty, ordering: .relaxed) }
            if let time = state.slow.take() { return .slow(time) }
            guard let (fault, until) = state.failing else { return nil }
            guard let until else {
                state.failing = nil
                return fault
            }
            if ContinuousClock.now < until { return fault }
            state.failing = nil
            return nil
        }
    }
}
