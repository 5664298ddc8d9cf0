import DurableCore
import DurableStore
import DurableSupervisor

/// What must be found in an environment.
struct StatePromise: Hashable {
    /// The commit that is durable for certain, and the newest one that can be found; -1 for none.
    var floor: Int
    var newest: Int
    /// How many changes callers know of.
    var acknowledged: Int
    var isAnythingAcknowledged: Bool

    func faultIfMissing(isRegistry: Bool) -> String? {
        if isRegistry { return isAnythingAcknowledged ? "the registry is gone, and callers had answers" : nil }
        return acknowledged > 0 ? "the shard is gone, and \(acknowledged) changes were acknowledged" : nil
    }
}

/// Opens one state as a new runtime does, after another start of the machine, and looks at everything in it.
struct StateLook {
    let path: String
    let promise: StatePromise
    let truth: TraceTruth.Environment
    /// Whether the shard was refused, as it may be before its first snapshot.
    private(set) var isRefused = false

    init(path: String, promise: StatePromise, truth: TraceTruth.Environment) {
        self.path = path
        self.promise = promise
        self.truth = truth
    }

    func flushedShard() -> String? {
        do {
            return try shard(.disk).fault ?? nil
        } catch {
            return "it cannot be used: \(error)"
        }
    }

    /// - Parameters:
    ///   - marker: Whether the state says that the shard was not flushed.
    ///   - snapshot: The version of its newest durable snapshot.
    mutating func unflushedShard(marker: Bool, snapshot: UInt64) -> String? {
        do {
            let (fault, version) = try shard(.process, isChecked: marker)
            if let fault { return fault }
            guard version >= snapshot else {
                return "it is back at version \(version), older than snapshot \(snapshot)"
            }
            return nil
        } catch let error as StoreError where error.code == .unreadable && marker && snapshot == 0 {
            isRefused = true
            return nil
        } catch {
            return "it cannot be used: \(error)"
        }
    }

    func registry(in directory: String) -> String? {
        do {
            let store = try RegistryStore(RuntimeLayout(directory: directory))
            let found = try StoredContents.read(path, isRegistry: true)
            if let fault = misplaced(found, floor: promise.floor) { return fault }
            let records = try store.load().records
            // Two more commits, as the next supervisor makes.
            for record in records.prefix(1) {
                for _ in 1...2 { try store.add(record) }
            }
            guard try store.load().records == records else { return "other records after two commits" }
            store.close()
            let faults = RegistryFile.verify(path).findings
            return faults.first.map { "after two commits: \($0)" }
        } catch {
            return "the registry cannot be used: \(error)"
        }
    }

    private func shard(_ level: Durability, isChecked: Bool = false) throws -> (fault: String?, version: UInt64) {
        let store = try ShardStore.open(directory: path, durability: level, boot: BootName("after the power loss"))
        defer { store.close() }
        let found = try StoredContents.read(path, isRegistry: false)
        let floor = level == .disk ? promise.floor : isChecked ? -1 : 0
        if let fault = misplaced(found, floor: floor) { return (fault, 0) }
        if level == .disk || !isChecked, found.count < promise.acknowledged {
            return ("\(found.count) of \(promise.acknowledged) acknowledged changes are there", 0)
        }
        _ = try store.claim(pid: 1, incarnation: 1)
        let version = store.fence.version
        // Two more commits use pages that are free by now: if one of them is not, this destroys something.
        let actor = found.actor ?? ActorID(high: 1, low: 1)
        for length in [10, 9000] {
            let value = [UInt8](repeating: UInt8(truncatingIfNeeded: length), count: length)
            try store.commit([WriteSet(actor: actor, changes: [.property(StoredContents.probe, .value(value))])])
        }
        let after = try StoredContents.read(path, isRegistry: false)
        if after.stableRows != found.stableRows { return ("other rows after two commits", version) }
        return (nil, version)
    }

    /// Whether the rows are those of one commit, and of none that is too old.
    private func misplaced(_ found: StoredContents, floor: Int) -> String? {
        guard promise.newest >= 0 else { return nil }
        guard let places = truth.places[found.rows] else { return "the rows are those of no commit" }
        // Where nothing is synced, the pages of a commit that is under way can be there before its meta page: an older
        // one may lead to them, when its root was where theirs is.
        let newest = truth.isUnsynced ? promise.newest + 1 : promise.newest
        guard places.contains(where: { $0 >= floor && $0 <= newest }) else {
            return "the rows are those of commit \(places), not of \(floor) to \(promise.newest)"
        }
        return nil
    }
}
