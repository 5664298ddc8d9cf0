package import DurableCore
package import DurableLMDB

/// Databases, keys and rows of a shard, as `docs/checkpoint-format.md` specifies them.
package enum ShardLayout {
    static let format = StoreFormat(name: "durable-shard", version: 1)
    /// What a shard's files are.
    package static var storeFormat: StoreFormat { format }
    static let meta = "meta"
    static let actors = "actors"
    static let state = "state"
    static let entries = "entries"
    static let done = "done"
    static let discarded = "discarded"
    static let history = "history"
    static let dead = "dead"
    static let keyed = "keyed"
    static let databases = [meta, actors, state, entries, done, discarded, history, dead, keyed]
    static let fenceKey = Array("fence".utf8)
    static let contentsKey = Array("contents".utf8)
    static let clockKey = Array("clock".utf8)
    /// LMDB's longest key is 511 bytes; an actor's id takes 16 of them.
    package static let fieldNameBytesMax = 490
    /// The longest key of an entry: LMDB's, without the number of the row set.
    package static let entryKeyBytesMax = 503

    /// The directory of a shard's environment.
    package static func directory(of shard: ShardNumber, in runtime: String) -> String { "\(runtime)/shards/\(shard)" }

    /// The socket on which a shard's calls arrive, whoever hosts it.
    package static func socket(of shard: ShardNumber, in runtime: String) -> String {
        "\(runtime)/shards/\(shard)/socket"
    }

    static func stateKey(_ actor: ActorID, field: String) -> [UInt8] {
        var writer = ByteWriter(reserving: 16 + field.utf8.count)
        writer.write(actor)
        writer.write(raw: field.utf8)
        return writer.bytes
    }

    static func schemaKey(_ actor: ActorID) -> [UInt8] { Array("schema".utf8) + actor.bytes }

    static func rowsPrefix(_ rows: RowSetID) -> [UInt8] {
        withUnsafeBytes(of: rows.bigEndian) { Array($0) }
    }

    static func entryKey(_ rows: RowSetID, _ key: [UInt8]) -> [UInt8] { rowsPrefix(rows) + key }

    /// The key of one portion of a large value.
    static func portionKey(_ rows: RowSetID, _ index: Int) -> [UInt8] {
        entryKey(rows, withUnsafeBytes(of: UInt32(index).bigEndian) { Array($0) })
    }

    static func doneKey(_ actor: ActorID, _ id: CallID) -> [UInt8] {
        var writer = ByteWriter(reserving: 40)
        writer.write(actor)
        writer.write(id.session)
        writer.writeBigEndian(id.sequence)
        return writer.bytes
    }

    /// Sequence number 0, which no call has, keeps the session's frontier.
    static func frontierKey(_ actor: ActorID, _ session: SessionID) -> [UInt8] {
        doneKey(actor, CallID(session: session, sequence: 0))
    }

    /// The key of a row of the history: row 0 describes the commit, the others are what it replaced.
    static func historyKey(_ actor: ActorID, _ version: UInt64, _ row: UInt32) -> [UInt8] {
        var writer = ByteWriter(reserving: 28)
        writer.write(actor)
        writer.writeBigEndian(version)
        writer.writeBigEndian(row)
        return writer.bytes
    }

    static func historyPrefix(_ actor: ActorID, _ version: UInt64) -> [UInt8] {
        Array(historyKey(actor, version, 0).dropLast(4))
    }

    static func keyedKey(_ actor: ActorID, _ key: CallKey) -> [UInt8] { actor.bytes + key.bytes }

    static func donePrefix(_ actor: ActorID, _ session: SessionID) -> [UInt8] { actor.bytes + session.bytes }
}

/// Who owns a shard, and how far it has come. Checked and rewritten inside every write transaction.
package struct Fence: Sendable, Hashable {
    /// Raised by each new owner.
    package var epoch: Epoch
    /// Raised by each commit.
    package var version: UInt64
    /// The owner's process.
    package var pid: Int32
    /// The owner's incarnation of the actor.
    package var incarnation: Incarnation
    /// The next row set gets this number.
    package var nextRows: RowSetID = 1
    /// Whether a value was ever so large that it was stored in portions.
    package var hasPortions = false

    func encoded() -> [UInt8] {
        var writer = ByteWriter(reserving: 40)
        writer.write(epoch)
        writer.write(version)
        writer.write(pid)
        writer.write(incarnation)
        writer.write(nextRows)
        writer.write(UInt8(hasPortions ? 1 : 0))
        return StoredValue.seal(writer.bytes)
    }

    init(epoch: Epoch, version: UInt64, pid: Int32, incarnation: Incarnation) {
        self.epoch = epoch
        self.version = version
        self.pid = pid
        self.incarnation = incarnation
    }

    /// What a new owner writes: no former one can commit from then on.
    /// - Parameter stored: What the former one wrote, if there was any.
    package init(after stored: Fence?, pid: Int32, incarnation: Incarnation) {
        self = stored ?? Fence(epoch: 0, version: 0, pid: pid, incarnation: incarnation)
        epoch += 1
        self.pid = pid
        self.incarnation = incarnation
    }

    /// Whether the owner that last wrote or read this still is the owner by what is stored.
    package func isOwned(by owner: Fence) -> Bool { epoch == owner.epoch }

    /// What a commit of its owner makes of what is stored.
    package func committed(by owner: Fence) -> Fence {
        var next = self
        next.version += 1
        next.nextRows = max(nextRows, owner.nextRows)
        return next
    }

    init(decoding value: [UInt8]) throws(MalformedBytes) {
        var reader = ByteReader(try StoredValue.open(value).payload)
        epoch = try reader.read()
        version = try reader.read()
        pid = try reader.read()
        incarnation = try reader.read()
        nextRows = try reader.read()
        hasPortions = try reader.readByte() != 0
        try reader.finish()
    }
}

/// The databases of one shard's environment.
struct ShardDatabases {
    let meta: Database
    let actors: Database
    let state: Database
    let entries: Database
    let done: Database
    let discarded: Database
    let history: Database
    let dead: Database
    let keyed: Database

    init(_ environment: Environment) {
        meta = environment.database(ShardLayout.meta)
        actors = environment.database(ShardLayout.actors)
        state = environment.database(ShardLayout.state)
        entries = environment.database(ShardLayout.entries)
        done = environment.database(ShardLayout.done)
        discarded = environment.database(ShardLayout.discarded)
        history = environment.database(ShardLayout.history)
        dead = environment.database(ShardLayout.dead)
        keyed = environment.database(ShardLayout.keyed)
    }
}

/// What a shard says of an actor in it, readable without the registry.
package struct StoredActor: Sendable, Hashable, Codable {
    /// The type's name for people.
    package var type: String
    /// The type's mangled name.
    package var typeName: String
    /// The name it is found under.
    package var name: String?
    /// The constructor's arguments, CBOR; only of an actor that shares the shard with others, which is built from here.
    package var arguments: [UInt8]?
    /// How it lives, and the life of the group's worker in which it was made; where `arguments` are.
    package var options: ActorOptions?
    package var createdIn: Incarnation?
    /// The highest schema version of any code that has served it; 0 when none was recorded.
    package var schemaVersion: UInt32
    /// The lowest schema version of code that may serve it; absent when any may.
    package var oldestReader: UInt32?

    package init(
        type: String,
        typeName: String,
        name: String?,
        arguments: [UInt8]? = nil,
        schemaVersion: UInt32 = 0,
        oldestReader: UInt32? = nil
    ) {
        self.arguments = arguments
        self.type = type
        self.typeName = typeName
        self.name = name
        self.schemaVersion = schemaVersion
        self.oldestReader = oldestReader
    }
}
