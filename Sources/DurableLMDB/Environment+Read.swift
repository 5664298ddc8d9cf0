internal import CLMDB
internal import Synchronization

extension Environment {
    /// Runs a body on one unchanging view of the environment, on the calling thread.
    ///
    /// Keep it short: while it runs, the map cannot grow and pages freed since cannot be reused.
    package func read<R>(
        _ body: (borrowing ReadTransaction) throws(LMDBError) -> R
    ) throws(LMDBError) -> R {
        let transaction = try beginRead()
        return try body(transaction)
    }

    /// Like `read`, for a body that throws errors of its own.
    package func tryRead<R>(_ body: (borrowing ReadTransaction) throws -> R) throws -> R {
        let transaction = try beginRead()
        return try body(transaction)
    }

    private static let adoptionsMax = 4

    func beginRead() throws(LMDBError) -> ReadTransaction {
        try reading { () throws(LMDBError) in try enterRead() }
    }

    /// Runs something that reads the map, again after another process has grown it.
    private func reading<R: ~Copyable>(_ body: () throws(LMDBError) -> R) throws(LMDBError) -> R {
        var adoptions = 0
        while true {
            do throws(LMDBError) {
                return try body()
            } catch  where error.code == .mapResized && adoptions < Self.adoptionsMax {
                adoptions += 1
                // The map cannot move while this thread itself holds on to it.
                if gate.isHeldByThisThread() || writerThread.load(ordering: .relaxed) == MapGate.thisThread {
                    throw error
                }
                let failure = writerSeat.withLock { _ in gate.refusal == nil ? adoptMap() : nil }
                if let failure { throw failure }
            }
        }
    }

    private func enterRead() throws(LMDBError) -> ReadTransaction {
        let idle: MapGate.IdleRead?
        do { idle = try gate.enter() } catch { throw self.error(for: error) }
        var status: Int32 = 0
        if let idle {
            status = mdb_txn_renew(idle.pointer)
            if status == 0 {
                return ReadTransaction(idle.pointer, in: self)
            }
            mdb_txn_abort(idle.pointer)
        }
        var begun: OpaquePointer?
        status = mdb_txn_begin(handle.pointer, nil, UInt32(MDB_RDONLY), &begun)
        if status == MDB_READERS_FULL {
            // Killed processes keep their slots until somebody looks.
            mdb_reader_check(handle.pointer, nil)
            status = mdb_txn_begin(handle.pointer, nil, UInt32(MDB_RDONLY), &begun)
        }
        if status == 0, let begun {
            return ReadTransaction(begun, in: self)
        }
        _ = gate.leave(keeping: nil)
        if status == MDB_PANIC { isBroken.store(true, ordering: .releasing) }
        throw LMDBError(status: status, while: "beginning a read", at: directory)
    }

    func endRead(_ transaction: OpaquePointer) {
        mdb_txn_reset(transaction)
        if !gate.leave(keeping: MapGate.IdleRead(pointer: transaction)) { mdb_txn_abort(transaction) }
    }

    /// Writes a compacted copy to a directory that does not exist yet, from one view of the environment.
    ///
    /// The copy appears whole or not at all. The map cannot grow meanwhile.
    package func copy(to target: String) throws(LMDBError) {
        let place = Place(directory: target)
        try place.validate()
        let taken = LMDBError(.alreadyExists, "\(target) exists already. A copy never replaces anything.")
        if try FileSystem.kind(of: place.directory) != .absent { throw taken }
        try TemporaryDirectory.sweep(place.parent)
        let isPlaced = try EnvironmentCreation.createDirectory(place) { (temporary) throws(LMDBError) in
            try reading { () throws(LMDBError) in try copyOnce(to: temporary) }
        }
        if !isPlaced { throw taken }
    }

    private func copyOnce(to temporary: Place) throws(LMDBError) {
        let idle: MapGate.IdleRead?
        do { idle = try gate.enter() } catch { throw self.error(for: error) }
        let status = mdb_env_copy2(handle.pointer, temporary.directory, UInt32(MDB_CP_COMPACT))
        if !gate.leave(keeping: idle), let idle { mdb_txn_abort(idle.pointer) }
        guard status == 0 else {
            throw LMDBError(status: status, while: "copying \(directory)", at: temporary.directory)
        }
    }
}
