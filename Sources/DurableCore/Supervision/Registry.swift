/// The actors and names of a runtime: what is created, found, owned and removed. Pure; its driver stores what changed.
package struct Registry: Sendable {
    /// The outcome of asking for an actor.
    package enum OnCreate: Sendable, Hashable {
        /// A new record, to be stored and started.
        case created(ActorRecord)
        /// Get-or-create found this one; or the same request was made before and its answer was lost.
        case existing(ActorRecord)
        /// Another actor has the name.
        case nameTaken(ActorID)
        /// The owner has ended already.
        case ownerGone
    }

    /// A name and its scope.
    package struct Name: Hashable, Sendable, Codable {
        package var namespace: String
        package var name: String

        package init(namespace: String, name: String) {
            self.namespace = namespace
            self.name = name
        }
    }

    /// All records by identity, living and recently ended.
    package private(set) var records: [ActorID: ActorRecord] = [:]
    private var names: [Name: ActorID] = [:]
    private var children: [Owner: Set<ActorID>] = [:]
    private var endedOrder: [ActorID] = []
    /// The number that the next shard gets.
    package private(set) var nextShard: ShardNumber

    /// Builds the registry from what was stored.
    package init(records: [ActorRecord] = [], nextShard: ShardNumber = 1) {
        self.nextShard = nextShard
        for record in records {
            insert(record)
            self.nextShard = max(self.nextShard, record.shard + 1)
        }
    }

    /// Whether any detached actor is left that has not ended.
    package var hasDetached: Bool { !(children[.detached] ?? []).isEmpty }

    /// Creates an actor, or finds the one that has the name.
    package mutating func create(_ request: CreateRequest) -> OnCreate {
        if let known = records[request.id] { return .existing(known) }
        if let name = request.options.name {
            let key = Name(namespace: request.options.namespace, name: name)
            if let holder = names[key], let record = records[holder] {
                return request.getsExisting ? .existing(record) : .nameTaken(holder)
            }
        }
        if case .actor(let parent) = request.owner, records[parent].map({ $0.ended != nil }) ?? true {
            return .ownerGone
        }
        let record = ActorRecord(
            id: request.id,
            typeName: request.typeName,
            typeDescription: request.typeDescription,
            arguments: request.arguments,
            options: request.options,
            owner: request.options.isDetached ? .detached : request.owner,
            executable: request.executable,
            shard: nextShard
        )
        nextShard += 1
        insert(record)
        return .created(record)
    }

    /// The actor that has this name.
    package func lookup(name: String, namespace: String) -> ActorRecord? {
        names[Name(namespace: namespace, name: name)].flatMap { records[$0] }
    }

    /// The living actors that end with this owner.
    package func owned(by owner: Owner) -> [ActorID] {
        (children[owner] ?? []).sorted()
    }

    /// Changes a record; identity, name and owner stay.
    package mutating func update(_ id: ActorID, _ change: (inout ActorRecord) -> Void) -> ActorRecord? {
        guard var record = records[id] else { return nil }
        change(&record)
        records[id] = record
        return record
    }

    /// The actor is gone for good: its name is free, its owner forgets it. Returns the records of long-ended actors
    /// that are dropped to keep their number bounded.
    package mutating func end(_ id: ActorID, cause: DeathCause) -> [ActorID] {
        guard var record = records[id], record.ended == nil else { return [] }
        record.ended = cause
        records[id] = record
        children[record.owner]?.remove(id)
        if children[record.owner]?.isEmpty == true { children[record.owner] = nil }
        if let name = record.options.name {
            let key = Name(namespace: record.options.namespace, name: name)
            if names[key] == id { names[key] = nil }
        }
        endedOrder.append(id)
        guard endedOrder.count > Limits.endedRecordsMax else { return [] }
        let dropped = endedOrder.removeFirst()
        records[dropped] = nil
        return [dropped]
    }

    /// Forgets an actor altogether.
    package mutating func remove(_ id: ActorID) {
        _ = end(id, cause: .killed)
        records[id] = nil
        endedOrder.removeAll { $0 == id }
    }

    private mutating func insert(_ record: ActorRecord) {
        records[record.id] = record
        guard record.ended == nil else {
            endedOrder.append(record.id)
            return
        }
        children[record.owner, default: []].insert(record.id)
        if let name = record.options.name {
            names[Name(namespace: record.options.namespace, name: name)] = record.id
        }
    }
}
