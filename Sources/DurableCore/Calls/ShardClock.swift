#if SEEDED_BUGS
internal import SeededBugs
#endif

/// Names one run of the machine, from its start to its end.
package struct BootID: Identifier128 {
    package let high: UInt64
    package let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    package var description: String { hexadecimal }

    package static func < (left: Self, right: Self) -> Bool { isOrdered(left, right) }
}

/// What the machine's clocks show at one moment.
package struct ClockReading: Sendable, Hashable {
    /// The machine's present run.
    package var boot: BootID
    /// Since its start, suspended time included. Nobody can set it.
    package var bootMilliseconds: UInt64
    /// The time of day; it jumps when somebody sets it.
    package var wallMilliseconds: Int64

    package init(boot: BootID, bootMilliseconds: UInt64, wallMilliseconds: Int64) {
        self.boot = boot
        self.bootMilliseconds = bootMilliseconds
        self.wallMilliseconds = wallMilliseconds
    }
}

/// The time of a shard: it never goes back, and while the machine runs it goes exactly as time does, whatever happens
/// to the time of day. Only what passed while the machine was off is taken from the time of day, if that grew at all.
package struct ShardClock: Sendable, Hashable {
    /// The shard's time at the last reading. It starts at 0 when the shard is first claimed.
    package private(set) var milliseconds: UInt64
    /// The reading that it was advanced to.
    package private(set) var reading: ClockReading

    package init(milliseconds: UInt64 = 0, at reading: ClockReading) {
        self.milliseconds = milliseconds
        self.reading = reading
    }

    /// Goes on to a later reading and returns the shard's time.
    @discardableResult
    package mutating func advance(to next: ClockReading) -> UInt64 {
        #if SEEDED_BUGS
        var next = next
        if SeededBug.clockOfDay.isActive { next.boot = BootID(high: ~reading.boot.high, low: 0) }
        #endif
        let passed: UInt64
        if next.boot == reading.boot {
            passed = next.bootMilliseconds - min(next.bootMilliseconds, reading.bootMilliseconds)
        } else {
            let (difference, overflows) = next.wallMilliseconds.subtractingReportingOverflow(reading.wallMilliseconds)
            passed = overflows ? 0 : UInt64(max(0, difference))
        }
        let (sum, overflows) = milliseconds.addingReportingOverflow(passed)
        milliseconds = overflows ? .max : sum
        reading = next
        return milliseconds
    }
}

extension Duration {
    /// Whole milliseconds, as rows and frames carry times; 0 for what is negative.
    package var wholeMilliseconds: UInt64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        let (product, overflows) = UInt64(seconds).multipliedReportingOverflow(by: 1000)
        return overflows ? .max : product + UInt64(attoseconds / 1_000_000_000_000_000)
    }
}
