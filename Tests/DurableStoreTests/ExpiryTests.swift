import DurableCore
import DurableStore
import Testing

/// Records of sessions and keys, under a clock that the test sets.
@Suite(.timeLimit(.minutes(2)))
struct ExpiryTests {
    /// The machine's clocks, as a test wants them.
    private final class Clocks {
        var reading = ClockReading(boot: BootID(high: 0, low: 1), bootMilliseconds: 7_000, wallMilliseconds: 1_000_000)

        func pass(_ milliseconds: UInt64) {
            reading.bootMilliseconds += milliseconds
            reading.wallMilliseconds += Int64(milliseconds)
        }
    }

    private let folder: Folder
    private let clocks = Clocks()
    private let other = SessionID(high: 3, low: 5)

    init() throws { folder = try Folder() }

    /// Opens the shard with a lease of 800 ms, which is refreshed after 100 ms.
    private func withLease<Result>(_ body: (ShardStore) throws -> Result) throws -> Result {
        let store = try ShardStore.open(directory: folder.shard, durability: .process)
        defer { store.close() }
        store.sessionLeaseMilliseconds = 800
        store.readClocks = { [clocks] in clocks.reading }
        _ = try store.claim(pid: 1, incarnation: 1)
        return try body(store)
    }

    private func keyed(_ number: UInt64, retention: UInt64, value: UInt8 = 0) -> Completion {
        var completion = Sample.completion(Sample.call(number), value: value)
        let key = CallKey(high: 9, low: number)
        completion.deduplication = Deduplication(key, retentionMilliseconds: retention, isExplicit: true)
        return completion
    }

    /// Sweeps until everything has been looked at.
    private func sweep(_ store: ShardStore, limit: Int = 500) throws -> [ExpirySweep] {
        var steps: [ExpirySweep] = []
        repeat { steps.append(try store.sweepExpired(limit: limit)) } while steps.last?.isFinished == false
        return steps
    }

    private func rows(_ database: String) throws -> Int {
        try RawShard(directory: folder.shard).rows(of: database).count
    }

    @Test func `the records of a session stay for the lease, and an eighth, after its last change`() throws {
        try withLease { store throws in
            try store.commit([Sample.set([:], Sample.completion(Sample.call(1)))])
            try store.commit([Sample.set([:], Sample.completion(Sample.call(1, other)))])
            clocks.pass(600)
            try store.commit([Sample.set([:], Sample.completion(Sample.call(2)))])
            clocks.pass(299)
            #expect(try sweep(store).allSatisfy { $0.sessions.isEmpty })
            clocks.pass(1)
            #expect(try sweep(store).flatMap { $0.sessions.map(\.session) } == [other])
            #expect(try store.completion(of: Sample.call(1, other), for: Sample.actor) == nil)
            #expect(try store.completion(of: Sample.call(1), for: Sample.actor) != nil)
            #expect(try store.progress(of: Sample.session, with: Sample.actor).highest == 2)
            clocks.pass(600)
            #expect(try sweep(store).flatMap { $0.sessions.map(\.session) } == [Sample.session])
        }
        #expect(try rows("done") == 0, "nothing is left of either")
    }

    @Test func `changes that come within an eighth of the lease do not rewrite when the session was seen`() throws {
        try withLease { store throws in
            for number: UInt64 in 1...20 {
                try store.commit([Sample.set([:], Sample.completion(Sample.call(number)))])
                clocks.pass(99)
            }
            // The last record is of 1881, the note of 1782: it is removed no earlier than the lease after the record.
            clocks.pass(2681 - 1980)
            #expect(try sweep(store).allSatisfy { $0.sessions.isEmpty })
            clocks.pass(1)
            #expect(try sweep(store).flatMap(\.sessions).count == 1)
        }
    }

    @Test func `time goes on over lives and restarts of the machine, and jumps of the time of day do not count`() throws
    {
        try withLease { try $0.commit([Sample.set([:], Sample.completion(Sample.call(1)))]) }
        clocks.reading.wallMilliseconds += 1_000_000_000
        try withLease { store throws in #expect(try sweep(store).flatMap(\.sessions).isEmpty, "set within a run") }
        clocks.pass(500)
        try withLease { store throws in #expect(try sweep(store).flatMap(\.sessions).isEmpty) }
        clocks.reading.boot = BootID(high: 0, low: 2)
        clocks.reading.bootMilliseconds = 3
        clocks.reading.wallMilliseconds -= 5_000_000
        try withLease { store throws in #expect(try sweep(store).flatMap(\.sessions).isEmpty, "back over a restart") }
        clocks.reading.boot = BootID(high: 0, low: 3)
        clocks.reading.wallMilliseconds += 400
        try withLease { store throws in #expect(try sweep(store).flatMap(\.sessions).count == 1) }
    }

    @Test func `an expiry is done in steps of bounded size and leaves the rest alone`() throws {
        try withLease { store throws in
            try store.commit((1...25).map { Sample.set([:], Sample.completion(Sample.call($0))) })
            try store.commit((1...5).map { Sample.set([:], keyed($0, retention: 100)) })
            clocks.pass(900)
            try store.commit([Sample.set([:], Sample.completion(Sample.call(1, other)))])
            try store.commit([Sample.set([:], keyed(6, retention: 100))])
            let steps = try sweep(store, limit: 10)
            #expect(steps.count >= 4)
            #expect(steps.allSatisfy { $0.keyed.count <= 10 })
            #expect(steps.flatMap { $0.sessions.map(\.session) } == [Sample.session])
            #expect(steps.flatMap(\.keyed) == Array(repeating: Sample.actor, count: 5))
            #expect(try store.keyedCount(of: Sample.actor) == 1)
        }
        #expect(try rows("done") == 2, "a record and a frontier")
        #expect(try rows("keyed") == 1)
    }

    @Test func `the record of a call with a key counts until it expires, and stays when its session goes`() throws {
        try withLease { store throws in
            try store.commit([Sample.set([:], keyed(1, retention: 5000, value: 3))])
            #expect(try rowsOfSession(store) == 0, "no record under the call's number")
            clocks.pass(4999)
            _ = try sweep(store)
            let key = CallKey(high: 9, low: 1)
            #expect(try store.completion(of: key, for: Sample.actor)?.outcome == .returned([3]))
            #expect(try store.completion(of: key, for: ActorID(high: 1, low: 3)) == nil, "of this actor only")
            clocks.pass(1)
            #expect(try store.completion(of: key, for: Sample.actor) == nil, "also before it is removed")
            #expect(try store.keyedCount(of: Sample.actor) == 1)
            _ = try sweep(store)
            #expect(try store.keyedCount(of: Sample.actor) == 0)
        }
    }

    private func rowsOfSession(_ store: ShardStore) throws -> UInt64 {
        try store.progress(of: Sample.session, with: Sample.actor).highest
    }

    @Test func `a record that is released goes, and an actor's records go with it`() throws {
        try withLease { store throws in
            try store.commit((1...3).map { Sample.set([:], keyed($0, retention: .max)) })
            try store.commit([WriteSet(actor: Sample.actor, changes: [.release(CallKey(high: 9, low: 2))])])
            #expect(try store.completion(of: CallKey(high: 9, low: 2), for: Sample.actor) == nil)
            #expect(try store.keyedCount(of: Sample.actor) == 2)
            try store.commit([WriteSet(actor: Sample.actor, changes: [.removeActor])])
            #expect(try store.keyedCount(of: Sample.actor) == 0)
        }
    }

    @Test func `an owner that lost its shard removes nothing`() throws {
        try withLease { store throws in
            try store.commit([Sample.set([:], Sample.completion(Sample.call(1)))])
            clocks.pass(900)
            #expect(try Child.run("claim", folder.shard).lines == ["epoch 2", "done"])
            #expect(storeError { _ = try store.sweepExpired(limit: 10) }?.code == .fenced)
        }
        #expect(try rows("done") == 2)
    }
}
