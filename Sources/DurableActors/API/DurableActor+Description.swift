/// What is shown of an actor, by failing tests as well: its type and its identity.
///
/// A handle has no properties to show. Swift's own reflection reads them all the same, from memory that was never set.
extension DurableActor {
    /// The type's name and the actor's identity.
    nonisolated public var description: String { "\(Self.self)(\(id))" }

    /// The same as ``description``.
    nonisolated public var debugDescription: String { description }

    /// Shows the identity, and no properties.
    nonisolated public var customMirror: Mirror {
        Mirror(self, children: ["id": id], displayStyle: .class, ancestorRepresentation: .suppressed)
    }
}
