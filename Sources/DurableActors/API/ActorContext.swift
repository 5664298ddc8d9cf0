public import DurableCore

/// What the code of an actor can know of the actor that it runs in.
///
/// There is one in the constructor, in methods, and in tasks that they make, but not in a `Task.detached`, and none in a
/// driver or a ``RemoteTask``. The values are those of the life in which the turn began.
public struct ActorContext: Sendable {
    /// The actor that the present task works for; `nil` outside of actors.
    public static var current: ActorContext? { Turn.current?.context }

    private let values: Values

    init(_ values: Values) { self.values = values }

    /// The actor's identity, the same in all of its lives.
    public var actorID: ActorID { values.definition.id }

    /// The name it is found under; empty when it has none.
    public var name: String { values.definition.name ?? "" }

    /// The scope of its name.
    public var namespace: String { values.definition.options.namespace }

    /// The type's name.
    public var typeName: String { values.definition.typeDescription }

    /// How it lives.
    public var options: ActorOptions { values.definition.options }

    /// What it reserves of its node's resources, by name; empty unless its options ask for something. Ray:
    /// `get_assigned_resources`.
    public var resources: [String: Double] { values.definition.resources }

    /// The node that it was placed on in its present life.
    public var node: String { values.node }

    /// The bundle that it is in.
    var bundle: Placement.BundleName? { values.definition.bundle }

    /// The present life, counted from 1. Lives in earlier runtimes of the same directory count.
    ///
    /// A shared actor's are the lives of its group's worker, counted from the one in which it was created; a kill that
    /// ends one actor's life only is not counted.
    public var incarnation: UInt64 { values.incarnation }

    /// How many lives there were before the present one, whatever ended them.
    public var restarts: Int { Int(clamping: values.incarnation - 1) }

    /// Whether an earlier instance of the actor has been made: in an earlier life, or in this one before its memory had
    /// to be dropped. What is not checkpointed is as the constructor makes it.
    public var wasRestarted: Bool { values.wasRestarted }

    /// Whether there was stored state when this instance was made. The constructor runs before it is put in place.
    public var wasRestored: Bool { values.wasRestored }

    /// Shared by all turns of an instance.
    final class Values: Sendable {
        let definition: ActorHost.Definition
        let node: String
        let incarnation: UInt64
        let wasRestarted: Bool
        let wasRestored: Bool

        init(
            _ definition: ActorHost.Definition,
            node: String,
            incarnation: UInt64,
            wasRestarted: Bool,
            wasRestored: Bool
        ) {
            self.definition = definition
            self.node = node
            self.incarnation = incarnation
            self.wasRestarted = wasRestarted
            self.wasRestored = wasRestored
        }
    }
}
