package import DurableCore
internal import Glibc

/// Creates and checks the directories of a runtime; every refusal names the path and what to do.
package enum RuntimeDirectory {
    /// Creates what is missing, and checks that the directory is ours to use.
    package static func prepare(_ layout: RuntimeLayout) throws(ActorError) {
        try checkSocketPath(layout)
        let isNew = access("\(layout.supervisor)/data.mdb", F_OK) != 0
        try makePath(layout.directory)
        try checkLink(layout.directory)
        // Also when a process that was killed has made it. What is in it is synced when the registry is created.
        if isNew { try syncParent(of: layout.directory) }
        try checkOwner(layout.directory)
        for directory in [layout.supervisor, layout.shards, layout.stderr] { try makePrivate(directory) }
        guard access(layout.supervisor, W_OK | X_OK) == 0 else {
            throw unusable(layout.directory, "cannot be written to: \(reason(errno))")
        }
        try checkRoom(layout.directory)
    }

    /// Creates the directory of the sockets at which processes are asked for their values.
    package static func makeObjects(_ layout: RuntimeLayout) throws(ActorError) { try makePrivate(layout.objects) }

    /// Whether a directory with this path can hold the runtime's sockets, whose paths the kernel limits to 107 bytes.
    package static func checkSocketPath(_ layout: RuntimeLayout) throws(ActorError) {
        let longest = layout.shardSocket(99_999_999)
        guard longest.utf8.count <= 107 else {
            let room = 107 - (longest.utf8.count - layout.directory.utf8.count)
            throw ActorError(
                .directoryUnusable,
                "the path \(layout.directory) has \(layout.directory.utf8.count) bytes, too long for the sockets in "
                    + "it; choose a directory of at most \(room) bytes"
            )
        }
    }

    /// Removes a directory and all in it; what is gone already is no error. Links are removed, and never followed, the
    /// path itself included: in a directory like `/tmp`, others can put one there.
    package static func remove(_ path: String) {
        // With a slash at its end, the path of a link is that of what it leads to.
        var path = path
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        remove(path, in: AT_FDCWD)
    }

    private static func remove(_ name: String, in parent: Int32) {
        // By descriptors, so that what is emptied is what was looked at.
        let directory = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard directory >= 0 else { return }
        if let stream = fdopendir(directory) {
            let names = entries(of: stream)
            for child in names where unlinkat(directory, child, 0) != 0 && (errno == EISDIR || errno == EPERM) {
                remove(child, in: directory)
            }
            closedir(stream)
        } else {
            close(directory)
        }
        unlinkat(parent, name, AT_REMOVEDIR)
    }

    /// The names in a directory; none when it cannot be read.
    package static func entries(of path: String) -> [String] {
        guard let stream = opendir(path) else { return [] }
        defer { closedir(stream) }
        return entries(of: stream)
    }

    private static func entries(of stream: OpaquePointer) -> [String] {
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    static func make(_ path: String) throws(ActorError) {
        guard mkdir(path, 0o700) != 0 else {
            // The mode that mkdir takes is cut by the umask.
            chmod(path, 0o700)
            return
        }
        guard errno == EEXIST else { throw unusable(path, "cannot be created: \(reason(errno))") }
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
            throw unusable(path, "is not a directory")
        }
    }

    /// Makes a directory of the runtime's own, or checks that nobody else can have changed the one that is there.
    private static func makePrivate(_ path: String) throws(ActorError) {
        try make(path)
        try checkOwner(path)
    }

    /// A link leads where whoever made it wants it to: to some other directory of this user's.
    private static func checkLink(_ path: String) throws(ActorError) {
        var status = stat()
        guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFLNK else { return }
        guard status.st_uid == geteuid() || status.st_uid == 0 else {
            throw unusable(path, "is a link that user \(status.st_uid) has made; give the path that it leads to")
        }
    }

    private static func makePath(_ path: String) throws(ActorError) {
        guard path.hasPrefix("/") else { throw unusable(path, "is not an absolute path") }
        var status = stat()
        if stat(path, &status) != 0, errno == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex {
            try makePath(String(path[..<slash]))
            try make(path)
            return try syncParent(of: path)
        }
        try make(path)
    }

    /// Makes a directory's name survive a power loss.
    private static func syncParent(of path: String) throws(ActorError) {
        let parent = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let descriptor = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        // A directory that others have made, and may not be read, is theirs to sync.
        if descriptor < 0, errno == EACCES { return }
        guard descriptor >= 0 else {
            let number = errno
            let message = "cannot be opened: \(reason(number))"
            // The directory is as good as before.
            guard number == EMFILE || number == ENFILE else { throw unusable(parent, message) }
            throw ActorError(.limitExceeded, "the directory \(parent) \(message)")
        }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw unusable(parent, "cannot be synced: \(reason(errno))") }
    }

    private static func checkOwner(_ path: String) throws(ActorError) {
        var status = stat()
        guard stat(path, &status) == 0 else { throw unusable(path, "cannot be looked at: \(reason(errno))") }
        guard status.st_uid == geteuid() else {
            throw unusable(path, "belongs to user \(status.st_uid), this process runs as user \(geteuid())")
        }
        guard status.st_mode & 0o022 == 0 else {
            throw unusable(path, "can be written by others; take the right away with `chmod go-w`")
        }
    }

    private static func checkRoom(_ path: String) throws(ActorError) {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { return }
        let free = UInt64(status.f_bavail) * UInt64(status.f_frsize)
        guard free >= 1 << 20 else {
            throw ActorError(.storageFull, "the disk of \(path) has \(free >> 10) KiB left; a runtime needs 1 MiB")
        }
    }

    static func unusable(_ path: String, _ what: String) -> ActorError {
        ActorError(.directoryUnusable, "the directory \(path) \(what)")
    }

    static func reason(_ number: Int32) -> String { String(cString: strerror(number)) }
}
