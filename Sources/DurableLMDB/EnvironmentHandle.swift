internal import CLMDB
internal import Glibc

#if SEEDED_BUGS
internal import SeededBugs
#endif

/// LMDB's own handle of an open environment.
// SAFETY: LMDB's environments may be used from any thread; `MapGate` keeps every use away from the close.
struct EnvironmentHandle: @unchecked Sendable {
    let pointer: OpaquePointer

    /// What LMDB is told when it opens the files.
    struct Settings {
        var mapBytes: Int
        var databasesMax: Int
        var readersMax: Int
        var flags: Int32
    }

    private static let attemptsMax = 6

    /// Opens the files of an existing directory. LMDB creates what is missing in it.
    static func open(_ place: Place, _ settings: Settings) throws(LMDBError) -> EnvironmentHandle {
        #if SEEDED_BUGS
        var settings = settings
        if SeededBug.noSync.isActive || SeededBug.syncNowAndThen.isActive { settings.flags |= MDB_NOSYNC }
        if SeededBug.noMetaSync.isActive { settings.flags |= MDB_NOMETASYNC }
        #endif
        var attempt = 0
        while true {
            do throws(LMDBError) {
                return try openOnce(place, settings)
            } catch {
                // LMDB documents that an open can fail while another process opens or closes at the same moment.
                let isTransient = [EINVAL, EAGAIN, EBUSY].contains(error.underlying)
                attempt += 1
                if !isTransient || attempt == attemptsMax { throw error }
                var pause = timespec(tv_sec: 0, tv_nsec: 500_000 << attempt)
                nanosleep(&pause, nil)
            }
        }
    }

    private static func openOnce(_ place: Place, _ settings: Settings) throws(LMDBError) -> EnvironmentHandle {
        var created: OpaquePointer?
        var status = mdb_env_create(&created)
        guard status == 0, let environment = created else {
            throw LMDBError(status: status, while: "preparing to open", at: place.directory)
        }
        status = mdb_env_set_mapsize(environment, settings.mapBytes)
        if status == 0 { status = mdb_env_set_maxdbs(environment, MDB_dbi(settings.databasesMax)) }
        if status == 0 { status = mdb_env_set_maxreaders(environment, UInt32(settings.readersMax)) }
        if status == 0 {
            status = mdb_env_open(environment, place.directory, UInt32(settings.flags | MDB_NOTLS), 0o600)
        }
        if status == 0 { status = closeOnExec(environment) }
        guard status == 0 else {
            mdb_env_close(environment)
            throw LMDBError(status: status, while: "opening", at: place.directory)
        }
        return EnvironmentHandle(pointer: environment)
    }

    /// LMDB leaves its main descriptor open across exec, which would hand every child a writable data file.
    private static func closeOnExec(_ environment: OpaquePointer) -> Int32 {
        #if SEEDED_BUGS
        if SeededBug.descriptorInherited.isActive { return 0 }
        #endif
        var descriptor: Int32 = -1
        let status = mdb_env_get_fd(environment, &descriptor)
        if status != 0 { return status }
        return fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0 ? 0 : errno
    }

    /// The data file that LMDB really opened.
    func file(at place: Place) throws(LMDBError) -> FileIdentity {
        var descriptor: Int32 = -1
        var status = stat()
        guard mdb_env_get_fd(pointer, &descriptor) == 0, fstat(descriptor, &status) == 0 else {
            throw .lastSystemError(while: "reading the status of its data file", at: place.directory)
        }
        return FileIdentity(status)
    }

    /// Opens the databases, creating those that are missing unless the environment is read-only.
    func openDatabases(_ names: [String], at place: Place, readOnly: Bool) throws(LMDBError) -> [MDB_dbi] {
        var attempt = 0
        var isCreating = false
        while true {
            attempt += 1
            do throws(LMDBError) {
                return try openDatabases(names, at: place, creating: isCreating)
            } catch  where error.code == .notFound && !readOnly && !isCreating {
                isCreating = true
            } catch  where error.code == .mapResized && attempt < Self.attemptsMax {
                // Nobody uses the environment yet, so the map can move.
                let status = mdb_env_set_mapsize(pointer, 0)
                if status != 0 { throw LMDBError(status: status, while: "adopting its map", at: place.directory) }
            }
        }
    }

    private func openDatabases(
        _ names: [String],
        at place: Place,
        creating: Bool
    ) throws(LMDBError) -> [MDB_dbi] {
        var begun: OpaquePointer?
        var status = mdb_txn_begin(pointer, nil, UInt32(creating ? 0 : MDB_RDONLY), &begun)
        guard status == 0, let transaction = begun else {
            throw LMDBError(status: status, while: "opening its databases", at: place.directory)
        }
        var opened: [MDB_dbi] = []
        for name in names {
            var database: MDB_dbi = 0
            status = mdb_dbi_open(transaction, name, UInt32(creating ? MDB_CREATE : 0), &database)
            guard status == 0 else {
                mdb_txn_abort(transaction)
                throw LMDBError(status: status, while: "opening database \"\(name)\"", at: place.directory)
            }
            opened.append(database)
        }
        // A commit is what keeps the handles, even in a read transaction.
        status = mdb_txn_commit(transaction)
        guard status == 0 else {
            throw LMDBError(status: status, while: "opening its databases", at: place.directory)
        }
        return opened
    }
}
