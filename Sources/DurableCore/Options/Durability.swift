/// What an acknowledged mutation survives.
public struct Durability: Sendable, Hashable, Codable, CustomStringConvertible {
    private let name: String

    /// Survives `kill -9` of any process, a crash of the operating system and power loss: each commit group is
    /// flushed before its replies leave. The default.
    public static let disk = Durability(name: "disk")

    /// Survives `kill -9` of any process, and of all of them together, without a flush on the path. A crash of the
    /// operating system or a power loss can lose what was acknowledged since the last write-back.
    public static let process = Durability(name: "process")

    /// The level's name.
    public var description: String { name }

    package var isKnown: Bool { self == .disk || self == .process }
}
