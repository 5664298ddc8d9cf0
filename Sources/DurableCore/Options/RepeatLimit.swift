/// How often something may be repeated, or how much of it there may be at once: a number, or without limit.
///
/// As in Ray, the literal `-1` means unlimited.
public struct RepeatLimit: Sendable, Hashable, Codable, ExpressibleByIntegerLiteral, CustomStringConvertible {
    /// The number of times; -1 stands for no limit.
    package let rawValue: Int

    /// At most this often; -1 for no limit.
    public init(_ count: Int) { rawValue = count }

    /// At most this often; -1 for no limit.
    public init(integerLiteral value: Int) { self.init(value) }

    /// Without limit.
    public static let unlimited = RepeatLimit(-1)

    /// Whether there is no limit.
    public var isUnlimited: Bool { rawValue == -1 }

    package var isValid: Bool { rawValue >= -1 }

    /// Whether one more is allowed after this many.
    package func allows(after used: Int) -> Bool { isUnlimited || used < rawValue }

    /// The number, or "unlimited".
    public var description: String { isUnlimited ? "unlimited" : String(rawValue) }
}
