/// One fault of a schedule: what happens to which process when.
public struct ChaosFault: Sendable, Hashable, Codable, CustomStringConvertible {
    /// What happens.
    public enum Kind: String, Sendable, Hashable, Codable, CaseIterable {
        /// A worker is ended by SIGKILL.
        case kill
        /// A worker is ended by SIGABRT, as by a trap in its code.
        case abort
        /// A worker ends itself by `_exit(0)`, as code does that believes to be done.
        case exit
        /// A worker is ended by SIGTERM, as a service manager does it.
        case terminate
        /// A worker stands still for a while, and goes on: one that others take for dead.
        case stop
        /// All processes of the runtime stand still for a while, the supervisor too, and go on.
        case freeze
        /// The supervisor is ended by SIGKILL.
        case killSupervisor
        /// All workers and the supervisor are ended by SIGKILL, one right after the other.
        case killAll
        /// A program that uses the runtime is ended by SIGKILL; never the one that runs the schedule.
        case killDriver
        /// A worker's next commit takes that much longer.
        case slowDisk
        /// A worker's commits fail for a while, or one of them, as with a broken disk.
        case failDisk
        /// A worker's commits fail for a while, or one of them, as with a full disk.
        case fullDisk
        /// A worker's next reply does not leave: the connections of those who wait for it end in its place.
        case dropReply
        /// A worker's next reply is that much late, and all behind it are.
        case delayReply
        /// A worker's next reply leaves twice.
        case duplicateReply
        /// The time of day jumps for all workers that live, and for the supervisor; back if `choice` is odd.
        case jumpClock

        /// Whether a caller can notice it whatever it allows to be retried: its calls fail with `storageFailed` or
        /// `storageFull`, and have changed nothing.
        public var reachesCallers: Bool { self == .failDisk || self == .fullDisk }

        /// Whether it has an extent, in `lasting`.
        var hasExtent: Bool {
            switch self {
            case .stop, .freeze, .slowDisk, .failDisk, .fullDisk, .delayReply, .jumpClock: true
            default: false
            }
        }

        /// Whether it hits everybody.
        var isForAll: Bool { self == .freeze || self == .killAll }
    }

    /// What happens.
    public var kind: Kind
    /// When, counted from the start of the schedule.
    public var offset: Duration
    /// For how long; of a clock, how far it jumps.
    public var lasting: Duration
    /// Which process it is: this number modulo how many there are, by their process numbers.
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

    /// A worker ends itself by `_exit(0)`.
    public static func exit(every period: Duration) -> Self { Self([.exit], period) }

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

    /// One of the programs that use the runtime is ended by SIGKILL; never the one that runs the schedule.
    public static func killDriver(every period: Duration) -> Self { Self([.killDriver], period) }

    /// A commit of a worker takes this much longer; its thread stands still meanwhile, as it does for a real disk.
    public static func slowDisk(every period: Duration, lasting: Duration) -> Self {
        Self([.slowDisk], period, lasting)
    }

    /// The commits of a worker fail for this long, or one of them when no time is given. Callers get `storageFailed`.
    public static func failDisk(every period: Duration, lasting: Duration = .zero) -> Self {
        Self([.failDisk], period, lasting)
    }

    /// The same with a disk that is full. Callers get `storageFull`.
    public static func fullDisk(every period: Duration, lasting: Duration = .zero) -> Self {
        Self([.fullDisk], period, lasting)
    }

    /// A reply does not leave: the connection ends behind the commit, and the caller asks again.
    public static func dropReply(every period: Duration) -> Self { Self([.dropReply], period) }

    /// A reply is this much late, and so is what comes behind it.
    public static func delayReply(every period: Duration, lasting: Duration) -> Self {
        Self([.delayReply], period, lasting)
    }

    /// A reply leaves twice.
    public static func duplicateReply(every period: Duration) -> Self { Self([.duplicateReply], period) }

    /// The time of day jumps by this much, forward or back.
    public static func jumpClock(every period: Duration, by distance: Duration) -> Self {
        Self([.jumpClock], period, distance)
    }

    /// Any of these that a caller who allows retries need not notice, as the seed says: all but a disk that fails or is
    /// full, and the death of a program. What takes time takes half a period; clocks jump by an hour.
    public static func anything(every period: Duration) -> Self {
        Self(ChaosFault.Kind.allCases.filter { !$0.reachesCallers && $0 != .killDriver }, period, period / 2)
    }
}

extension Duration {
    /// Whole milliseconds, for people and for literals.
    var chaosMilliseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1000 + attoseconds / 1_000_000_000_000_000
    }
}
