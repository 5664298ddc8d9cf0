/// Which process an actor lives in.
public enum Isolation: Sendable, Hashable, Codable, CustomStringConvertible {
    /// A worker process of its own: its crash touches nobody else. The default.
    case dedicated

    /// A worker process, and a shard, with all other actors of this group: for many small actors. Their changes share
    /// commits. A crash restarts all of them, and is charged to the one whose call was running.
    case shared(String)

    /// The option as it is written in code.
    public var description: String {
        switch self {
        case .dedicated: ".dedicated"
        case .shared(let group): ".shared(\"\(group)\")"
        }
    }
}
