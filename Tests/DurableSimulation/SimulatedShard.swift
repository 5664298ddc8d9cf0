import DurableCore
import DurableStore

/// Why a shard did not do what it was asked.
enum ShardRefusal: Error { case fenced, full }

/// What a shard has on disk. It survives everything; each change is a whole transaction.
///
/// The decisions are those of the store: the fence, what a session's row says, what is forgotten and what expires. Only
/// the rows are kept in memory.
final class SimulatedShard {
    struct KeyedRow {
        var expires: UInt64
        var completion: Completion
    }

    let number: ShardNumber
    let actor: ActorID
    private(set) var fence: Fence?
    private var clock: ShardClock?
    private(set) var done: [CallID: Completion] = [:]
    private(set) var sessions: [SessionID: SessionRow] = [:]
    private(set) var keyed: [CallKey: KeyedRow] = [:]
    private(set) var deadLetters: [CallID: StoredDeadLetter] = [:]
    /// The actor's state: the operations that were applied to it, each with the count that it made.
    private(set) var applied: [UInt64: UInt64] = [:]
    private(set) var count: UInt64 = 0
    /// How many records went because their callers have the outcomes.
    private(set) var forgottenCount = 0
    /// Below which call records of a session have gone.
    private var forgottenThrough: [SessionID: UInt64] = [:]
    private let isSerial: Bool
    private let oracle: Oracle

    init(_ number: ShardNumber, of actor: ActorID, isSerial: Bool, _ oracle: Oracle) {
        self.isSerial = isSerial
        self.number = number
        self.actor = actor
        self.oracle = oracle
    }

    /// Takes the shard for a new owner.
    func claim(process: Int, incarnation: Incarnation, _ reading: ClockReading) -> (Fence, ShardClock) {
        let next = Fence(after: fence, pid: Int32(process), incarnation: incarnation)
        var time = clock ?? ShardClock(at: reading)
        let before = time.milliseconds
        time.advance(to: reading)
        oracle.claimed(self, next, by: process, timeBefore: before, time: time.milliseconds)
        (fence, clock) = (next, time)
        return (next, time)
    }

    func isOwned(by owner: Fence) -> Bool { fence?.isOwned(by: owner) == true }

    /// Commits write sets together, if the shard still belongs to that owner.
    func commit(_ sets: [WriteSet], by owner: Fence, process: Int, at time: CommitTime) throws(ShardRefusal) -> Fence {
        guard let stored = fence, stored.isOwned(by: owner) else { throw .fenced }
        let next = stored.committed(by: owner)
        oracle.committed(self, before: stored, next, by: process)
        var changes: [SessionID: SessionChange] = [:]
        var order: [SessionID] = []
        for set in sets {
            for change in set.changes { apply(change, next, at: time) }
            guard let completion = set.completion else { continue }
            let session = completion.id.session
            if changes[session] == nil { order.append(session) }
            var change =
                changes[session]
                ?? SessionChange(actor: actor, session: session, stored: sessions[session], at: time)
            change.recorded(completion, at: time)
            changes[session] = change
            if let keyed = completion.deduplication {
                let expires = time.after(keyed.retentionMilliseconds)
                self.keyed[keyed.key] = KeyedRow(expires: expires, completion: completion)
            } else {
                let isEffect = set.changes.contains { if case .entry = $0 { true } else { false } }
                if isSerial, isEffect { oracle.ordered(completion.id, of: actor) }
                done[completion.id] = completion
            }
        }
        for session in order {
            guard var change = changes[session] else { continue }
            let forgotten = done.count
            if let end = change.forgotten, forget(session, below: end) { change.forgot() }
            if let row = change.finished(at: time) { sessions[session] = row }
            forgottenCount += forgotten - done.count
            // A copy that comes late must not run again, in whatever life.
            let highest = forgottenThrough[session] ?? 0
            if highest > sessions[session]?.frontier ?? 0 {
                oracle.violated("shard \(number): records below \(highest) are gone, and no row says so")
            }
        }
        fence = next
        return next
    }

    private func apply(_ change: WriteSet.Change, _ fence: Fence, at time: CommitTime) {
        switch change {
        case .entry(_, let key, let payload):
            let (operation, value) = (UInt64(bytes: key), UInt64(bytes: payload))
            oracle.applied(operation, value, to: self)
            count += 1
            applied[operation] = value
        case .deadLetter(let call, let letter):
            deadLetters[call] = letter
        default:
            oracle.violated("a change that the simulation does not know was committed")
        }
    }

    private func forget(_ session: SessionID, below end: UInt64) -> Bool {
        let gone = done.keys.filter { $0.session == session && $0.sequence < end }
        for id in gone { done[id] = nil }
        if let last = gone.map(\.sequence).max() {
            forgottenThrough[session] = max(forgottenThrough[session] ?? 0, last + 1)
        }
        return !gone.isEmpty
    }

    /// How far a session has come, by what is stored.
    func progress(of session: SessionID) -> SessionProgress {
        var progress = SessionProgress()
        if let row = sessions[session] { progress.frontier = row.frontier }
        for id in done.keys where id.session == session { progress.recorded(id.sequence) }
        return progress
    }

    /// The record of a call with a key, if it has not expired.
    func completion(of key: CallKey, now: UInt64) -> Completion? {
        keyed[key].flatMap { $0.expires > now ? $0.completion : nil }
    }

    /// Removes what has expired. Returns the sessions of which nothing is kept any more, and how many records went.
    func sweep(
        by owner: Fence,
        _ clock: ShardClock,
        age: UInt64
    ) throws(ShardRefusal) -> (sessions: [SessionID], records: Int) {
        guard isOwned(by: owner) else { throw .fenced }
        let now = clock.milliseconds
        let expired = sessions.filter { SessionRow.isExpired(lastSeen: $0.value.lastSeen, now: now, age: age) }
        let before = done.count + keyed.count
        for session in expired.keys {
            sessions[session] = nil
            forgottenThrough[session] = nil
            for id in done.keys where id.session == session { done[id] = nil }
        }
        keyed = keyed.filter { $0.value.expires > now }
        self.clock = clock
        return (expired.keys.sorted(), before - done.count - keyed.count)
    }
}

extension UInt64 {
    /// The number that eight bytes hold.
    init(bytes: [UInt8]) { self = bytes.reduce(0) { $0 << 8 | UInt64($1) } }

    /// Its bytes, the highest first.
    var bytes: [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: self >> (56 - 8 * $0)) } }
}
