internal import CLMDB
internal import Glibc
internal import Synchronization

#if SEEDED_BUGS
internal import SeededBugs
#endif

extension Environment {
    /// Runs a body as one write transaction, committed when it returns and undone when it throws.
    ///
    /// One writer at a time: others wait. If the map is full it grows and **the body runs again**, so it must be
    /// repeatable: it may change only the transaction and variables that it sets from scratch.
    package func write<R>(
        _ body: (inout WriteTransaction) throws(LMDBError) -> R
    ) throws(LMDBError) -> R {
        try perform(body) { (error) -> LMDBError in error }
    }

    /// Like `write`, for a body that throws errors of its own.
    package func tryWrite<R>(_ body: (inout WriteTransaction) throws -> R) throws -> R {
        try perform(body) { (error) -> any Error in error }
    }

    private enum Attempt<R> {
        case committed(R)
        /// The map was full, and this is what the body threw because of it, if it let it through.
        case full((any Error)?)
    }

    private func perform<R, E: Error>(
        _ body: (inout WriteTransaction) throws(E) -> R,
        _ wrap: (LMDBError) -> E
    ) throws(E) -> R {
        precondition(getpid() == processId, "\(directory): an environment must not be used in a forked child")
        if let refusal = refusalToWrite() { throw wrap(refusal) }
        var result: R?
        try writerSeat.withLock { _ throws(E) in
            writerThread.store(MapGate.thisThread, ordering: .relaxed)
            defer { writerThread.store(0, ordering: .relaxed) }
            result = try attemptUntilItFits(body, wrap)
        }
        guard let result else { preconditionFailure("a write that did not throw has a result") }
        return result
    }

    /// Why this thread may not write now. A write within a read could not grow the map, which waits for that read.
    private func refusalToWrite() -> LMDBError? {
        if options.readOnly {
            return LMDBError(.readOnlyFileSystem, "\(directory): the environment was opened read-only.")
        }
        let isNested = writerThread.load(ordering: .relaxed) == MapGate.thisThread || gate.isHeldByThisThread()
        return isNested
            ? LMDBError(.nested, "\(directory): this thread is within a transaction already. Finish it before writing.")
            : nil
    }

    private func attemptUntilItFits<R, E: Error>(
        _ body: (inout WriteTransaction) throws(E) -> R,
        _ wrap: (LMDBError) -> E
    ) throws(E) -> R {
        // Every round doubles the map, so this ends.
        while true {
            if let refusal = gate.refusal { throw wrap(error(for: MapGate.Refused(refusal: refusal))) }
            if mustReopen { throw wrap(reopenError) }
            growAhead()
            switch try attempt(body, wrap) {
            case .committed(let result): return result
            case .full(let thrown):
                guard let error = growNow() else { continue }
                // An error of the body's own says more than that the map was full.
                if let thrown = thrown as? E, !(thrown is LMDBError) { throw thrown }
                throw wrap(error)
            }
        }
    }

    private func attempt<R, E: Error>(
        _ body: (inout WriteTransaction) throws(E) -> R,
        _ wrap: (LMDBError) -> E
    ) throws(E) -> Attempt<R> {
        var transaction: WriteTransaction
        do throws(LMDBError) { transaction = try begin() } catch { throw wrap(error) }
        let result: R
        do throws(E) {
            result = try body(&transaction)
        } catch {
            if transaction.hasFilledMap { return .full(error) }
            throw error
        }
        if transaction.hasFilledMap { return .full(nil) }
        let status = transaction.commit()
        if status == MDB_MAP_FULL { return .full(nil) }
        if status != 0 { throw wrap(failedCommit(status)) }
        #if SEEDED_BUGS
        var info = MDB_envinfo()
        mdb_env_info(handle.pointer, &info)
        if SeededBug.syncNowAndThen.isActive, info.me_last_txnid % 16 == 0 { mdb_env_sync(handle.pointer, 1) }
        #endif
        return .committed(result)
    }

    func begin() throws(LMDBError) -> WriteTransaction {
        var isAdopted = false
        while true {
            var begun: OpaquePointer?
            let status = mdb_txn_begin(handle.pointer, nil, 0, &begun)
            if status == 0, let begun {
                return WriteTransaction(access: TransactionAccess(pointer: begun, environment: self))
            }
            if status == MDB_MAP_RESIZED && !isAdopted {
                isAdopted = true
                if let error = adoptMap() { throw error }
                continue
            }
            if status == MDB_PANIC { isBroken.store(true, ordering: .releasing) }
            throw LMDBError(status: status, while: "beginning a write", at: directory)
        }
    }

    /// Finds out what a failed commit leaves: after a full disk the environment goes on, after a failing one it must
    /// not.
    private func failedCommit(_ status: Int32) -> LMDBError {
        let error = LMDBError(status: status, while: "committing", at: directory)
        // A negative status comes from LMDB before anything was written.
        if status < 0 && status != MDB_PANIC { return error }
        #if SEEDED_BUGS
        if SeededBug.failedSyncForgotten.isActive { return error }
        #endif
        let isSafe = error.code == .noSpace && mdb_env_sync(handle.pointer, 1) == 0 && canBeginRead()
        if !isSafe { isBroken.store(true, ordering: .releasing) }
        return error
    }

    /// LMDB marks an environment as lost without telling; the next transaction gets to know.
    private func canBeginRead() -> Bool {
        var begun: OpaquePointer?
        guard mdb_txn_begin(handle.pointer, nil, UInt32(MDB_RDONLY), &begun) == 0 else { return false }
        mdb_txn_abort(begun)
        return true
    }
}
