internal import Synchronization

/// The data files this process has open: opening one twice would drop LMDB's locks on the first close.
enum OpenEnvironments {
    private static let files = Mutex<Set<FileIdentity>>([])
    private static let counter = Atomic<UInt64>(0)

    static func claim(_ file: FileIdentity, at path: String) throws(LMDBError) {
        let isFree = files.withLock { $0.insert(file).inserted }
        if !isFree {
            throw LMDBError(.alreadyOpen, "\(path): this process has it open already. Share that environment.")
        }
    }

    static func release(_ file: FileIdentity) {
        files.withLock { _ = $0.remove(file) }
    }

    /// A number no other environment of this process ever has.
    static func nextNumber() -> UInt64 {
        counter.add(1, ordering: .relaxed).newValue
    }
}
