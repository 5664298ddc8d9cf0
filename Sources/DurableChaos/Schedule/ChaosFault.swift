/// One fault of a schedule: what happens to which process when.
public struct ChaosFault: Sendable, Hashable, Codable, CustomStringConvertible {
    /// What happens.
    public enum Kind: String, Sendable, Hashable, Codable, CaseIterable {
        /// A worker is ended by SIGKILL.
        case kill
        /// A worker is ended by SIGABRT, as by a trap in its code.
        case abort
        /// A worker is ended by SIGTERM, as a service manager does it. A process cannot be made to exit from outside.
        case terminate
        /// A worker stands still for a while, and goes on: one that others take for dead.
        case stop
        /// All processes of the runtime stand still for a while, the supervisor too, and go on.
        case freeze
        /// The supervisor is ended by SIGKILL.
        case killSupervisor
        /// All workers and the supervisor are ended by SIGKILL, one right after the other.
        case killAll
    }

    /// What happens.
    public var kind: Kind
    /// When, counted from the start of the schedule.
    public var offset: Duration
    /// For how long processes stand still.
    public var lasting: Duration
    /// Which worker it is: this number modulo how many there are, by their process numbers.
    public var choice: UInt64

    /// Makes a fault.
    public init(_ kind: Kind, at offset: Duration, lasting: Duration = .zero, choice: UInt64 = 0) {
        self.kind = kind
        self.offset = offset
        self.lasting = lasting
        self.choice = choice
    }

    /// A line that is also the Swift that makes it.
    public var description: String {
        let time = lasting == .zero ? "" : ", lasting: .milliseconds(\(lasting.chaosMilliseconds))"
        return "ChaosFault(.\(kind), at: .milliseconds(\(offset.chaosMilliseconds))\(time), choice: \(choice))"
    }
}

/// Faults of one kind that come again and again.
public struct Chaos: Sendable, Hashable {
    /// What may happen; one of them each time.
    var kinds: [ChaosFault.Kind]
    /// In each such stretch of time there is one.
    var period: Duration
    var lasting: Duration

    private init(_ kinds: [ChaosFault.Kind], _ period: Duration, _ lasting: Duration = .zero) {
        precondition(period > .zero && lasting >= .zero, "faults come after a time above zero")
        self.kinds = kinds
        self.period = period
        self.lasting = lasting
    }

    /// A worker is ended by SIGKILL, once in each such period.
    public static func kill(every period: Duration) -> Self { Self([.kill], period) }

    /// A worker is ended by SIGABRT.
    public static func abort(every period: Duration) -> Self { Self([.abort], period) }

    /// A worker is ended by SIGTERM.
    public static func terminate(every period: Duration) -> Self { Self([.terminate], period) }

    /// A worker stands still for this long, and goes on.
    public static func stop(every period: Duration, lasting: Duration) -> Self { Self([.stop], period, lasting) }

    /// All processes of the runtime stand still for this long, and go on.
    public static func freeze(every period: Duration, lasting: Duration) -> Self { Self([.freeze], period, lasting) }

    /// The supervisor is ended by SIGKILL.
    public static func killSupervisor(every period: Duration) -> Self { Self([.killSupervisor], period) }

    /// All workers and the supervisor are ended by SIGKILL together.
    public static func killAll(every period: Duration) -> Self { Self([.killAll], period) }

    /// Any of these, as the seed says; processes that stand still do so for half a period.
    public static func anything(every period: Duration) -> Self { Self(ChaosFault.Kind.allCases, period, period / 2) }
}

extension Duration {
    /// Whole milliseconds, for people and for literals.
    var chaosMilliseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1000 + attoseconds / 1_000_000_000_000_000
    }
}
