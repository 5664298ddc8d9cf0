internal import CBOR
package import DurableCore
internal import DurableLMDB

/// What a shard keeps of a call that crashed its workers and will not be run again.
package struct StoredDeadLetter: Sendable, Hashable, Codable {
    /// The method, by the name that Swift gives to distributed methods. `nil` until the call has come once more: when
    /// its worker died, only its number was known.
    package var method: String?
    /// The arguments, each CBOR; `nil` also when they are larger than is kept.
    package var arguments: [[UInt8]]?
    /// The size of the arguments together.
    package var argumentsBytes: Int?
    /// Why the last of its lives ended, in words.
    package var cause: String
    /// The lives that it ended.
    package var incarnations: [Incarnation]
    /// Milliseconds since 1970 by the wall clock, at the last of these ends.
    package var milliseconds: Int64
    /// The end of what the last worker wrote to stderr.
    package var stderrTail: String

    package init(_ order: DeadLetterOrder) {
        cause = order.cause.description
        incarnations = order.incarnations
        milliseconds = order.milliseconds
        stderrTail = order.stderrTail
    }

    /// Adds what is known of the call since it has come again.
    package mutating func complete(with frame: CallFrame) {
        method = frame.method
        let size = frame.arguments.reduce(frame.detached?.byteCount ?? 0) { $0 + $1.count }
        argumentsBytes = size
        arguments = size <= Limits.deadLetterArgumentsBytesMax && frame.detached == nil ? frame.arguments : nil
    }
}

/// A dead letter with its place: the call that it stands for.
package struct DeadLetter: Sendable, Hashable {
    /// The actor that was called.
    package var actor: ActorID
    /// The call.
    package var call: CallID
    /// What is kept of it.
    package var stored: StoredDeadLetter

    package init(actor: ActorID, call: CallID, stored: StoredDeadLetter) {
        self.actor = actor
        self.call = call
        self.stored = stored
    }

    /// Dead letters of one actor, or of all with an empty prefix, oldest first.
    static func all(
        prefix: [UInt8],
        _ databases: ShardDatabases,
        _ transaction: borrowing some ReadableTransaction & ~Copyable
    ) throws -> [DeadLetter] {
        var rows: [(key: [UInt8], value: [UInt8])] = []
        try transaction.forEach(prefix: prefix, in: databases.dead) { key, value in
            rows.append((Array(key), Array(value)))
            return true
        }
        return try rows.map { key, value in
            guard key.count == 40, let actor = ActorID(bytes: key[0..<16]), let session = SessionID(bytes: key[16..<32])
            else { throw MalformedBytes("a dead letter has a key of \(key.count) bytes") }
            let sequence = key[32...].reduce(0) { $0 << 8 | UInt64($1) }
            let stored = try CBORDecoder().decode(StoredDeadLetter.self, from: StoredValue.open(value).payload)
            return DeadLetter(actor: actor, call: CallID(session: session, sequence: sequence), stored: stored)
        }.sorted { $0.stored.milliseconds < $1.stored.milliseconds }
    }
}

extension ShardStore {
    /// The calls that must not be run, of all actors of the shard.
    package func deadLetters() throws(StoreError) -> [DeadLetter] {
        let databases = databases
        return try read("reading dead letters") { transaction throws in
            try DeadLetter.all(prefix: [], databases, transaction)
        }
    }
}

extension RowWriter {
    /// Stores a dead letter. An actor that has many forgets its oldest.
    mutating func bury(
        _ call: CallID,
        of actor: ActorID,
        _ letter: StoredDeadLetter,
        _ transaction: inout WriteTransaction
    ) throws {
        let row = StoredValue.seal(try CBOREncoder().encode(letter))
        try store(ShardLayout.doneKey(actor, call), row, in: databases.dead, &transaction)
        var count = 0
        try transaction.forEach(prefix: actor.bytes, in: databases.dead) { _, _ in
            count += 1
            return true
        }
        guard count > Limits.deadLettersMax else { return }
        let letters = try DeadLetter.all(prefix: actor.bytes, databases, transaction)
        for oldest in letters.filter({ $0.call != call }).prefix(count - Limits.deadLettersMax) {
            try delete(ShardLayout.doneKey(actor, oldest.call), in: databases.dead, &transaction)
        }
    }
}
