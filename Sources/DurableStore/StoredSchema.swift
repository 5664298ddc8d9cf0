/// What a shard keeps of the layout of an actor's state: how the build that served it last describes its properties,
/// and which stored ones that build does not know.
package struct StoredSchema: Sendable, Hashable, Codable {
    /// The type's name with its module.
    package var type: String
    /// The schema version of the build that is described.
    package var version: UInt32
    /// The type of each property and of the parts of its value, by path, as `docs/schema.md` lists them.
    package var layout: [String: String]
    /// Properties by the names that they were renamed from.
    package var aliases: [String: String]
    /// Stored properties that the build does not know, with the time when one first did not: milliseconds since 1970.
    package var unknown: [String: Int64]
    /// When this was written: milliseconds since 1970.
    package var milliseconds: Int64

    package init(
        type: String,
        version: UInt32,
        layout: [String: String] = [:],
        aliases: [String: String] = [:],
        unknown: [String: Int64] = [:],
        milliseconds: Int64 = 0
    ) {
        self.type = type
        self.version = version
        self.layout = layout
        self.aliases = aliases
        self.unknown = unknown
        self.milliseconds = milliseconds
    }
}
