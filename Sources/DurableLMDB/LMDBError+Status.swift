internal import CLMDB
internal import Glibc

extension LMDBError {
    /// Turns a status of LMDB or an errno into an error that names the path and the way out.
    init(status: Int32, while action: String, at path: String) {
        let reason = String(cString: mdb_strerror(status))
        let (code, advice) = Self.classify(status, at: path)
        self.init(code, "\(path): \(action): \(reason). \(advice)", underlying: status)
    }

    /// Turns the calling thread's `errno` into an error.
    static func lastSystemError(while action: String, at path: String) -> LMDBError {
        LMDBError(status: errno, while: action, at: path)
    }

    private static func classify(_ status: Int32, at path: String) -> (Code, String) {
        status < 0 ? classifyLMDB(status) : classifyErrno(status, at: path)
    }

    private static func classifyLMDB(_ status: Int32) -> (Code, String) {
        switch status {
        case MDB_NOTFOUND: (.notFound, "There is no such entry.")
        case MDB_KEYEXIST: (.keyExists, "The entry exists already.")
        case MDB_MAP_FULL: (.mapFull, "Delete entries or raise mapBytesMax.")
        case MDB_CORRUPTED, MDB_PAGE_NOTFOUND: (.corrupted, "Keep the files and restore from a copy.")
        case MDB_PANIC: (.panic, "Close the environment and open it again.")
        case MDB_VERSION_MISMATCH: (.versionMismatch, "Open it with the LMDB version that wrote it.")
        case MDB_INVALID: (.damaged, "Keep the files and restore from a copy.")
        case MDB_MAP_RESIZED: (.mapResized, "Try again outside of any other transaction.")
        case MDB_READERS_FULL: (.readersFull, "Raise readersMax while no process has the environment open.")
        case MDB_BAD_VALSIZE: (.badValueSize, "Keys have 1 to 511 bytes, values less than 4 GiB.")
        case MDB_TXN_FULL: (.transactionFull, "Split the work into several transactions.")
        case MDB_BAD_TXN: (.invalid, "An earlier operation of this transaction failed; run all of it again.")
        default: (.other(status), "")
        }
    }

    private static func classifyErrno(_ status: Int32, at path: String) -> (Code, String) {
        let makeRoom = "Free some space; nothing that was committed is lost."
        switch status {
        case EIO where spaceIsExhausted(at: path): return (.noSpace, makeRoom)
        case EIO: return (.ioError, "The disk reports a fault: check it, then open the environment again.")
        case ENOSPC, EDQUOT, EFBIG: return (.noSpace, makeRoom)
        case EACCES, EPERM: return (.permissionDenied, "Check the owner and the modes.")
        case EROFS: return (.readOnlyFileSystem, "Choose a directory that can be written.")
        case ENOENT: return (.missing, "Check that the path and its parent directory exist.")
        case ENOTDIR, ELOOP: return (.notOurs, "A part of the path is not a directory; choose another path.")
        case EAGAIN, EBUSY: return (.lockedByOther, "Another process is using the files; try again.")
        case EINVAL, ENAMETOOLONG: return (.invalid, "Check the path and the options.")
        case EEXIST, ENOTEMPTY: return (.alreadyExists, "Choose a path that does not exist.")
        default: return (.other(status), "")
        }
    }

    /// LMDB reports a short write as EIO, so a full disk has to be told from a broken one by looking.
    private static func spaceIsExhausted(at path: String) -> Bool {
        let roomNeeded: UInt64 = 256 * 1024
        var volume = statvfs()
        if statvfs(path, &volume) == 0 || statvfs(Place.parent(of: path), &volume) == 0 {
            // The blocks reserved for root are of use to root only.
            let blocks = geteuid() == 0 ? volume.f_bfree : volume.f_bavail
            if UInt64(blocks) * UInt64(volume.f_frsize) < roomNeeded { return true }
        }
        var limit = rlimit()
        var file = stat()
        guard getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0, limit.rlim_cur != rlim_t.max,
            stat(Place(directory: path).dataFile, &file) == 0
        else { return false }
        return UInt64(file.st_size) + roomNeeded >= UInt64(limit.rlim_cur)
    }
}
