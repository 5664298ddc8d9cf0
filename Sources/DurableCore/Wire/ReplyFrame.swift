/// How a call ended.
package enum CallOutcome: Sendable, Hashable, Codable {
    /// It returned; the result as CBOR, empty for `Void`.
    case returned([UInt8])
    /// It returned; the result as CBOR, and large byte strings of it beside that. Only on its way: records have all in
    /// one.
    case returnedApart([UInt8], DetachedBytes)
    /// It threw an error of this type (mangled name), CBOR.
    case threw(typeName: String, value: [UInt8])
    /// It failed with one of the framework's errors, CBOR of an `ActorError`.
    case failed([UInt8])
}

/// The outcome of a call as it travels back, and as completion records keep it.
package struct ReplyFrame: Sendable, Hashable {
    /// The sequence number of the call in its session.
    package var sequence: UInt64
    /// The actor that answered.
    package var actor: ActorID
    /// The epoch of the incarnation that answers.
    package var epoch: Epoch
    /// The shard's version when it answered.
    package var version: UInt64
    /// How the call ended.
    package var outcome: CallOutcome
    /// Whether the worker keeps a record of the call, by which it would answer if it came again.
    package var isRecorded: Bool
    /// Whether this outcome is that of an earlier time, from such a record.
    package var isRepeated = false

    package init(
        sequence: UInt64,
        actor: ActorID,
        epoch: Epoch,
        version: UInt64,
        outcome: CallOutcome,
        isRecorded: Bool = false
    ) {
        self.isRecorded = isRecorded
        self.sequence = sequence
        self.actor = actor
        self.epoch = epoch
        self.version = version
        self.outcome = outcome
    }

    /// The frame's payload.
    package func encoded() -> [UInt8] {
        var writer = ByteWriter(reserving: 64)
        write(to: &writer)
        return writer.bytes
    }

    /// About how many bytes the payload has.
    package var byteCountGuess: Int { 64 + outcome.byteCount }

    /// Writes the frame's payload.
    package func write(to writer: inout ByteWriter) {
        writer.write(sequence)
        writer.write(actor)
        writer.write(epoch)
        writer.write(version)
        outcome.write(to: &writer)
        writer.write(UInt8(isRepeated ? 2 : isRecorded ? 1 : 0))
    }

    /// Reads a payload that came from outside.
    /// - Parameter detached: What came beside it.
    package init(decoding payload: [UInt8], detached: DetachedBytes? = nil) throws(MalformedBytes) {
        var reader = ByteReader(payload)
        sequence = try reader.read()
        actor = try reader.readIdentifier()
        epoch = try reader.read()
        version = try reader.read()
        outcome = try CallOutcome(from: &reader, detached: detached)
        switch try reader.readByte() {
        case 0: isRecorded = false
        case 1: isRecorded = true
        case 2: (isRecorded, isRepeated) = (true, true)
        case let other: throw MalformedBytes("a reply's last byte is \(other)")
        }
        try reader.finish()
    }
}

extension CallOutcome {
    /// How many bytes a result or an error has, without what lies beside it.
    package var byteCount: Int {
        switch self {
        case .returned(let value), .failed(let value), .returnedApart(let value, _): value.count
        case .threw(let typeName, let value): typeName.utf8.count + value.count
        }
    }

    package func write(to writer: inout ByteWriter) {
        switch self {
        case .returned(let value):
            writer.write(UInt8(0))
            writer.write(counted: value)
        case .threw(let typeName, let value):
            writer.write(UInt8(1))
            writer.write(counted: typeName)
            writer.write(counted: value)
        case .failed(let value):
            writer.write(UInt8(2))
            writer.write(counted: value)
        case .returnedApart(let value, _):
            writer.write(UInt8(3))
            writer.write(counted: value)
        }
    }

    /// - Parameter detached: What came beside it.
    package init(from reader: inout ByteReader, detached: DetachedBytes? = nil) throws(MalformedBytes) {
        switch try reader.readByte() {
        case 0: self = .returned(Array(try reader.readCounted()))
        case 1: self = .threw(typeName: try reader.readCountedText(), value: Array(try reader.readCounted()))
        case 2: self = .failed(Array(try reader.readCounted()))
        case 3:
            guard let detached else { throw MalformedBytes("a result came without its large parts") }
            self = .returnedApart(Array(try reader.readCounted()), detached)
        case let other: throw MalformedBytes("outcome \(other) is unknown")
        }
    }
}

/// What a worker says of itself to a caller that connects.
package struct HostGreeting: Sendable, Hashable {
    /// The actor it hosts.
    package var actor: ActorID
    /// Which life of it.
    package var incarnation: Incarnation
    /// The epoch that it owns.
    package var epoch: Epoch

    package init(actor: ActorID, incarnation: Incarnation, epoch: Epoch) {
        self.actor = actor
        self.incarnation = incarnation
        self.epoch = epoch
    }

    package func encoded() -> [UInt8] {
        var writer = ByteWriter(reserving: 32)
        writer.write(actor)
        writer.write(incarnation)
        writer.write(epoch)
        return writer.bytes
    }

    package init(decoding bytes: [UInt8]) throws(MalformedBytes) {
        var reader = ByteReader(bytes)
        actor = try reader.readIdentifier()
        incarnation = try reader.read()
        epoch = try reader.read()
        try reader.finish()
    }
}
