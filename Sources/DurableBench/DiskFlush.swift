internal import Glibc

/// The disk's own price of durability: overwriting 4 KiB of a file and flushing it by `fdatasync`.
public struct DiskFlush: ~Copyable {
    private let descriptor: Int32
    private let page = [UInt8](repeating: 7, count: 4096)

    /// Makes the file `flush` in this directory, which should be on the disk that the actors' state is on.
    public init(directory: String) throws {
        let path = directory + "/flush"
        descriptor = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw BenchmarkError(path, code: errno) }
        // The size changes once, not while it is measured.
        try flush()
        guard fsync(descriptor) == 0 else { throw BenchmarkError(path, code: errno) }
    }

    deinit { close(descriptor) }

    /// Overwrites the page and waits for the disk.
    public func flush() throws {
        guard pwrite(descriptor, page, page.count, 0) == page.count, fdatasync(descriptor) == 0 else {
            throw BenchmarkError("writing and flushing 4 KiB", code: errno)
        }
    }
}
