internal import Glibc

/// The few file operations that a shard needs beside its environment.
enum ShardFiles {
    /// The text of a small file; `nil` when there is none.
    static func text(of path: String) throws(StoreError) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw failure("reading", path)
        }
        defer { close(descriptor) }
        var isRead = false
        let text = String(unsafeUninitializedCapacity: 16 << 10) { bytes in
            let count = Glibc.read(descriptor, bytes.baseAddress, bytes.count)
            isRead = count >= 0
            return max(count, 0)
        }
        guard isRead else { throw failure("reading", path) }
        return text
    }

    /// Writes a small file so that it is there whole or not at all, and survives a power loss when this returns.
    static func write(_ text: String, to path: String, in directory: String) throws(StoreError) {
        let temporary = path + ".creating"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw failure("creating", temporary) }
        let bytes = Array(text.utf8)
        let isWritten =
            fchmod(descriptor, 0o600) == 0 && Glibc.write(descriptor, bytes, bytes.count) == bytes.count
            && fsync(descriptor) == 0
        let error = errno
        close(descriptor)
        guard isWritten else {
            unlink(temporary)
            errno = error
            throw failure("writing", temporary)
        }
        guard rename(temporary, path) == 0 else { throw failure("moving", temporary) }
        try syncDirectory(directory)
    }

    /// Removes a file, so that it stays away after a power loss. What is gone already is no error.
    static func remove(_ path: String, in directory: String) throws(StoreError) {
        guard unlink(path) == 0 || errno == ENOENT else { throw failure("removing", path) }
        try syncDirectory(directory)
    }

    /// Copies a file's bytes to a new one, durably. The target's name is only for files in the making.
    static func copy(_ source: String, to target: String) throws(StoreError) {
        let input = open(source, O_RDONLY | O_CLOEXEC)
        guard input >= 0 else { throw failure("reading", source) }
        defer { close(input) }
        let output = open(target, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard output >= 0 else { throw failure("creating", target) }
        defer { close(output) }
        guard fchmod(output, 0o600) == 0 else { throw failure("setting the mode of", target) }
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = read(input, &buffer, buffer.count)
            guard count >= 0 else { throw failure("reading", source) }
            guard count > 0 else { break }
            var written = 0
            while written < count {
                let part = buffer.withUnsafeBytes { Glibc.write(output, $0.baseAddress! + written, count - written) }
                guard part > 0 else { throw failure("writing", target) }
                written += part
            }
        }
        guard fsync(output) == 0 else { throw failure("syncing", target) }
    }

    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// Whether two paths lead to one file.
    static func areSame(_ one: String, _ other: String) -> Bool {
        var (first, second) = (stat(), stat())
        guard stat(one, &first) == 0, stat(other, &second) == 0 else { return false }
        return first.st_ino == second.st_ino && first.st_dev == second.st_dev
    }

    /// When a file was last written, in seconds since 1970; `nil` when it cannot be looked at.
    static func writeTime(of path: String) -> Int? {
        var status = stat()
        return stat(path, &status) == 0 ? status.st_mtim.tv_sec : nil
    }

    /// The names in a directory; none when it cannot be read.
    static func names(in path: String) -> [String] {
        guard let stream = opendir(path) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    static func syncDirectory(_ path: String) throws(StoreError) {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("opening", path) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw failure("syncing", path) }
    }

    /// Runs a body while no other process does so for this directory.
    static func alone<Result>(in path: String, _ body: () throws(StoreError) -> Result) throws(StoreError) -> Result {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("opening", path) }
        // Closing it ends the lock.
        defer { close(descriptor) }
        while flock(descriptor, LOCK_EX) != 0 {
            guard errno == EINTR else { throw failure("locking", path) }
        }
        return try body()
    }

    static func failure(_ what: String, _ path: String) -> StoreError {
        let number = errno
        let code: StoreError.Code = [ENOSPC, EDQUOT, EFBIG].contains(number) ? .full : .failed
        return StoreError(code, "\(what) \(path): \(String(cString: strerror(number)))")
    }
}

/// A time of the wall clock for people.
enum FileTime {
    /// The second in UTC.
    static func text(seconds: Int) -> String {
        var seconds = time_t(seconds)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        var buffer = [CChar](repeating: 0, count: 32)
        let count = strftime(&buffer, buffer.count, "%Y-%m-%d %H:%M:%S UTC", &parts)
        return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Seconds since 1970.
    static var now: Int {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return time.tv_sec
    }
}
