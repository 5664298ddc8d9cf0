internal import CLMDB
internal import Glibc

#if SEEDED_BUGS
internal import SeededBugs
#endif

/// Where the files of an environment are.
struct Place: Sendable {
    let directory: String

    init(directory: String) {
        var path = directory
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        self.directory = path
    }

    var dataFile: String { directory + "/data.mdb" }
    var lockFile: String { directory + "/lock.mdb" }
    var parent: String { Self.parent(of: directory) }

    var name: String {
        guard let slash = directory.lastIndex(of: "/") else { return directory }
        return String(directory[directory.index(after: slash)...])
    }

    static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    func validate() throws(LMDBError) {
        if directory.isEmpty || directory.utf8.contains(0) || name == "." || name == ".." || directory == "/" {
            throw LMDBError(.invalid, "\"\(directory)\" does not name a directory for an environment.")
        }
    }
}

/// One file, however many paths lead to it.
struct FileIdentity: Hashable, Sendable {
    let device: UInt64
    let inode: UInt64

    init(_ status: stat) {
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
    }
}

/// The few file operations that creating and copying environments need, all independent of the umask.
enum FileSystem {
    enum Kind { case absent, directory, other }

    static func kind(of path: String) throws(LMDBError) -> Kind {
        var status = stat()
        if stat(path, &status) == 0 { return status.st_mode & S_IFMT == S_IFDIR ? .directory : .other }
        if errno == ENOENT { return .absent }
        throw .lastSystemError(while: "looking at it", at: path)
    }

    /// Makes what was created or renamed in a directory survive a power loss.
    static func syncDirectory(_ path: String) throws(LMDBError) {
        #if SEEDED_BUGS
        if SeededBug.noDirectorySync.isActive { return }
        #endif
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .lastSystemError(while: "opening the directory to sync it", at: path) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw .lastSystemError(while: "syncing the directory", at: path) }
    }

    /// Restricts a data file to its owner and makes all of it durable.
    static func sealFile(_ path: String) throws(LMDBError) {
        // Closing this descriptor drops no lock: LMDB's locks are on the lock file.
        let descriptor = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { throw .lastSystemError(while: "opening the new file to sync it", at: path) }
        defer { close(descriptor) }
        guard fchmod(descriptor, 0o600) == 0 else { throw .lastSystemError(while: "setting its mode", at: path) }
        guard fsync(descriptor) == 0 else { throw .lastSystemError(while: "syncing it", at: path) }
    }

    /// Moves a finished file or directory to its final name. Never replaces anything: false if the name is taken.
    static func publish(_ source: String, as target: String, isDirectory: Bool) throws(LMDBError) -> Bool {
        if renameat2(AT_FDCWD, source, AT_FDCWD, target, UInt32(CLMDB_RENAME_NOREPLACE)) == 0 { return true }
        if errno == EINVAL || errno == ENOSYS {
            // Some file systems lack the flag. A directory then replaces at most an empty one, a link nothing.
            let status = isDirectory ? rename(source, target) : link(source, target)
            if status == 0 { return true }
        }
        if errno == EEXIST || errno == ENOTEMPTY { return false }
        throw .lastSystemError(while: "moving the new files into place", at: target)
    }
}
