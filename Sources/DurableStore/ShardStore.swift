internal import CBOR
package import DurableCore
internal import DurableLMDB

#if SEEDED_BUGS
internal import SeededBugs
#endif

/// One shard's environment, opened by its owner.
///
/// Used on the worker's loop thread only: transactions begin, run and end there, synchronously.
package final class ShardStore {
    let environment: Environment
    let databases: ShardDatabases
    /// The shard's directory.
    package let path: String
    /// Told of each fault point that is passed.
    let passes: (FaultPoint) -> Void
    /// What this owner last wrote or read.
    package internal(set) var fence: Fence
    /// The row of the last commit, and what it says; empty before the first.
    var committedFence: (row: [UInt8], fence: Fence)
    /// The actors of which earlier states are kept, and which.
    package var history: [ActorID: HistoryPolicy] = [:]
    /// The states that are kept, as far as they have been looked at.
    var historyMarks: [ActorID: HistoryMarks] = [:]
    /// Whether rows wait to be deleted.
    package internal(set) var hasDiscarded = false
    /// The checksum over all rows, kept where commits are not flushed.
    var contents: ContentsSum?
    /// Present where commits are not flushed: the boot in which they are made.
    let unflushedBoot: BootName?
    /// How long the records of a session are kept after its last change.
    package var sessionLeaseMilliseconds = Limits.sessionLease.wholeMilliseconds
    /// What tells the time.
    package var readClocks: () -> ClockReading = MachineClock.reading
    /// Called inside of each write transaction, when nothing is left but to commit it. What it throws becomes of it.
    package var beforeCommit: () throws(StoreError) -> Void = {}
    /// The shard's time; `nil` before the claim.
    var clock: ShardClock?
    /// Where the search for expired records goes on.
    var expiryPosition = ExpiryPosition.sessions(after: [])

    private init(
        environment: Environment,
        path: String,
        unflushedBoot: BootName?,
        passes: @escaping (FaultPoint) -> Void
    ) {
        self.environment = environment
        databases = ShardDatabases(environment)
        self.path = path
        self.unflushedBoot = unflushedBoot
        self.passes = passes
        fence = Fence(epoch: 0, version: 0, pid: 0, incarnation: 0)
        committedFence = ([], fence)
    }

    /// Opens a shard, or creates it. With `.disk`, everything in it is made durable before anything is served from it.
    /// - Parameters:
    ///   - directory: The shard's directory; created when missing.
    ///   - durability: What a commit survives.
    ///   - boot: The present run of the machine. With `.process`, a shard that another one left unflushed is checked
    ///     first, and gives way to its newest sound snapshot when it is damaged.
    ///   - passes: Told of the fault points inside write transactions, after their last puts.
    /// - Throws: `StoreError`; nothing is overwritten.
    package static func open(
        directory: String,
        durability: Durability,
        boot: @autoclosure () -> BootName = .current(),
        passes: @escaping (FaultPoint) -> Void = { _ in }
    ) throws(StoreError) -> ShardStore {
        precondition(durability.isStored, "an actor of which nothing is stored has no shard")
        let unflushedBoot = durability == .process ? boot() : nil
        var isUnflushed = false
        if let unflushedBoot {
            isUnflushed = try ShardRecovery(directory: directory, boot: unflushedBoot).run()
        }
        do {
            var options = EnvironmentOptions(format: ShardLayout.format, databases: ShardLayout.databases)
            options.durability = unflushedBoot == nil ? .full : .noSync
            // After a crash of a process alone its commits are in the page cache, and a flush would take as long as
            // there is much to flush; after a crash of the machine the file is checked, flushed here or not.
            options.syncsWhenOpened = !isUnflushed
            return ShardStore(
                environment: try Environment.open(directory: directory, options: options),
                path: directory,
                unflushedBoot: unflushedBoot,
                passes: passes
            )
        } catch {
            throw StoreError(error, doing: "opening the shard")
        }
    }

    /// Takes the shard: raises its epoch, durably. An earlier owner can commit nothing from here on.
    package func claim(pid: Int32, incarnation: Incarnation) throws(StoreError) -> Epoch {
        let databases = databases
        let reading = readClocks()
        let (claimed, contents, time) = try write("claiming the shard") { transaction throws in
            var contents = try transaction.get(ShardLayout.contentsKey, in: databases.meta).map {
                try ContentsSum(decoding: $0)
            }
            let previous = try transaction.get(ShardLayout.fenceKey, in: databases.meta).map {
                try Fence(decoding: $0)
            }
            let next = Fence(after: previous, pid: pid, incarnation: incarnation)
            if previous == nil, self.unflushedBoot != nil { contents = ContentsSum() }
            if let unflushedBoot = self.unflushedBoot {
                // Before the first commit that is not flushed, and while no former owner can take it back.
                try UnsyncedMarker(directory: self.path).set(unflushedBoot)
            }
            try transaction.put(ShardLayout.fenceKey, next.encoded(), in: databases.meta)
            if let contents { try transaction.put(ShardLayout.contentsKey, contents.encoded(), in: databases.meta) }
            let stored = try transaction.get(ShardLayout.clockKey, in: databases.meta)
            var time = try stored.map { try ShardClock(decoding: $0) } ?? ShardClock(at: reading)
            time.advance(to: reading)
            try transaction.put(ShardLayout.clockKey, time.encoded(), in: databases.meta)
            self.passes(.workerInsideClaim)
            return (next, contents, time)
        }
        fence = claimed
        self.contents = contents
        clock = time
        hasDiscarded = try read("looking for discarded rows") { transaction throws in
            try transaction.first(in: databases.discarded) != nil
        }
        return claimed.epoch
    }

    /// Throws when another worker owns the shard by now. A reply to a read leaves only after this.
    package func verifyOwnership() throws(StoreError) {
        let databases = databases
        let stored = try read("reading the shard's owner") { transaction throws in
            try transaction.get(ShardLayout.fenceKey, in: databases.meta).map { try Fence(decoding: $0) }
        }
        #if SEEDED_BUGS
        if SeededBug.readUnchecked.isActive { return }
        #endif
        guard stored?.isOwned(by: fence) == true else { throw fencedError(stored) }
    }

    /// A number for the rows of a new collection. It is used up even when the commit fails.
    package func makeRows() -> RowSetID {
        defer { fence.nextRows += 1 }
        return fence.nextRows
    }

    /// Closes the environment.
    package func close() { environment.close() }

    func fencedError(_ stored: Fence?) -> StoreError {
        let owner = stored.map { "epoch \($0.epoch) of process \($0.pid)" } ?? "nobody"
        return StoreError(.fenced, "\(path) belongs to \(owner), not to epoch \(fence.epoch) any more")
    }

    func write<Result>(
        _ what: String,
        _ body: (inout WriteTransaction) throws -> Result
    ) throws(StoreError) -> Result {
        do {
            return try environment.tryWrite { transaction throws in
                let result = try body(&transaction)
                try self.beforeCommit()
                return result
            }
        } catch {
            throw Self.convert(error, what, path)
        }
    }

    func read<Result>(
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
        // A whole envelope around bytes of another shape; waiting would not mend it.
        case let error as DecodingError: StoreError(.unreadable, "\(what) in \(path): \(error)")
        default: StoreError(.failed, "\(what) in \(path): \(error)")
        }
    }
}
