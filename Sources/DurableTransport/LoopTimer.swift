internal import CDurable
internal import Synchronization

/// Work that a loop does at a time; it is kept by the loop, not by its holder.
package final class LoopTimer: Sendable {
    private enum State {
        case waiting(@Sendable () -> Void)
        case over
    }

    let deadline: UInt64
    /// Orders timers with the same deadline by when they were asked for.
    let sequence: UInt64
    private let state: Mutex<State>
    fileprivate let loop: EventLoop

    init(loop: EventLoop, deadline: UInt64, work: @escaping @Sendable () -> Void) {
        self.loop = loop
        self.deadline = deadline
        sequence = EventLoop.nextId()
        state = Mutex(.waiting(work))
    }

    /// Gives up the work if it has not begun; from any thread, as often as one likes.
    package func cancel() {
        if take() != nil { loop.cancelledTimers.add(1, ordering: .relaxed) }
    }

    /// Does the work unless it was cancelled.
    func fire() {
        if let work = take() {
            work()
        } else {
            loop.cancelledTimers.subtract(1, ordering: .relaxed)
        }
    }

    var isOver: Bool {
        state.withLock { state in
            if case .over = state { return true }
            return false
        }
    }

    private func take() -> (@Sendable () -> Void)? {
        state.withLock { state in
            guard case .waiting(let work) = state else { return nil }
            state = .over
            return work
        }
    }
}

/// Timers by deadline, the earliest first.
struct TimerHeap {
    private var timers: [LoopTimer] = []

    var isEmpty: Bool { timers.isEmpty }
    var firstDeadline: UInt64? { timers.first?.deadline }

    mutating func insert(_ timer: LoopTimer) {
        timers.append(timer)
        siftUp(from: timers.count - 1)
    }

    /// Removes and returns the earliest timer if its time has come.
    mutating func popDue(now: UInt64) -> LoopTimer? {
        guard let first = timers.first, first.deadline <= now else { return nil }
        timers.swapAt(0, timers.count - 1)
        timers.removeLast()
        siftDown(from: 0)
        return first
    }

    /// Removes cancelled timers once they are many, in time that their number pays for; `cancelled` is how many.
    mutating func dropCancelled(_ cancelled: borrowing Atomic<Int>) {
        let count = cancelled.load(ordering: .relaxed)
        guard count > 64, count > timers.count / 2 else { return }
        let before = timers.count
        timers.removeAll { $0.isOver }
        cancelled.subtract(before - timers.count, ordering: .relaxed)
        timers.sort(by: TimerHeap.precedes)
    }

    private static func precedes(_ left: LoopTimer, _ right: LoopTimer) -> Bool {
        left.deadline != right.deadline ? left.deadline < right.deadline : left.sequence < right.sequence
    }

    private mutating func siftUp(from start: Int) {
        var index = start
        while index > 0 {
            let parent = (index - 1) / 2
            guard TimerHeap.precedes(timers[index], timers[parent]) else { return }
            timers.swapAt(index, parent)
            index = parent
        }
    }

    private mutating func siftDown(from start: Int) {
        var index = start
        while true {
            var least = index
            for child in [2 * index + 1, 2 * index + 2] where child < timers.count {
                if TimerHeap.precedes(timers[child], timers[least]) { least = child }
            }
            guard least != index else { return }
            timers.swapAt(index, least)
            index = least
        }
    }
}

extension EventLoop {
    /// Does `work` on the loop when `delay` has passed; from any thread. Timers of one deadline keep their order.
    @discardableResult
    package func schedule(after delay: Duration, _ work: @escaping @Sendable () -> Void) -> LoopTimer {
        let deadline = durable_io_now().addingReportingOverflow(delay.clampedNanoseconds).partialValue
        let timer = LoopTimer(loop: self, deadline: deadline, work: work)
        if isCurrent {
            confined.timers.insert(timer)
        } else {
            submit(.closure { timer.loop.confined.timers.insert(timer) })
        }
        return timer
    }
}

extension Duration {
    /// Nanoseconds between 0 and about 146 years.
    var clampedNanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        let bound = UInt64(1) << 62
        let (whole, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
        guard !overflow, whole < bound else { return bound }
        return whole + UInt64(attoseconds / 1_000_000_000)
    }
}
