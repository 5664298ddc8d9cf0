/// What happened in a simulated history: a checksum over all of it, and the end of it for people.
package struct Trace: Sendable {
    /// Something that happens. The numbers beside it are of those who take part.
    package enum What: UInt8, Sendable {
        // Callers.
        case driverJoins, driverDies, located, submits, connects, opened, closed, asks, verdict, sends, settles, cancels
        // The network.
        case breaks, callArrives, replyArrives, accepts, refusesConnection
        // Workers.
        case assigned, claims, serves, admits, answersFromRecord, refuses, begins, ends, commits, commitFails, fenced
        case replies, dies, freezes, buries, expires, returns
        // The supervisor.
        case supervisorStarts, supervisorDies, persists, starts, noticesDeath, kills, abandons, adopts, recognises
        case startsAgain, awaits, endsActor, creates, convicts
        // The machine.
        case boots, clockIsSet, heals
    }

    /// One line of it.
    package struct Line: Sendable, CustomStringConvertible {
        package var time: UInt64
        package var what: What
        package var numbers: (UInt64, UInt64, UInt64)

        package var description: String {
            let (first, second, third) = numbers
            return "\(time) µs: \(what) \(first) \(second) \(third)"
        }
    }

    /// The checksum of all lines so far.
    package private(set) var checksum: UInt64 = 0xcbf2_9ce4_8422_2325
    /// How many lines there were.
    package private(set) var count = 0
    private var ring: [Line] = []
    private let kept: Int

    /// - Parameter kept: How many lines are kept for people.
    init(keeping kept: Int) { self.kept = kept }

    /// The lines that are kept, oldest first.
    package var lines: [Line] {
        guard ring.count == kept, kept > 0 else { return ring }
        let start = count % kept
        return Array(ring[start...] + ring[..<start])
    }

    mutating func add(_ what: What, at time: UInt64, _ first: UInt64, _ second: UInt64, _ third: UInt64) {
        mix(time)
        mix(UInt64(what.rawValue))
        mix(first)
        mix(second)
        mix(third)
        defer { count += 1 }
        guard kept > 0 else { return }
        let line = Line(time: time, what: what, numbers: (first, second, third))
        if ring.count < kept { ring.append(line) } else { ring[count % kept] = line }
    }

    private mutating func mix(_ value: UInt64) {
        // A step of a multiplicative hash that every bit goes into.
        checksum = (checksum ^ value) &* 0x9e37_79b9_7f4a_7c15
        checksum ^= checksum >> 29
    }
}
