internal import CLMDB
internal import Glibc
internal import Synchronization

#if SEEDED_BUGS
internal import SeededBugs
#endif

/// One open LMDB environment: a directory of named databases with one writer at a time.
///
/// Transactions are closures that cannot suspend, so each begins, works and ends on one thread; a commit on another one
/// would report success and leave the environment locked for ever. Never use it in a forked child.
package final class Environment: Sendable {
    /// Where its files are.
    package let directory: String

    /// The options it was opened with.
    package let options: EnvironmentOptions

    /// The format its files had when it was opened; never newer than that of the options.
    package let storedFormat: StoreFormat

    let handle: EnvironmentHandle
    let number: UInt64
    let gate = MapGate()
    let writerSeat = Mutex<Void>(())
    /// The thread that sits in the writer's seat, or 0.
    let writerThread = Atomic<UInt>(0)
    let isBroken = Atomic<Bool>(false)
    let processId: pid_t
    let file: FileIdentity
    private let databases: [String: Database]

    private static let attemptsMax = 8

    /// Opens an environment, creating it if there is none and the options allow it.
    ///
    /// Files that are damaged, newer or not of this store are refused and stay as they are.
    package static func open(directory: String, options: EnvironmentOptions) throws(LMDBError) -> Environment {
        let place = Place(directory: directory)
        try place.validate()
        try options.validate(at: directory)
        for _ in 0..<attemptsMax {
            var options = options
            if !options.readOnly, options.createsIfMissing {
                let isNew = try EnvironmentCreation(place: place, options: options).createIfMissing()
                if isNew { options.syncsWhenOpened = false }
            }
            if let environment = try openExisting(place, options) { return environment }
        }
        throw LMDBError(.lockedByOther, "\(directory): another process keeps replacing its data file. Try again.")
    }

    /// Nil if the file was replaced between looking at it and opening it.
    private static func openExisting(_ place: Place, _ options: EnvironmentOptions) throws(LMDBError) -> Environment? {
        let data = try DataFile(path: place.dataFile)
        let status = try data.status()
        let file = FileIdentity(status)
        try OpenEnvironments.claim(file, at: place.directory)
        do throws(LMDBError) {
            let stored = try data.inspect(expecting: options.format)
            // After a power loss, a file that is not flushed can have any old page; whoever opens it has checked it.
            let isOrdered = options.durability == .full || !options.syncsWhenOpened
            if isOrdered, !options.readOnly { try data.checkTurn() }
            let environment = try Environment(place, options, stored, file, length: Int(status.st_size))
            if environment == nil { OpenEnvironments.release(file) }
            return environment
        } catch {
            OpenEnvironments.release(file)
            throw error
        }
    }

    private init?(
        _ place: Place,
        _ options: EnvironmentOptions,
        _ stored: StoreFormat,
        _ file: FileIdentity,
        length: Int
    ) throws(LMDBError) {
        let isLockFileNew = try FileSystem.kind(of: place.lockFile) == .absent
        let pageBytes = sysconf(Int32(_SC_PAGESIZE))
        let settings = EnvironmentHandle.Settings(
            mapBytes: (max(options.mapBytesInitial, length) + pageBytes - 1) / pageBytes * pageBytes,
            databasesMax: options.databasesMax,
            readersMax: options.readersMax,
            flags: (options.readOnly ? MDB_RDONLY : 0) | (options.durability == .noSync ? MDB_NOSYNC : 0)
        )
        let handle = try EnvironmentHandle.open(place, settings)
        var isFinished = false
        defer { if !isFinished { mdb_env_close(handle.pointer) } }
        if try handle.file(at: place) != file { return nil }
        // The umask may have taken modes away. By path: closing a descriptor of the lock file would drop LMDB's locks.
        if isLockFileNew && !options.readOnly && chmod(place.lockFile, 0o600) != 0 {
            throw .lastSystemError(while: "setting the mode of its lock file", at: place.directory)
        }
        try Self.settle(handle, place, options)
        let indexes = try handle.openDatabases(options.databases, at: place, readOnly: options.readOnly)
        let number = OpenEnvironments.nextNumber()
        databases = Dictionary(
            uniqueKeysWithValues: zip(options.databases, indexes).map { name, index in
                (name, Database(name: name, index: index, environment: number))
            }
        )
        directory = place.directory
        self.options = options
        self.file = file
        self.handle = handle
        self.number = number
        storedFormat = stored
        processId = getpid()
        isFinished = true
    }

    /// What must come before anything else: make the last commit of a dead process durable and free its reader slots.
    ///
    /// Its last commit may be in the page cache only. Building on it without this sync can destroy the file when the
    /// machine crashes, which a file that is not flushed anyway has to survive by other means.
    private static func settle(
        _ handle: EnvironmentHandle,
        _ place: Place,
        _ options: EnvironmentOptions
    ) throws(LMDBError) {
        #if SEEDED_BUGS
        var options = options
        if SeededBug.noSyncAtOpen.isActive { options.syncsWhenOpened = false }
        #endif
        let syncs = !options.readOnly && options.syncsWhenOpened
        var status: Int32 = syncs ? mdb_env_sync(handle.pointer, 1) : 0
        guard status == 0 else { throw LMDBError(status: status, while: "syncing after open", at: place.directory) }
        status = mdb_reader_check(handle.pointer, nil)
        guard status == 0 else {
            throw LMDBError(status: status, while: "freeing the reader slots of the dead", at: place.directory)
        }
    }

    deinit {
        close()
    }

    /// Waits for running transactions of other threads and closes. Every later use throws `closed`.
    package func close() {
        let isUsedHere = gate.isHeldByThisThread() || writerThread.load(ordering: .relaxed) == MapGate.thisThread
        precondition(!isUsedHere, "an environment cannot be closed from within one of its own transactions")
        writerSeat.withLock { _ in
            guard let idle = gate.close() else { return }
            for read in idle { mdb_txn_abort(read.pointer) }
            mdb_env_close(handle.pointer)
            OpenEnvironments.release(file)
        }
    }

    /// The handle of a database named in the options.
    package func database(_ name: String) -> Database {
        guard let database = databases[name] else {
            preconditionFailure("\(directory): database \"\(name)\" is not among those named in the options")
        }
        return database
    }

    /// True once a failure of the disk has made further writes unsafe: close the environment and open it again.
    package var mustReopen: Bool { isBroken.load(ordering: .acquiring) }

    /// True while the environment can be read and, unless it is read-only, written.
    package var isUsable: Bool { !mustReopen && gate.refusal == nil }

    var allDatabases: some Collection<Database> { databases.values }

    func error(for refused: MapGate.Refused) -> LMDBError {
        switch refused.refusal {
        case .closed: LMDBError(.closed, "\(directory): the environment was closed. Open it again.")
        case .broken: reopenError
        }
    }

    var reopenError: LMDBError {
        let advice = "Close the environment and open it again; what was committed before is kept."
        return LMDBError(.panic, "\(directory): an earlier failure made writing unsafe. \(advice)")
    }
}
