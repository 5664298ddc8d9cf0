import DurableCore
import DurableStore
import Testing

@Suite(.timeLimit(.minutes(2)))
struct CommitTests {
    private let folder: Folder
    /// A key that LMDB refuses, so that a commit fails in its middle.
    private let tooLong = String(repeating: "x", count: 600)

    init() throws { folder = try Folder() }

    @Test(arguments: [Durability.disk, .process])
    func whatIsCommittedIsThereAfterTheStoreIsOpenedAgain(durability: Durability) throws {
        try withShard(folder.shard, durability) { store, epoch throws in
            #expect(epoch == 1)
            #expect(try store.load(Sample.actor) == nil, "never stored")
            try store.register(Sample.actor, as: Sample.record, state: Sample.set(["a": [1], "b": [2]]))
            try store.commit([Sample.set(["b": [3]], Sample.completion(Sample.call(1), value: 9))])
            #expect(try store.load(Sample.actor)?.fields.values == ["a": [1], "b": [3]])
        }
        try withShard(folder.shard, durability) { store, epoch throws in
            #expect(epoch == 2)
            #expect(try store.load(Sample.actor)?.fields.values == ["a": [1], "b": [3]])
            let completion = try #require(try store.completion(of: Sample.call(1), for: Sample.actor))
            #expect(completion == Sample.completion(Sample.call(1), value: 9))
            #expect(try store.completion(of: Sample.call(2), for: Sample.actor) == nil)
            #expect(try store.load(ActorID(high: 1, low: 3)) == nil)
        }
    }

    @Test func anActorWithoutStateIsKnownAndEmpty() throws {
        try withShard(folder.shard) { store, _ throws in
            try store.register(Sample.actor, as: Sample.record, state: nil)
            #expect(try store.load(Sample.actor)?.fields.values == [:])
        }
    }

    @Test func aGroupIsCommittedWholeOrNotAtAll() throws {
        try withShard(folder.shard) { store, _ throws in
            try store.register(Sample.actor, as: Sample.record, state: Sample.set(["a": [1]]))
            let before = store.fence
            let good = Sample.set(["a": [2]], Sample.completion(Sample.call(1)))
            let bad = Sample.set([tooLong: [1]], Sample.completion(Sample.call(2)))
            let after = Sample.set(["c": [3]], Sample.completion(Sample.call(3)))
            #expect(storeError { try store.commit([good, bad, after]) }?.code == .failed)
            #expect(try store.load(Sample.actor)?.fields.values == ["a": [1]])
            for sequence: UInt64 in 1...3 {
                #expect(try store.completion(of: Sample.call(sequence), for: Sample.actor) == nil)
            }
            #expect(store.fence == before)
            try store.verifyOwnership()
            try store.commit([good, after])
            #expect(try store.load(Sample.actor)?.fields.values == ["a": [2], "c": [3]])
            #expect(try store.progress(of: Sample.session, with: Sample.actor).highest == 3)
        }
    }

    @Test func aFailedRegistrationLeavesNoActor() throws {
        try withShard(folder.shard) { store, _ throws in
            let error = storeError {
                try store.register(Sample.actor, as: Sample.record, state: Sample.set(["a": [1], tooLong: [1]]))
            }
            #expect(error?.code == .failed)
            #expect(try store.load(Sample.actor) == nil)
        }
    }

    @Test func stateAndCompletionRecordSurviveAKillTogetherOrNotAtAll() throws {
        for (command, value) in [("die-inside-commit", 1 as UInt8), ("die-after-commit", 2)] {
            let directory = folder.path + "/" + command
            let child = try Child.run(command, directory)
            #expect(child.isSignal && child.status == 9, "\(child)")
            try withShard(directory, .disk) { store, epoch throws in
                #expect(epoch == 2)
                #expect(try store.load(Sample.actor)?.fields.values == ["a": [value], "b": [value]])
                #expect(try store.progress(of: Sample.session, with: Sample.actor).highest == UInt64(value))
                let isRecorded = try store.completion(of: Sample.call(2), for: Sample.actor) != nil
                #expect(isRecorded == (value == 2))
            }
        }
    }

    @Test func theVersionGrowsByOneWithEachCommitAndGoesOnUnderTheNextOwner() throws {
        try withShard(folder.shard) { store, _ throws in
            #expect(store.fence.version == 0)
            try store.register(Sample.actor, as: Sample.record, state: nil)
            #expect(store.fence.version == 1)
            for version: UInt64 in 2...5 {
                try store.commit((0..<version).map { Sample.set(["a\($0)": [1]]) })
                #expect(store.fence.version == version)
            }
        }
        try withShard(folder.shard) { store, _ throws in
            #expect(store.fence.version == 5)
            try store.commit([])
            #expect(store.fence.version == 6)
        }
    }

    @Test func recordsBelowTheCallersFrontierGoAndThoseOfOthersStay() throws {
        let other = SessionID(high: 3, low: 5)
        let neighbour = ActorID(high: 1, low: 3)
        try withShard(folder.shard) { store, _ throws in
            let ids = [1, 2, 3, 255, 256, 257].map { Sample.call($0) }
            try store.commit(ids.map { Sample.set([:], Sample.completion($0)) })
            try store.commit([Sample.set([:], Sample.completion(Sample.call(1, other)))])
            try store.commit([Sample.set([:], of: neighbour, Sample.completion(Sample.call(1)))])
            #expect(try store.progress(of: Sample.session, with: Sample.actor).highest == 257)
            try store.commit([Sample.set([:], Sample.completion(Sample.call(258), below: 256))])
            let kept = try ids.filter { try store.completion(of: $0, for: Sample.actor) != nil }
            #expect(kept == [Sample.call(256), Sample.call(257)])
            #expect(try store.completion(of: Sample.call(1, other), for: Sample.actor) != nil)
            #expect(try store.completion(of: Sample.call(1), for: neighbour) != nil)
            #expect(try store.progress(of: Sample.session, with: Sample.actor).highest == 258)
            #expect(try store.progress(of: other, with: Sample.actor).highest == 1)
            #expect(try store.progress(of: other, with: neighbour).highest == 0)
        }
    }

    @Test func allKindsOfOutcomesAreKept() throws {
        let outcomes: [CallOutcome] = [.returned([]), .threw(typeName: "1E", value: [1]), .failed([2, 3])]
        try withShard(folder.shard) { store, _ throws in
            for (number, outcome) in outcomes.enumerated() {
                let id = Sample.call(UInt64(number + 1))
                let record = Completion(id: id, firstIncomplete: 0, fingerprint: .max, outcome: outcome)
                try store.commit([Sample.set([:], record)])
                #expect(try store.completion(of: id, for: Sample.actor) == record)
            }
        }
    }

    @Test func theFaultPointRunsOncePerCommit() throws {
        var count = 0
        let store = try ShardStore.open(directory: folder.shard, durability: .process) {
            if $0 == .workerInsideCommit { count += 1 }
        }
        defer { store.close() }
        _ = try store.claim(pid: 1, incarnation: 1)
        #expect(count == 0)
        for expected in 1...3 {
            try store.commit([Sample.set(["a": [1]])])
            #expect(count == expected)
        }
    }
}

struct OutputGateTests {
    @Test func whatIsHeldLeavesTogetherAndInOrder() throws {
        var gate = OutputGate<Int>()
        #expect(gate.isEmpty)
        let none = gate.take()
        #expect(none?.replies == nil)
        let sets = [Sample.set(["a": [1]]), Sample.set(["a": [2]])]
        gate.hold(sets[0], reply: 1)
        gate.hold(nil, reply: 2)
        gate.hold(sets[1], reply: nil)
        gate.hold(nil, reply: 3)
        #expect(gate.count == 3 && !gate.isEmpty)
        let taken = gate.take()
        let group = try #require(taken)
        #expect(group.writeSets == sets)
        #expect(group.replies == [1, 2, 3])
        #expect(gate.isEmpty && gate.count == 0)
    }

    @Test func aReadOnItsOwnAndAChangeWithoutAReplyAreHeldToo() {
        var gate = OutputGate<Int>()
        gate.hold(nil, reply: 1)
        #expect(!gate.isEmpty)
        let read = gate.take()
        #expect(read?.writeSets.isEmpty == true && read?.replies == [1])
        gate.hold(Sample.set(["a": [1]]), reply: nil)
        #expect(!gate.isEmpty && gate.count == 0)
        let change = gate.take()
        #expect(change?.replies.isEmpty == true && change?.writeSets.count == 1)
        gate.hold(nil, reply: nil)
        #expect(gate.isEmpty)
    }
}
