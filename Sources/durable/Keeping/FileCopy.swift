internal import DurableCore
internal import Glibc

/// Whole files, measured and copied in parts. Parts of zeros become holes.
enum FileCopy {
    private static let partBytes = 1 << 20

    /// The length and checksum of a file; with a target, of what was copied there, durably.
    /// - Throws: When it cannot be read or written, is no plain file, or has more bytes than it should.
    static func run(
        _ source: String,
        to target: String? = nil,
        bytesMax: UInt64
    ) throws(Failure) -> (bytes: UInt64, checksum: UInt32) {
        let input = try Files.openPlain(source)
        defer { close(input) }
        var output: Int32 = -1
        if let target {
            output = open(target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
            guard output >= 0, fchmod(output, 0o600) == 0 else {
                throw Failure("\(target) cannot be created: \(Files.reason(errno))")
            }
        }
        defer { if output >= 0 { close(output) } }
        var checksum: UInt32 = 0
        var bytes: UInt64 = 0
        var buffer = [UInt8](repeating: 0, count: partBytes)
        while true {
            let count = read(input, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Failure("\(source) cannot be read: \(Files.reason(errno))") }
            if count == 0 { break }
            guard UInt64(count) <= bytesMax - bytes else {
                throw Failure("\(source) is not what was backed up: it has more than \(bytesMax) bytes")
            }
            checksum = CRC32C.checksum(buffer[..<count], after: checksum)
            if output >= 0, let target { try write(buffer[..<count], to: output, at: bytes, target) }
            bytes += UInt64(count)
        }
        if output >= 0, let target {
            guard ftruncate(output, off_t(bytes)) == 0, fsync(output) == 0 else {
                throw Failure("\(target) cannot be made durable: \(Files.reason(errno))")
            }
        }
        return (bytes, checksum)
    }

    private static func write(_ part: ArraySlice<UInt8>, to output: Int32, at offset: UInt64, _ path: String)
        throws(Failure)
    {
        guard part.contains(where: { $0 != 0 }) else { return }
        var (rest, position) = (part, off_t(offset))
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { pwrite(output, $0.baseAddress, $0.count, position) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Failure("\(path) cannot be written: \(Files.reason(errno))") }
            rest = rest.dropFirst(count)
            position += off_t(count)
        }
    }
}
