/// Names one actor for its whole life, over all its incarnations.
///
/// The identity that comes out of a handle of an actor with ``ActorOptions/endsWithLastHandle`` keeps the actor like the
/// handle itself.
public struct ActorID: Identifier128 {
    package let high: UInt64
    package let low: UInt64
    /// What the handle keeps that the identity is part of. It is no part of what the identity says.
    package var token: HandleToken?

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// The identity alone, which keeps nothing.
    package var bare: ActorID { ActorID(high: high, low: low) }

    /// Whether both name the same actor.
    public static func == (left: Self, right: Self) -> Bool { left.high == right.high && left.low == right.low }

    /// Adds the identifier's bits.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(high)
        hasher.combine(low)
    }

    /// 32 hexadecimal digits.
    public var description: String { hexadecimal }

    /// Orders identifiers by their bits; the order means nothing but is stable.
    public static func < (left: Self, right: Self) -> Bool { isOrdered(left, right) }
}

/// A caller's identity for deduplication: with a sequence number it names one call for ever.
package struct SessionID: Identifier128 {
    package let high: UInt64
    package let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    package var description: String { hexadecimal }

    package static func < (left: Self, right: Self) -> Bool { isOrdered(left, right) }
}

/// Names one driver process's membership in a runtime.
public struct DriverID: Identifier128 {
    package let high: UInt64
    package let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// 32 hexadecimal digits.
    public var description: String { hexadecimal }

    /// Orders identifiers by their bits; the order means nothing but is stable.
    public static func < (left: Self, right: Self) -> Bool { isOrdered(left, right) }
}

/// Names one placement group for its whole life.
public struct PlacementGroupID: Identifier128 {
    package let high: UInt64
    package let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// 32 hexadecimal digits.
    public var description: String { hexadecimal }

    /// Orders identifiers by their bits; the order means nothing but is stable.
    public static func < (left: Self, right: Self) -> Bool { isOrdered(left, right) }
}

/// One call for ever, the same over all its retries.
package struct CallID: Hashable, Sendable, Codable {
    /// Whose call it is.
    package var session: SessionID
    /// The call's place among the session's calls to its actor; starts at 1.
    package var sequence: UInt64

    package init(session: SessionID, sequence: UInt64) {
        self.session = session
        self.sequence = sequence
    }
}

/// The number of a shard: a directory under `shards/`, a worker's unit of ownership.
package typealias ShardNumber = UInt64

/// The number of one life of an actor in one worker process; starts at 1 and grows.
package typealias Incarnation = UInt64

/// A shard's fencing number, raised in the shard's own environment by each new owner.
package typealias Epoch = UInt64
