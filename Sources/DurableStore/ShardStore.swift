internal import CBOR
package import DurableCore
internal import DurableLMDB

/// One shard's environment, opened by its owner.
///
/// Used on the worker's loop thread only: transactions begin, run and end there, synchronously.
package final class ShardStore {
    private let environment: Environment
    private let path: String
    private let beforeCommit: () -> Void
    /// What this owner last wrote or read.
    package private(set) var fence: Fence

    private init(environment: Environment, path: String, fence: Fence, beforeCommit: @escaping () -> Void) {
        self.environment = environment
        self.path = path
        self.fence = fence
        self.beforeCommit = beforeCommit
    }

    /// Opens a shard, or creates it, and makes everything in it durable before anything is served from it.
    /// - Parameters:
    ///   - directory: The shard's directory; created when missing.
    ///   - durability: What a commit survives.
    ///   - beforeCommit: Runs inside each write transaction after its last put; a fault point.
    /// - Throws: `StoreError`; nothing is overwritten.
    package static func open(
        directory: String,
        durability: Durability,
        beforeCommit: @escaping () -> Void = {}
    ) throws(StoreError) -> ShardStore {
        do {
            var options = EnvironmentOptions(format: ShardLayout.format, databases: ShardLayout.databases)
            options.durability = durability == .process ? .noSync : .full
            let environment = try Environment.open(directory: directory, options: options)
            let unowned = Fence(epoch: 0, version: 0, pid: 0, incarnation: 0)
            return ShardStore(environment: environment, path: directory, fence: unowned, beforeCommit: beforeCommit)
        } catch {
            throw StoreError(error, doing: "opening the shard")
        }
    }

    /// Takes the shard: raises its epoch, durably. An earlier owner can commit nothing from here on.
    package func claim(pid: Int32, incarnation: Incarnation) throws(StoreError) -> Epoch {
        let meta = environment.database(ShardLayout.meta)
        let claimed = try write("claiming the shard") { transaction throws in
            var next = Fence(epoch: 1, version: 0, pid: pid, incarnation: incarnation)
            if let stored = try transaction.get(ShardLayout.fenceKey, in: meta) {
                let previous = try Fence(decoding: stored)
                next.epoch = previous.epoch + 1
                next.version = previous.version
            }
            try transaction.put(ShardLayout.fenceKey, next.encoded(), in: meta)
            return next
        }
        fence = claimed
        return claimed.epoch
    }

    /// Throws when another worker owns the shard by now. A reply to a read leaves only after this.
    package func verifyOwnership() throws(StoreError) {
        let meta = environment.database(ShardLayout.meta)
        let stored = try read("reading the shard's owner") { transaction throws in
            try transaction.get(ShardLayout.fenceKey, in: meta).map { try Fence(decoding: $0) }
        }
        guard stored?.epoch == fence.epoch else { throw fencedError(stored) }
    }

    /// The stored value of every checkpointed property of an actor, CBOR; `nil` when it has never been stored.
    package func load(_ actor: ActorID) throws(StoreError) -> [String: [UInt8]]? {
        let (actors, state) = (environment.database(ShardLayout.actors), environment.database(ShardLayout.state))
        return try read("reading the state of \(actor)") { transaction throws in
            guard try transaction.get(actor.bytes, in: actors) != nil else { return nil }
            return try ShardReader.fields(of: actor, in: state, transaction)
        }
    }

    /// How far a session has come with an actor, by what is stored.
    package func progress(of session: SessionID, with actor: ActorID) throws(StoreError) -> SessionProgress {
        let done = environment.database(ShardLayout.done)
        return try read("reading completion records") { transaction throws in
            var progress = SessionProgress()
            if let stored = try transaction.get(ShardLayout.frontierKey(actor, session), in: done) {
                var reader = ByteReader(try StoredValue.open(stored).payload)
                progress.frontier = try reader.read()
            }
            let last = try transaction.last(prefix: ShardLayout.donePrefix(actor, session), in: done)
            progress.highest = last.map { $0.key.suffix(8).reduce(0) { $0 << 8 | UInt64($1) } } ?? 0
            return progress
        }
    }

    /// The completion record of a call, if it has one.
    package func completion(of id: CallID, for actor: ActorID) throws(StoreError) -> Completion? {
        let done = environment.database(ShardLayout.done)
        return try read("reading a completion record") { transaction throws in
            try transaction.get(ShardLayout.doneKey(actor, id), in: done).map { try Completion(decoding: $0, id: id) }
        }
    }

    /// Records which actor lives here; with its first state, in one transaction.
    package func register(_ actor: ActorID, as stored: StoredActor, state: WriteSet?) throws(StoreError) {
        let actors = environment.database(ShardLayout.actors)
        let row: [UInt8]
        do {
            row = StoredValue.seal(try CBOREncoder().encode(stored))
        } catch {
            throw StoreError(.failed, "encoding the record of \(actor): \(error)")
        }
        try commit(state.map { [$0] } ?? []) { transaction throws(LMDBError) in
            try transaction.put(actor.bytes, row, in: actors)
        }
    }

    /// Commits write sets together, if the shard is still ours. When it throws, nothing of them is stored.
    package func commit(_ writeSets: [WriteSet]) throws(StoreError) {
        try commit(writeSets) { _ throws(LMDBError) in }
    }

    /// Closes the environment.
    package func close() { environment.close() }

    private func commit(
        _ writeSets: [WriteSet],
        _ more: (inout WriteTransaction) throws(LMDBError) -> Void
    ) throws(StoreError) {
        let meta = environment.database(ShardLayout.meta)
        let state = environment.database(ShardLayout.state)
        let done = environment.database(ShardLayout.done)
        let rows = writeSets.map { set in
            set.fields.map { (ShardLayout.stateKey(set.actor, field: $0.name), StoredValue.seal($0.value)) }
        }
        let written = try write("committing") { transaction throws in
            let stored = try transaction.get(ShardLayout.fenceKey, in: meta).map { try Fence(decoding: $0) }
            guard var next = stored, next.epoch == self.fence.epoch else { throw self.fencedError(stored) }
            next.version += 1
            for (set, rows) in zip(writeSets, rows) {
                for (key, value) in rows { try transaction.put(key, value, in: state) }
                guard let completion = set.completion else { continue }
                try Self.forget(below: completion.firstIncomplete, completion.id.session, set.actor, &transaction, done)
                let key = ShardLayout.doneKey(set.actor, completion.id)
                try transaction.put(key, completion.encoded(), in: done)
            }
            try more(&transaction)
            try transaction.put(ShardLayout.fenceKey, next.encoded(), in: meta)
            self.beforeCommit()
            return next
        }
        fence = written
    }

    private static func forget(
        below sequence: UInt64,
        _ session: SessionID,
        _ actor: ActorID,
        _ transaction: inout WriteTransaction,
        _ done: Database
    ) throws {
        let frontier = ShardLayout.frontierKey(actor, session)
        var stale: [[UInt8]] = []
        try transaction.forEach(prefix: ShardLayout.donePrefix(actor, session), in: done) { key, _ in
            guard key.suffix(8).reduce(0, { $0 << 8 | UInt64($1) }) < sequence else { return false }
            if !key.elementsEqual(frontier) { stale.append(Array(key)) }
            return true
        }
        guard !stale.isEmpty else { return }
        for key in stale { try transaction.delete(key, in: done) }
        // What is forgotten must not be run again: the frontier says up to where.
        var writer = ByteWriter(reserving: 8)
        writer.write(sequence)
        try transaction.put(frontier, StoredValue.seal(writer.bytes), in: done)
    }

    private func fencedError(_ stored: Fence?) -> StoreError {
        let owner = stored.map { "epoch \($0.epoch) of process \($0.pid)" } ?? "nobody"
        return StoreError(.fenced, "\(path) belongs to \(owner), not to epoch \(fence.epoch) any more")
    }

    private func write<Result>(
        _ what: String,
        _ body: (inout WriteTransaction) throws -> Result
    ) throws(StoreError) -> Result {
        do {
            return try environment.tryWrite(body)
        } catch {
            throw Self.convert(error, what, path)
        }
    }

    private func read<Result>(
        _ what: String,
        _ body: (borrowing ReadTransaction) throws -> Result
    ) throws(StoreError) -> Result {
        do {
            return try environment.tryRead(body)
        } catch {
            throw Self.convert(error, what, path)
        }
    }

    static func convert(_ error: any Error, _ what: String, _ path: String) -> StoreError {
        switch error {
        case let error as StoreError: error
        case let error as LMDBError: StoreError(error, doing: what)
        case let error as MalformedBytes: StoreError(.unreadable, "\(what) in \(path): \(error)")
        default: StoreError(.failed, "\(what) in \(path): \(error)")
        }
    }
}
