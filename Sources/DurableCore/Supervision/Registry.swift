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
        /// The group that was asked for stores at another level.
        case groupDiffers(Durability)
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
    private var members: [ActorID: Set<ActorID>] = [:]
    private var removals: [ActorID: Set<ActorID>] = [:]
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
        if let known = records[request.id] { return .existing(madeAgain(known, request)) }
        if let name = request.options.name {
            let key = Name(namespace: request.options.namespace, name: name)
            if let holder = names[key], let record = records[holder] {
                return request.getsExisting ? .existing(record) : .nameTaken(holder)
            }
        }
        if case .actor(let parent) = request.owner, records[parent].map({ $0.ended != nil }) ?? true {
            return .ownerGone
        }
        var group: ActorRecord?
        if case .shared(let name) = request.options.isolation {
            let found = self.group(name, for: request)
            guard found.options.durability == request.options.durability else {
                return .groupDiffers(found.options.durability)
            }
            group = found
        }
        var record = ActorRecord(
            id: request.id,
            typeName: request.typeName,
            typeDescription: request.typeDescription,
            arguments: request.arguments,
            options: request.options,
            owner: request.options.isDetached ? .detached : request.owner,
            executable: request.executable,
            shard: group?.shard ?? nextShard
        )
        if !request.options.isDetached {
            record.ownerLife = request.ownerLife
            record.isAskedForAgain = request.isAskedForAgain ? true : nil
        }
        record.group = group?.id
        // A worker tells from it which of its group's lives the actor has seen.
        record.incarnation = group?.incarnation ?? 0
        if group == nil { nextShard += 1 }
        insert(record)
        return .created(record)
    }

    /// The record that stands for the worker and the shard of a group.
    package func group(_ name: String) -> ActorRecord? { Self.groupID(name).flatMap { records[$0] } }

    private static func groupID(_ name: String) -> ActorID? {
        ActorID(bytes: SipHash128.hash(Array("group \(name)".utf8)))
    }

    /// A child that ended with a life of its owner and that a later one has made as well goes on with that.
    private mutating func madeAgain(_ known: ActorRecord, _ request: CreateRequest) -> ActorRecord {
        guard known.ended == nil, let former = known.ownerLife, let life = request.ownerLife, former < life else {
            return known
        }
        return update(known.id) { $0.ownerLife = life } ?? known
    }

    /// What is left to store of an actor that has ended: that it was there, as long as its owner can ask for it again.
    package func memory(of id: ActorID) -> ActorRecord? {
        guard var record = records[id], record.ended != nil, record.isAskedForAgain == true,
            case .actor(let owner) = record.owner, let parent = records[owner], parent.ended == nil
        else { return nil }
        record.arguments = []
        return record
    }

    /// The ended actors that nothing has to be stored of.
    package var forgettable: [ActorID] {
        records.values.filter { $0.ended != nil && $0.group == nil && memory(of: $0.id) == nil }.map(\.id).sorted()
    }

    /// The children that ended with former lives of an actor, when this one has made what it makes.
    package func leftBehind(by owner: ActorID, in life: Incarnation) -> [ActorID] {
        owned(by: .actor(owner)).filter { (records[$0]?.ownerLife).map { $0 < life } ?? false }
    }

    /// The record that stands for a group's worker and shard, made when this is its first actor.
    private mutating func group(_ name: String, for request: CreateRequest) -> ActorRecord {
        let id = Self.groupID(name) ?? request.id
        if let known = records[id], known.ended == nil { return known }
        endedOrder.removeAll { $0 == id }
        let record = ActorRecord(
            id: id,
            typeName: "",
            typeDescription: "group \(name)",
            arguments: [],
            options: ActorOptions(maxRestarts: .unlimited, durability: request.options.durability),
            owner: .detached,
            executable: request.executable,
            shard: nextShard
        )
        nextShard += 1
        insert(record)
        return record
    }

    /// The record whose worker hosts an actor: its own, or its group's.
    package func hosting(_ record: ActorRecord) -> ActorRecord {
        record.group.flatMap { records[$0] } ?? record
    }

    /// The living actors of a group.
    package func members(of group: ActorID) -> Set<ActorID> { members[group] ?? [] }

    /// The ended actors of a group whose rows are still in its shard.
    package func removals(in group: ActorID) -> [ActorID] { (removals[group] ?? []).sorted() }

    /// The rows of an ended actor of a group are gone.
    package mutating func removed(_ id: ActorID) {
        guard let group = records[id]?.group else { return }
        removals[group]?.remove(id)
        if removals[group]?.isEmpty == true { removals[group] = nil }
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
        leave(record)
        if children[record.owner]?.isEmpty == true { children[record.owner] = nil }
        if let name = record.options.name {
            let key = Name(namespace: record.options.namespace, name: name)
            if names[key] == id { names[key] = nil }
        }
        endedOrder.append(id)
        guard endedOrder.count > Limits.endedRecordsMax else { return [] }
        let dropped = endedOrder.removeFirst()
        removed(dropped)
        records[dropped] = nil
        return [dropped]
    }

    /// Forgets an actor altogether.
    package mutating func remove(_ id: ActorID) {
        _ = end(id, cause: .killed)
        records[id] = nil
        endedOrder.removeAll { $0 == id }
    }

    private mutating func leave(_ record: ActorRecord) {
        guard let group = record.group else {
            removals[record.id] = nil
            return
        }
        members[group]?.remove(record.id)
        if members[group]?.isEmpty == true { members[group] = nil }
        removals[group, default: []].insert(record.id)
    }

    private mutating func insert(_ record: ActorRecord) {
        records[record.id] = record
        guard record.ended == nil else {
            endedOrder.append(record.id)
            if let group = record.group { removals[group, default: []].insert(record.id) }
            return
        }
        if let group = record.group { members[group, default: []].insert(record.id) }
        children[record.owner, default: []].insert(record.id)
        if let name = record.options.name {
            names[Name(namespace: record.options.namespace, name: name)] = record.id
        }
    }
}
