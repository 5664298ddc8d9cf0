internal import Glibc
internal import Synchronization

/// The file that collects a child's standard error, cut back to its newest part from time to time.
///
/// Nothing limits the child between two trims: the file holds at most `bytesMax` plus what was written since the last
/// one, so whoever owns it trims on a timer. A trim keeps the child's descriptor valid, because the child appends.
/// What the child writes in the few microseconds between a trim's last look and its truncation is lost, and so is
/// what it writes faster than the trim can copy.
package final class StderrFile: Sendable {
    /// Where the file was opened.
    package let path: String
    /// The descriptor for the child's standard error, owned by the file. It only appends.
    package let descriptor: Int32
    // A write at a position through a descriptor opened with O_APPEND would land at the end, so trimming has its own.
    private let editing: Int32
    private let trimming = Mutex<Void>(())

    /// Opens the file, creates it if needed and keeps what it holds. Its mode becomes 0600.
    package init(path: String) throws(ProcessError) {
        let common = O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK
        let appending = open(path, O_WRONLY | O_APPEND | O_CREAT | common, 0o600)
        guard appending >= 0 else { throw ProcessError(attempt: "open \(path)", errno: errno) }
        var status = stat()
        guard fstat(appending, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(appending)
            throw ProcessError(code: .invalidConfiguration, message: "\(path) is not a regular file")
        }
        // Through /proc, so that both descriptors are one file whatever happens to the path meanwhile.
        let editing = open("/proc/self/fd/\(appending)", O_RDWR | O_CLOEXEC)
        guard editing >= 0, fchmod(appending, 0o600) == 0 else {
            let error = ProcessError(attempt: "prepare \(path)", errno: errno)
            close(appending)
            if editing >= 0 { close(editing) }
            throw error
        }
        self.path = path
        self.descriptor = appending
        self.editing = editing
    }

    deinit {
        close(descriptor)
        close(editing)
    }

    /// How many bytes the file holds now.
    package var byteCount: Int {
        var status = stat()
        return fstat(editing, &status) == 0 ? Int(status.st_size) : 0
    }

    /// Cuts the file back to its newest `bytesMax` bytes, in place. Does nothing to a shorter file.
    package func trim(bytesMax: Int) throws(ProcessError) {
        precondition(bytesMax >= 0, "a file cannot be cut back to less than nothing")
        try trimming.withLock { (_: inout sending Void) throws(ProcessError) in
            let size = byteCount
            guard size > bytesMax else { return }
            var target = 0
            var source = size - bytesMax
            // The source stays ahead of the target, so a chunk never overwrites what is still to be copied. The end is
            // found by reading, not by size: what the child appends meanwhile is newest and copied too. The bound
            // keeps a child that writes faster than this copies from holding the caller.
            while source < size + bytesMax {
                let chunk = try read(at: source, bytesMax: Self.chunkBytes)
                if chunk.isEmpty { break }
                try write(chunk, at: target)
                source += chunk.count
                target += chunk.count
            }
            guard ftruncate(editing, off_t(target)) == 0 else {
                throw ProcessError(attempt: "truncate \(path)", errno: errno)
            }
        }
    }

    /// The newest part of the file as text; what is not UTF-8 is replaced, as is a character cut at the start.
    package func tail(bytesMax: Int) throws(ProcessError) -> String {
        let count = min(byteCount, max(0, bytesMax))
        var bytes: [UInt8] = []
        var position = byteCount - count
        while bytes.count < count {
            let chunk = try read(at: position, bytesMax: count - bytes.count)
            if chunk.isEmpty { break }
            bytes += chunk
            position += chunk.count
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static let chunkBytes = 64 * 1024

    private func read(at offset: Int, bytesMax: Int) throws(ProcessError) -> [UInt8] {
        var failure: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: bytesMax) { buffer, count in
            var result = pread(editing, buffer.baseAddress, bytesMax, off_t(offset))
            while result < 0 && errno == EINTR { result = pread(editing, buffer.baseAddress, bytesMax, off_t(offset)) }
            if result < 0 { failure = errno }
            count = max(0, result)
        }
        guard failure == 0 else { throw ProcessError(attempt: "read \(path)", errno: failure) }
        return bytes
    }

    private func write(_ bytes: [UInt8], at offset: Int) throws(ProcessError) {
        var done = 0
        while done < bytes.count {
            let result = bytes.withUnsafeBytes { buffer in
                pwrite(editing, buffer.baseAddress.map { $0 + done }, buffer.count - done, off_t(offset + done))
            }
            if result < 0 && errno == EINTR { continue }
            guard result > 0 else { throw ProcessError(attempt: "write \(path)", errno: errno) }
            done += result
        }
    }
}
