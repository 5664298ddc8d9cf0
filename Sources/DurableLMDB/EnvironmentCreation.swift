internal import CLMDB
internal import Glibc

#if SEEDED_BUGS
internal import SeededBugs
#endif

/// Makes environments appear whole or not at all, whatever kills the process meanwhile.
///
/// LMDB rejects a file whose creation was cut short. So a new one is finished in a temporary directory, made durable,
/// and moved into place.
struct EnvironmentCreation {
    let place: Place
    let options: EnvironmentOptions

    private static let attemptsMax = 16

    /// Creates the environment unless there is a data file already, which is never touched.
    /// - Returns: Whether it was created; then all of it is durable.
    func createIfMissing() throws(LMDBError) -> Bool {
        #if SEEDED_BUGS
        if SeededBug.createdInPlace.isActive, try FileSystem.kind(of: place.dataFile) == .absent {
            mkdir(place.directory, 0o700)
            try fill(place)
            return true
        }
        #endif
        for _ in 0..<Self.attemptsMax {
            switch try FileSystem.kind(of: place.directory) {
            case .other:
                throw LMDBError(.notOurs, "\(place.directory) is not a directory. Choose another path.")
            case .directory:
                try TemporaryDirectory.sweep(place.directory)
                if try FileSystem.kind(of: place.dataFile) != .absent { return false }
                if try createFile() { return true }
            case .absent:
                try TemporaryDirectory.sweep(place.parent)
                if try Self.createDirectory(place, filling: fill) { return true }
            }
        }
        let advice = "Other processes keep changing it; try again."
        throw LMDBError(.lockedByOther, "\(place.directory) could not be created. \(advice)")
    }

    /// Fills a new directory and moves it to `place`: false if something appeared there meanwhile.
    static func createDirectory(
        _ place: Place,
        filling fill: (Place) throws(LMDBError) -> Void
    ) throws(LMDBError) -> Bool {
        let temporary = try TemporaryDirectory(in: place.parent, for: place.name)
        try fill(temporary.place)
        try FileSystem.sealFile(temporary.place.dataFile)
        try FileSystem.syncDirectory(temporary.place.directory)
        guard try FileSystem.publish(temporary.place.directory, as: place.directory, isDirectory: true) else {
            return false
        }
        temporary.keep()
        try FileSystem.syncDirectory(place.parent)
        return true
    }

    /// Puts a data file into an existing directory, whose other files are left alone.
    private func createFile() throws(LMDBError) -> Bool {
        // Made inside of the directory, because the directory may be a mount point.
        let temporary = try TemporaryDirectory(in: place.directory, for: "data.mdb")
        try fill(temporary.place)
        try FileSystem.sealFile(temporary.place.dataFile)
        // Whoever made the directory may not have: a file whose directory a power loss can take is not durable. Before
        // the file is there, because then nobody comes here again.
        try FileSystem.syncDirectory(place.parent)
        guard try FileSystem.publish(temporary.place.dataFile, as: place.dataFile, isDirectory: false) else {
            return false
        }
        try FileSystem.syncDirectory(place.directory)
        return true
    }

    private func fill(_ temporary: Place) throws(LMDBError) {
        // Nobody else knows the directory, so it needs no lock file, and none is left to move into place.
        let settings = EnvironmentHandle.Settings(
            mapBytes: options.mapBytesInitial,
            databasesMax: options.databasesMax,
            readersMax: 1,
            // Flushed once, when all of it is there and before it gets its name.
            flags: MDB_NOLOCK | MDB_NOSYNC
        )
        let environment = try EnvironmentHandle.open(temporary, settings)
        defer { mdb_env_close(environment.pointer) }
        try writeMarker(environment, temporary)
        _ = try environment.openDatabases(options.databases, at: temporary, readOnly: false)
    }

    private func writeMarker(_ environment: EnvironmentHandle, _ temporary: Place) throws(LMDBError) {
        var begun: OpaquePointer?
        var status = mdb_txn_begin(environment.pointer, nil, 0, &begun)
        guard status == 0, let transaction = begun else {
            throw LMDBError(status: status, while: "creating the environment", at: place.directory)
        }
        var main: MDB_dbi = 0
        status = mdb_dbi_open(transaction, nil, 0, &main)
        if status == 0 { status = FormatMarker.put(options.format, transaction, main) }
        if status == 0 {
            status = mdb_txn_commit(transaction)
        } else {
            mdb_txn_abort(transaction)
        }
        guard status == 0 else {
            throw LMDBError(status: status, while: "creating the environment", at: place.directory)
        }
    }
}

extension FormatMarker {
    /// Writes the marker in a running write transaction and returns LMDB's status.
    static func put(_ format: StoreFormat, _ transaction: OpaquePointer, _ main: MDB_dbi) -> Int32 {
        withLMDBValue(of: key) { key in
            withLMDBValue(of: encode(format)) { value in mdb_put(transaction, main, &key, &value, 0) }
        }
    }
}
