package import DurableCore
internal import DurableLMDB

/// Where the search for expired records goes on: behind this key.
enum ExpiryPosition: Hashable {
    case sessions(after: [UInt8])
    case keyed(after: [UInt8])
}

/// What one step of that search removed.
package struct ExpirySweep: Sendable {
    /// Sessions of which nothing is kept any more.
    package var sessions: [(actor: ActorID, session: SessionID)] = []
    /// The actors whose records of calls with a key are gone, one entry for each record.
    package var keyed: [ActorID] = []
    /// Whether everything has been looked at.
    package var isFinished = false
}

/// Time, and what expires.
extension ShardStore {
    /// The shard's time.
    package var now: UInt64 { clock?.advance(to: readClocks()) ?? 0 }

    var commitTime: CommitTime { CommitTime(now: now, refresh: refreshMilliseconds) }

    /// The note of when a session was last seen may be this old. It expires by as much later, so that whatever is
    /// removed is at least as old as the lease.
    private var refreshMilliseconds: UInt64 { sessionLeaseMilliseconds / 8 }

    /// Looks at some sessions and keyed records, and removes those that have expired.
    /// - Parameter limit: How many are looked at, and how many rows are removed, at most.
    package func sweepExpired(limit: Int) throws(StoreError) -> ExpirySweep {
        let databases = databases
        let now = now
        let age = sessionLeaseMilliseconds.addingReportingOverflow(refreshMilliseconds)
        let scan = ExpiryScan(
            databases: databases,
            now: now,
            sessionAge: age.overflow ? .max : age.partialValue,
            limit: limit
        )
        let position = expiryPosition
        let found = try read("looking for expired records") { transaction throws in
            switch position {
            case .sessions(let key): try scan.sessions(after: key, transaction)
            case .keyed(let key): try scan.keyed(after: key, transaction)
            }
        }
        if !found.done.isEmpty || !found.keyed.isEmpty, let clock {
            passes(.workerBeforeExpiry)
            let contents = try write("removing expired records") { transaction throws in
                let stored = try transaction.get(ShardLayout.fenceKey, in: databases.meta)
                    .map { try Fence(decoding: $0) }
                guard stored?.isOwned(by: self.fence) == true else { throw self.fencedError(stored) }
                var writer = RowWriter(databases: databases, fence: self.fence, contents: self.contents)
                for key in found.done { try writer.delete(key, in: databases.done, &transaction) }
                for key in found.keyed { try writer.delete(key, in: databases.keyed, &transaction) }
                // A jump of the time of day before now is never mistaken for time that passed.
                try transaction.put(ShardLayout.clockKey, clock.encoded(), in: databases.meta)
                try writer.storeContents(&transaction)
                self.passes(.workerInsideExpiry)
                return writer.contents
            }
            self.contents = contents
        }
        expiryPosition = found.next
        return found.sweep
    }
}

/// Reads some of what may have expired.
private struct ExpiryScan {
    struct Found {
        var done: [[UInt8]] = []
        var keyed: [[UInt8]] = []
        var next: ExpiryPosition
        var sweep = ExpirySweep()
    }

    let databases: ShardDatabases
    let now: UInt64
    let sessionAge: UInt64
    let limit: Int

    /// One seek for each session; only an expired one's records are walked through.
    func sessions(after start: [UInt8], _ transaction: borrowing ReadTransaction) throws -> Found {
        var found = Found(next: .keyed(after: []))
        var position = start
        for _ in 0..<limit {
            var key: [UInt8] = []
            var value: [UInt8] = []
            try transaction.forEach(from: position, in: databases.done) { first, row in
                (key, value) = (Array(first), Array(row))
                return false
            }
            guard key.count == 40 else { return found }
            let prefix = Array(key.prefix(32))
            let isFrontier = key.suffix(8).allSatisfy { $0 == 0 }
            // A row that is damaged is kept: its session's next call says so. Records without one are of the first
            // moment of the shard's clock.
            let lastSeen = isFrontier ? (try? SessionRow(decoding: value))?.lastSeen : 0
            if let lastSeen, SessionRow.isExpired(lastSeen: lastSeen, now: now, age: sessionAge) {
                let room = limit - found.done.count
                var rows: [[UInt8]] = []
                try transaction.forEach(prefix: prefix, in: databases.done) { key, _ in
                    if !key.suffix(8).allSatisfy({ $0 == 0 }) { rows.append(Array(key)) }
                    return rows.count < room
                }
                found.done += rows
                guard rows.count < room else {
                    found.next = .sessions(after: prefix)
                    return found
                }
                // Goes last, so that a half removed session is found again.
                if isFrontier { found.done.append(key) }
                if let actor = ActorID(bytes: prefix.prefix(16)), let session = SessionID(bytes: prefix.suffix(16)) {
                    found.sweep.sessions.append((actor, session))
                }
            }
            position = prefix + [UInt8](repeating: .max, count: 9)
        }
        found.next = .sessions(after: position)
        return found
    }

    func keyed(after start: [UInt8], _ transaction: borrowing ReadTransaction) throws -> Found {
        var found = Found(next: .sessions(after: []))
        var seen = 0
        var last = start
        let now = now
        try transaction.forEach(from: start, in: databases.keyed) { key, value in
            seen += 1
            guard seen <= limit else { return false }
            last = Array(key)
            if let row = try? KeyedRow(decoding: Array(value)), row.expires <= now { found.keyed.append(last) }
            return true
        }
        found.sweep.keyed = found.keyed.compactMap { ActorID(bytes: $0.prefix(16)) }
        guard seen > limit else {
            found.sweep.isFinished = true
            return found
        }
        found.next = .keyed(after: last + [0])
        return found
    }
}
