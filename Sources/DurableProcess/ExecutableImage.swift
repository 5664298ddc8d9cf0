internal import CDurable
internal import Glibc

/// An executable held open, so that it can be started again after the file on disk was replaced or removed.
package final class ExecutableImage: Sendable {
    /// What tells one file from another, and from its own later contents.
    package struct Identity: Hashable, Sendable {
        /// The file system that holds the file.
        package var device: UInt64
        /// The file's number in its file system.
        package var inode: UInt64
        /// When the contents last changed, in nanoseconds since 1970.
        package var modifiedNanoseconds: Int64

        init(_ status: stat) {
            device = UInt64(status.st_dev)
            inode = UInt64(status.st_ino)
            modifiedNanoseconds = Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec)
        }
    }

    /// Where the executable was when it was opened.
    package let path: String
    /// Which file, with which modification time, was opened.
    package let identity: Identity
    let descriptor: Int32

    private init(opening openPath: String, path: String) throws(ProcessError) {
        let descriptor = durable_open_image(openPath)
        guard descriptor >= 0 else {
            var error = ProcessError(attempt: "open executable \(path)", errno: -descriptor)
            if error.code == .systemCall { error.code = .executableUnusable }
            throw error
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            let error = ProcessError(attempt: "fstat executable \(path)", errno: errno)
            close(descriptor)
            throw error
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw ProcessError(code: .executableUnusable, message: "\(path) is not a regular file", errno: EACCES)
        }
        self.path = path
        self.identity = Identity(status)
        self.descriptor = descriptor
    }

    deinit {
        close(descriptor)
    }

    /// Opens the executable that this process runs, even if its file has been removed since.
    package static func current() throws(ProcessError) -> ExecutableImage {
        let link = "/proc/self/exe"
        guard let target = SystemFiles.linkTarget(link) else {
            throw ProcessError(attempt: "readlink \(link)", errno: errno)
        }
        let removedMark = " (deleted)"
        var status = stat()
        let isRemoved = target.hasSuffix(removedMark) && stat(target, &status) != 0
        return try ExecutableImage(opening: link, path: isRemoved ? String(target.dropLast(removedMark.count)) : target)
    }

    /// Opens a program file. A script with an interpreter line opens but cannot be started.
    package static func open(path: String) throws(ProcessError) -> ExecutableImage {
        try ExecutableImage(opening: path, path: path)
    }

    /// Whether the path still leads to the file that is held open, unmodified.
    package var isStillOnDisk: Bool {
        var status = stat()
        return stat(path, &status) == 0 && Identity(status) == identity
    }
}
