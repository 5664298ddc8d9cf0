import DurableCore
import Testing

struct RegistryTests {
    private let driver = Owner.driver(DriverID(high: 9, low: 9))

    private func id(_ number: UInt64) -> ActorID { ActorID(high: 0, low: number) }

    private func created(_ registry: inout Registry, _ request: CreateRequest) throws -> ActorRecord {
        guard case .created(let record) = registry.create(request) else {
            throw MalformedBytes("\(request.id) was not created")
        }
        return record
    }

    @Test func aNameBelongsToOneLivingActorAtATimeAndPerNamespace() throws {
        var registry = Registry()
        let first = try created(&registry, .simple(1, name: "a"))
        #expect(registry.create(.simple(2, name: "a")) == .nameTaken(first.id))
        #expect(registry.create(.simple(3, name: "a", getsExisting: true)) == .existing(first))
        #expect(registry.records.count == 1, "refused requests leave nothing behind")
        let other = try created(&registry, .simple(4, name: "a", namespace: "other"))
        #expect(registry.lookup(name: "a", namespace: "default")?.id == first.id)
        #expect(registry.lookup(name: "a", namespace: "other")?.id == other.id)
        #expect(registry.lookup(name: "b", namespace: "default") == nil)
        #expect(registry.end(first.id, cause: .killed).isEmpty)
        #expect(registry.lookup(name: "a", namespace: "default") == nil)
        let second = try created(&registry, .simple(5, name: "a"))
        #expect(registry.end(first.id, cause: .killed).isEmpty, "ending twice does not free the successor's name")
        #expect(registry.lookup(name: "a", namespace: "default")?.id == second.id)
    }

    @Test func getOrCreateCreatesWhenThereIsNone() throws {
        var registry = Registry()
        let record = try created(&registry, .simple(1, name: "a", getsExisting: true))
        #expect(registry.create(.simple(2, name: "a", getsExisting: true)) == .existing(record))
    }

    @Test func `BUF-13: a request that a former registry has stored finds its actor, and nothing is made`() throws {
        var former = Registry()
        let records = [
            try created(&former, .simple(1, name: "a")), try created(&former, .simple(2)),
            try created(&former, .simple(3, isDetached: true)),
        ]
        var registry = Registry(records: records, nextShard: former.nextShard)
        let requests = [CreateRequest.simple(1, name: "a"), .simple(2), .simple(3, isDetached: true)]
        for (request, record) in zip(requests, records) {
            #expect(registry.create(request) == .existing(record))
            #expect(registry.create(request) == .existing(record))
        }
        #expect(registry.create(.simple(4, name: "a")) == .nameTaken(records[0].id), "another request is no repetition")
        #expect(registry.records.count == 3)
        #expect(registry.nextShard == former.nextShard)
    }

    @Test func `BUF-13: the same request twice finds the first one's actor, also when that has ended`() throws {
        var registry = Registry()
        let record = try created(&registry, .simple(1, name: "a"))
        #expect(registry.create(.simple(1, name: "a")) == .existing(record))
        #expect(registry.records.count == 1)
        #expect(registry.nextShard == 2)
        _ = registry.end(record.id, cause: .killed)
        guard case .existing(let ended) = registry.create(.simple(1, name: "a")) else {
            Issue.record("a late repetition must not create the actor again")
            return
        }
        #expect(ended.ended == .killed)
    }

    @Test func childrenThatALaterLifeDoesNotMakeAgainAreLeftBehind() throws {
        var registry = Registry()
        let parent = try created(&registry, .simple(1))
        func child(_ number: UInt64, life: Incarnation?, isDetached: Bool = false) -> CreateRequest {
            var request = CreateRequest.simple(number, isDetached: isDetached, owner: .actor(parent.id))
            request.ownerLife = life
            return request
        }
        for number: UInt64 in 2...3 { _ = try created(&registry, child(number, life: 1)) }
        _ = try created(&registry, child(4, life: nil))
        _ = try created(&registry, child(5, life: 1, isDetached: true))
        #expect(registry.leftBehind(by: parent.id, in: 1).isEmpty)
        #expect(registry.leftBehind(by: parent.id, in: 2) == [id(2), id(3)])
        for number: UInt64 in [3, 4] {
            guard case .existing(let again) = registry.create(child(number, life: 2)) else {
                Issue.record("\(number) is there already")
                return
            }
            #expect(again.ownerLife == (number == 3 ? 2 : nil), "what goes on is never given up")
        }
        #expect(registry.leftBehind(by: parent.id, in: 2) == [id(2)])
        #expect(registry.create(child(3, life: 1)) == .existing(try #require(registry.records[id(3)])), "late")
        #expect(registry.records[id(3)]?.ownerLife == 2)
        _ = registry.end(id(2), cause: .ownerDied)
        #expect(registry.leftBehind(by: parent.id, in: 2).isEmpty)
        #expect(registry.leftBehind(by: parent.id, in: 9) == [id(3)])
    }

    @Test func whatAConstructorMadeIsRememberedWhileItsOwnerLives() throws {
        var registry = Registry()
        let parent = try created(&registry, .simple(1))
        for number: UInt64 in 2...3 {
            var request = CreateRequest.simple(number, owner: .actor(parent.id))
            request.isAskedForAgain = number == 2
            request.arguments = [1]
            let child = try created(&registry, request)
            #expect(registry.memory(of: child.id) == nil, "it lives")
            _ = registry.end(child.id, cause: .killed)
        }
        let memory = try #require(registry.memory(of: id(2)))
        #expect(memory.ended == .killed && memory.arguments == [])
        #expect(registry.memory(of: id(3)) == nil)
        #expect(registry.forgettable == [id(3)])
        var next = Registry(records: [parent, memory])
        var again = CreateRequest.simple(2, owner: .actor(parent.id))
        again.isDerived = true
        #expect(next.create(again) == .existing(memory))
        _ = next.end(parent.id, cause: .killed)
        #expect(next.memory(of: id(2)) == nil)
        #expect(next.forgettable == [id(1), id(2)])
    }

    @Test func anOwnersActorsAreThoseThatLive() throws {
        var registry = Registry()
        let parent = try created(&registry, .simple(1))
        for number: UInt64 in 2...4 { _ = try created(&registry, .simple(number, owner: .actor(parent.id))) }
        let detached = try created(&registry, .simple(5, isDetached: true, owner: .actor(parent.id)))
        #expect(detached.owner == .detached)
        #expect(registry.hasDetached)
        #expect(registry.owned(by: driver) == [parent.id])
        #expect(registry.owned(by: .actor(parent.id)) == [id(2), id(3), id(4)])
        _ = registry.end(id(3), cause: .killed)
        #expect(registry.owned(by: .actor(parent.id)) == [id(2), id(4)])
        _ = registry.end(parent.id, cause: .ownerDied)
        #expect(registry.owned(by: driver).isEmpty)
        #expect(registry.create(.simple(6, owner: .actor(parent.id))) == .ownerGone)
        #expect(registry.create(.simple(7, owner: .actor(id(99)))) == .ownerGone, "an owner that never was")
        _ = registry.end(detached.id, cause: .killed)
        #expect(!registry.hasDetached)
    }

    @Test func shardNumbersAreNeverUsedAgain() throws {
        var registry = Registry(records: [.simple(1, shard: 7)], nextShard: 3)
        #expect(registry.nextShard == 8)
        let record = try created(&registry, .simple(2))
        #expect(record.shard == 8)
        registry.remove(record.id)
        #expect(registry.records[record.id] == nil)
        #expect(try created(&registry, .simple(3)).shard == 9)
        #expect(Registry(records: [], nextShard: 40).nextShard == 40)
    }

    @Test func aRegistryThatIsBuiltFromItsRecordsKnowsTheSame() throws {
        var registry = Registry()
        let named = try created(&registry, .simple(1, name: "a", isDetached: true))
        let owned = try created(&registry, .simple(2))
        let ended = try created(&registry, .simple(3, name: "b"))
        _ = registry.end(ended.id, cause: .killed)
        let rebuilt = Registry(records: Array(registry.records.values), nextShard: registry.nextShard)
        #expect(rebuilt.records == registry.records)
        #expect(rebuilt.nextShard == registry.nextShard)
        #expect(rebuilt.lookup(name: "a", namespace: "default")?.id == named.id)
        #expect(rebuilt.lookup(name: "b", namespace: "default") == nil)
        #expect(rebuilt.owned(by: driver) == [owned.id])
        #expect(rebuilt.hasDetached)
    }

    @Test func `LIF-11: records of ended actors are bounded, and the oldest go first`() throws {
        var registry = Registry()
        let excess: UInt64 = 3
        var dropped: [ActorID] = []
        for number in 1...(UInt64(Limits.endedRecordsMax) + excess) {
            let record = try created(&registry, .simple(number))
            dropped += registry.end(record.id, cause: .killed)
        }
        #expect(dropped == (1...excess).map { id($0) })
        #expect(registry.records.count == Limits.endedRecordsMax)
        #expect(dropped.allSatisfy { registry.records[$0] == nil })
    }

    @Test func updatesReachOnlyActorsThatAreKnown() throws {
        var registry = Registry()
        let record = try created(&registry, .simple(1))
        #expect(registry.update(record.id) { $0.incarnation = 4 }?.incarnation == 4)
        #expect(registry.records[record.id]?.incarnation == 4)
        #expect(registry.update(id(2)) { $0.incarnation = 4 } == nil)
        #expect(registry.end(id(2), cause: .killed).isEmpty)
    }
}
