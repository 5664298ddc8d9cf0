internal import Glibc

/// What is written for people while the tool works.
enum StandardError {
    /// Whether somebody watches.
    static var isTerminal: Bool { isatty(STDERR_FILENO) == 1 }

    /// Writes a text; what cannot be written is nobody's loss.
    static func write(_ text: String) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }
}

/// What the tool was asked for.
enum StandardOutput {
    /// Writes a text, all of it.
    static func write(_ text: String) throws(Failure) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else {
                throw Failure("cannot write to standard output: \(String(cString: strerror(errno)))")
            }
            rest = rest.dropFirst(count)
        }
    }
}

/// Whole files.
enum Files {
    /// The bytes of a file, or of standard input for `-`.
    static func contents(_ path: String) throws(Failure) -> [UInt8] {
        let isStandardInput = path == "-"
        let descriptor = isStandardInput ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw unreadable(path) }
        defer { if !isStandardInput { close(descriptor) } }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 18)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw unreadable(path) }
            guard count > 0 else { return bytes }
            bytes += buffer[..<count]
        }
    }

    /// A plain file's descriptor for reading; what lies in a backup may be a link, a pipe or a device.
    static func openPlain(_ path: String) throws(Failure) -> Int32 {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY)
        guard descriptor >= 0 else {
            throw Failure("\(path) cannot be opened: \(errno == ELOOP ? "it is a link" : reason(errno))")
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw Failure("\(path) is no plain file")
        }
        return descriptor
    }

    /// The bytes of a plain file that is not larger than it may be.
    static func plainContents(_ path: String, bytesMax: Int) throws(Failure) -> [UInt8] {
        let descriptor = try openPlain(path)
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_size <= bytesMax else {
            throw Failure("\(path) is too large: it has \(status.st_size) bytes, at most \(bytesMax) are read")
        }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 18)
        while bytes.count < status.st_size {
            let count = read(descriptor, &buffer, min(buffer.count, Int(status.st_size) - bytes.count))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw unreadable(path) }
            guard count > 0 else { break }
            bytes += buffer[..<count]
        }
        return bytes
    }

    /// Whether there is a directory of this path; throws when it cannot be looked at.
    static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// Whether something has this path.
    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// Where a symbolic link leads; `nil` when it cannot be read.
    static func linkTarget(_ path: String) -> String? {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX) + 16)
        let count = readlink(path, &buffer, buffer.count)
        guard count >= 0 else { return nil }
        return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Makes a new file of these bytes, durably.
    static func write(_ bytes: [UInt8], to path: String) throws(Failure) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0, fchmod(descriptor, 0o600) == 0 else {
            throw Failure("\(path) cannot be created: \(reason(errno))")
        }
        defer { close(descriptor) }
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Failure("\(path) cannot be written: \(reason(errno))") }
            rest = rest.dropFirst(count)
        }
        guard fsync(descriptor) == 0 else { throw Failure("\(path) cannot be made durable: \(reason(errno))") }
    }

    /// What a number of the system means.
    static func reason(_ number: Int32) -> String { String(cString: strerror(number)) }

    /// Makes a file's contents, or a directory's names, survive a power loss.
    static func sync(_ path: String) throws(Failure) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Failure("\(path) cannot be opened: \(reason(errno))") }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw Failure("\(path) cannot be made durable: \(reason(errno))") }
    }

    private static func unreadable(_ path: String) -> Failure {
        let name = path == "-" ? "standard input" : path
        return Failure("cannot read \(name): \(String(cString: strerror(errno)))")
    }
}
