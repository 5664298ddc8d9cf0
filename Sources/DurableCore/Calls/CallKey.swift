/// Names a call beyond the session that makes it: whoever calls the same actor under the same key makes the same call.
package struct CallKey: Identifier128 {
    package let high: UInt64
    package let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    package var description: String { hexadecimal }

    package static func < (left: Self, right: Self) -> Bool { isOrdered(left, right) }

    /// The key that a caller chose, which means something to this actor only.
    package init(text: String, of actor: ActorID) {
        var writer = ByteWriter(reserving: 64)
        writer.write(Origin.text.rawValue)
        writer.write(actor)
        writer.write(raw: Array(text.utf8))
        self.init(hashOf: writer)
    }

    /// The key of a call that another call makes: the same whenever that one is run again and makes the same call.
    /// - Parameters:
    ///   - parent: The call that makes it, and the actor that runs that.
    ///   - actor: The actor that is called.
    ///   - method: The method.
    ///   - arguments: The arguments.
    ///   - number: How many calls of exactly this kind the parent made before.
    package init(
        parent: (actor: ActorID, call: CallName),
        actor: ActorID,
        method: String,
        arguments: [[UInt8]],
        number: UInt64
    ) {
        var writer = ByteWriter(reserving: 128 + arguments.reduce(0) { $0 + $1.count + 4 })
        switch parent.call {
        case .id(let id):
            writer.write(Origin.childOfID.rawValue)
            writer.write(parent.actor)
            writer.write(id.session)
            writer.write(id.sequence)
        case .key(let key):
            writer.write(Origin.childOfKey.rawValue)
            writer.write(parent.actor)
            writer.write(key)
        }
        writer.write(actor)
        writer.write(number)
        writer.write(counted: method)
        for argument in arguments { writer.write(counted: argument) }
        self.init(hashOf: writer)
    }

    /// The key of a call that a task makes: the same whenever the task is run again and makes the same call.
    /// - Parameters:
    ///   - task: Names the task over its runs.
    ///   - actor: The actor that is called.
    ///   - method: The method.
    ///   - arguments: The arguments.
    ///   - number: How many calls of exactly this kind the task made before.
    package init(task: CallKey, actor: ActorID, method: String, arguments: [[UInt8]], number: UInt64) {
        var writer = ByteWriter(reserving: 128 + arguments.reduce(0) { $0 + $1.count + 4 })
        writer.write(Origin.childOfTask.rawValue)
        writer.write(task)
        writer.write(actor)
        writer.write(number)
        writer.write(counted: method)
        for argument in arguments { writer.write(counted: argument) }
        self.init(hashOf: writer)
    }

    /// What was hashed; keys of different origin never meet.
    private enum Origin: UInt8 {
        case text = 1
        case childOfID = 2
        case childOfKey = 3
        case childOfTask = 4
    }

    private init(hashOf writer: ByteWriter) {
        var reader = ByteReader(SipHash128.hash(writer.bytes))
        // A hash always has 16 bytes.
        let high = (try? reader.readBigEndian(UInt64.self)) ?? 0
        self.init(high: high, low: (try? reader.readBigEndian(UInt64.self)) ?? 0)
    }
}

/// What a call is known by when it comes again.
package enum CallName: Hashable, Sendable {
    /// By its caller's session.
    case id(CallID)
    /// By its key, from whatever session.
    case key(CallKey)
}

/// A call's key, and what becomes of its record.
package struct Deduplication: Hashable, Sendable {
    /// The key.
    package var key: CallKey
    /// How long the record is kept after the call, by the shard's clock.
    package var retentionMilliseconds: UInt64
    /// Whether a user chose the key. Such a call leaves a record also when it changed nothing.
    package var isExplicit: Bool

    package init(_ key: CallKey, retentionMilliseconds: UInt64, isExplicit: Bool) {
        self.key = key
        self.retentionMilliseconds = retentionMilliseconds
        self.isExplicit = isExplicit
    }
}
