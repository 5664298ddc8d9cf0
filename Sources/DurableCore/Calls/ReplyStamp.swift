/// When a call was answered, by the actor's own count, which never goes back: the epoch of the life that answered, and
/// the version of its stored state by then.
///
/// Calls that were committed together have the same stamp, and so has a call that only read with the change before it.
/// A shared actor has the version of its group.
public struct ReplyStamp: Sendable, Hashable, Comparable, Codable, CustomStringConvertible {
    /// The life; it grows with each.
    public var epoch: UInt64
    /// How often the state was committed until then.
    public var version: UInt64
    /// Whether the call was answered from the record of an earlier time. Then what it did was done at this stamp or
    /// before.
    public var isRepeated: Bool

    /// Makes a stamp.
    public init(epoch: UInt64, version: UInt64, isRepeated: Bool = false) {
        self.epoch = epoch
        self.version = version
        self.isRepeated = isRepeated
    }

    /// Orders by the life, then by the version.
    public static func < (left: Self, right: Self) -> Bool {
        (left.epoch, left.version) < (right.epoch, right.version)
    }

    /// In the form `3.17`, with a `*` when it was answered from a record.
    public var description: String { "\(epoch).\(version)\(isRepeated ? "*" : "")" }
}
