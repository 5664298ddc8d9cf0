/// Decides when the next snapshot of a shard may be taken: at most one in each interval, and none for twenty times as
/// long as the last one took. Times are since any fixed moment.
package struct SnapshotSchedule: Sendable, Hashable {
    private let interval: Duration
    private var earliest: Duration = .zero
    /// Whether one is being taken or will be.
    package private(set) var isPending = false

    package init(interval: Duration) { self.interval = interval }

    /// A life begins. The last snapshot was taken this long ago by the wall clock, which may have jumped; `nil` when
    /// there is none.
    package mutating func resume(sinceLast: Duration?, now: Duration) {
        let passed = sinceLast.map { min(max(.zero, $0), interval) } ?? .zero
        earliest = max(earliest, now + interval - passed)
    }

    /// Something was committed.
    /// - Returns: How long the snapshot has to wait; `nil` when one is pending that will hold it, or be followed by one.
    package mutating func committed(now: Duration) -> Duration? {
        guard !isPending else { return nil }
        isPending = true
        return max(.zero, earliest - now)
    }

    /// There was nothing to take.
    package mutating func skipped() { isPending = false }

    /// One was begun at `start` and has ended, however.
    package mutating func ended(begunAt start: Duration, now: Duration) {
        isPending = false
        earliest = start + max(interval, (now - start) * Limits.snapshotPause)
    }
}
