package import DurableCore

/// Everything that a turn commits together.
package struct WriteSet: Sendable, Hashable {
    /// One change of what is stored for an actor.
    package enum Change: Sendable, Hashable {
        /// What the actor is; with its first state.
        case actor(StoredActor)
        /// A property's value, or a collection's header, replaces what was stored under the name.
        case property(String, StoredProperty)
        /// A property is not stored any more; its rows go with it.
        case removeProperty(String)
        /// An entry of a collection: key and payload.
        case entry(RowSetID, key: [UInt8], payload: [UInt8])
        /// An entry of a collection is gone.
        case removeEntry(RowSetID, key: [UInt8])
        /// All rows of a set are gone. They are deleted a few at a time, later.
        case discard(RowSetID)
        /// The rows of a set are part of the state, although the set was discarded before, in this write set or in an
        /// earlier one.
        case keep(RowSetID)
        /// How the state is laid out, for those who look at it without the actor's type.
        case schema(StoredSchema)
        /// A call that crashed its workers will not be run again; replaces what was stored of it before.
        case deadLetter(CallID, StoredDeadLetter)
        /// The record of a call with a key is needed no more.
        case release(CallKey)
        /// The actor is gone, with everything that is stored for it.
        case removeActor
    }

    /// The actor whose turn it was.
    package var actor: ActorID
    /// What it changed, in order.
    package var changes: [Change]
    /// The schema version of the code that made the changes.
    package var schema: UInt32
    /// The call's outcome; `nil` when the write set is not of a call, as after the constructor.
    package var completion: Completion?

    package init(actor: ActorID, changes: [Change], schema: UInt32 = 0, completion: Completion? = nil) {
        self.actor = actor
        self.changes = changes
        self.schema = schema
        self.completion = completion
    }
}

/// Holds back what must not be seen before it is durable: the write sets of finished turns, and their replies.
///
/// A read that saw an uncommitted change waits with the change; a read on its own still waits for the proof that the
/// shard is ours.
package struct OutputGate<Reply: Sendable>: Sendable {
    /// Write sets that one transaction commits, and the replies that leave after it.
    package struct Group: Sendable {
        /// What to commit; empty when only reads are held.
        package var writeSets: [WriteSet]
        /// What leaves after it.
        package var replies: [Reply]
    }

    private var group = Group(writeSets: [], replies: [])

    package init() {}

    /// How many replies are held.
    package var count: Int { group.replies.count }

    /// Whether nothing is held.
    package var isEmpty: Bool { group.replies.isEmpty && group.writeSets.isEmpty }

    /// Holds a finished turn.
    package mutating func hold(_ writeSet: WriteSet?, reply: Reply?) {
        if let writeSet { group.writeSets.append(writeSet) }
        if let reply { group.replies.append(reply) }
    }

    /// Takes what is held, to commit it and let it go; `nil` when there is nothing.
    package mutating func take() -> Group? {
        guard !isEmpty else { return nil }
        defer { group = Group(writeSets: [], replies: []) }
        return group
    }
}
