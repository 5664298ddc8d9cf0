package import DurableCore

/// Everything that a turn commits together.
package struct WriteSet: Sendable, Hashable {
    /// A checkpointed property and its new value.
    package struct Field: Sendable, Hashable {
        /// The property's name.
        package var name: String
        /// Its value, CBOR.
        package var value: [UInt8]

        package init(name: String, value: [UInt8]) {
            self.name = name
            self.value = value
        }
    }

    /// The actor whose turn it was.
    package var actor: ActorID
    /// What it changed.
    package var fields: [Field]
    /// The call's outcome; `nil` when the write set is not of a call, as after the constructor.
    package var completion: Completion?

    package init(actor: ActorID, fields: [Field], completion: Completion? = nil) {
        self.actor = actor
        self.fields = fields
        self.completion = completion
    }
}

/// The stored outcome of a call; a retry gets it back instead of running again.
package struct Completion: Sendable, Hashable {
    /// The call.
    package var id: CallID
    /// The caller has the outcomes of all its calls below this number.
    package var firstIncomplete: UInt64
    /// The checksum of method and arguments.
    package var fingerprint: UInt32
    /// How it ended.
    package var outcome: CallOutcome

    package init(id: CallID, firstIncomplete: UInt64, fingerprint: UInt32, outcome: CallOutcome) {
        self.id = id
        self.firstIncomplete = firstIncomplete
        self.fingerprint = fingerprint
        self.outcome = outcome
    }
}

/// How far a session has come with an actor.
package struct SessionProgress: Sendable, Hashable {
    /// The highest call with a completion record.
    package var highest: UInt64 = 0
    /// The caller has had the outcomes of all calls below this number; their records are gone or may go.
    package var frontier: UInt64 = 0

    package init() {}
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
