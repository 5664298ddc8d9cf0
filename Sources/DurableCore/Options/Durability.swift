/// What an acknowledged mutation survives.
public struct Durability: Sendable, Hashable, Codable, CustomStringConvertible {
    private let name: String

    /// Survives `kill -9` of any process, a crash of the operating system and power loss: each commit group is
    /// flushed before its replies leave. The default.
    public static let disk = Durability(name: "disk")

    /// Survives `kill -9` of any process, and of all of them together, without a flush on the path. A crash of the
    /// operating system or a power loss can lose what was acknowledged since the last write-back; when it has damaged
    /// the file, the actor goes on from its newest snapshot, and the ledger says so.
    public static let process = Durability(name: "process")

    /// Survives nothing: for actors without state of their own. Nothing is stored and no commit is made; each life
    /// starts from the constructor, checkpointed properties included, and a retried call runs again.
    public static let none = Durability(name: "none")

    /// The level's name.
    public var description: String { name }

    package var isKnown: Bool { [.disk, .process, .none].contains(self) }

    /// Whether anything is stored at all.
    package var isStored: Bool { self != .none }
}
