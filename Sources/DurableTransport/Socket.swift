internal import CDurable
internal import Glibc

/// Unix socket addresses.
enum Socket {
    /// Returns 0 or a negative error number.
    static func connect(_ fd: Int32, path: String) -> Int32 {
        guard !path.utf8.contains(0) else { return -EINVAL }
        return path.withCString { durable_io_connect(fd, $0, strlen($0)) }
    }

    static func bind(_ fd: Int32, path: String, mode: UInt32) -> Int32 {
        guard !path.utf8.contains(0) else { return -EINVAL }
        return path.withCString { durable_io_bind(fd, $0, strlen($0), mode) }
    }

    /// Removes a socket file that nobody listens on; anything else at the path stays and is an error.
    static func removeStale(at path: String) throws(TransportError) {
        var information = stat()
        guard lstat(path, &information) == 0 else { return }
        guard information.st_mode & S_IFMT == S_IFSOCK else {
            throw TransportError(.addressInUse, "\(path) exists and is not a socket", errno: EADDRINUSE)
        }
        let probe = OwnedDescriptor(try checked(durable_io_socket(), "cannot create a socket"))
        let result = connect(probe.value, path: path)
        guard result == -ECONNREFUSED else {
            if result == -ENOENT { return }
            throw TransportError(.addressInUse, "somebody listens on \(path)", errno: EADDRINUSE)
        }
        guard unlink(path) == 0 || errno == ENOENT else {
            throw TransportError(errno: errno, "cannot remove the stale socket \(path)")
        }
    }

    static func failure(_ error: Int32, _ what: String, path: String) -> TransportError {
        guard error == ENAMETOOLONG else { return TransportError(errno: error, "\(what) (\(path))") }
        let message =
            "the socket path \(path) has \(path.utf8.count) bytes, but a Unix socket address holds "
            + "\(DURABLE_IO_PATH_BYTES_MAX); choose a shorter directory"
        return TransportError(.addressTooLong, message, errno: error)
    }
}
