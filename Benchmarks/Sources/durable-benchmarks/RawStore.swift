internal import CBenchmarks
internal import DurableBench
internal import Glibc

/// LMDB by itself, in this process: entries like those of a shard, without anything around them.
struct RawStore: ~Copyable {
    private let pointer: OpaquePointer
    private let directory: String

    /// Makes an empty store.
    /// - Parameters:
    ///   - directory: Is made.
    ///   - flushes: Whether each commit waits for the disk.
    init(directory: String, flushes: Bool) throws {
        guard mkdir(directory, 0o700) == 0 else { throw BenchmarkError(directory, code: errno) }
        var opened: OpaquePointer?
        let status = benchmarks_raw_open(directory, flushes ? 1 : 0, &opened)
        guard status == 0, let opened else { throw Self.error("opening raw LMDB", status) }
        pointer = opened
        self.directory = directory
    }

    deinit { benchmarks_raw_close(pointer) }

    /// Puts entries in one transaction.
    func fill(_ keys: Range<Int>) throws {
        let status = benchmarks_raw_fill(pointer, Int64(keys.lowerBound), Int64(keys.count), Int64(StateActor.base))
        guard status == 0 else { throw Self.error("filling raw LMDB", status) }
    }

    /// Changes one entry in a transaction of its own, and returns its new value.
    func add(_ amount: Int, to key: Int) throws -> Int {
        var value: Int64 = 0
        let status = benchmarks_raw_add(pointer, Int64(amount), Int64(key), &value)
        guard status == 0 else { throw Self.error("changing an entry of raw LMDB", status) }
        return Int(value)
    }

    /// The bytes that the data file takes on disk.
    func dataBytes() throws -> Int { try fileBytes(directory + "/data.mdb") }

    private static func error(_ what: String, _ status: Int32) -> BenchmarkError {
        BenchmarkError("\(what): \(String(cString: benchmarks_raw_message(status)))")
    }
}

/// The bytes that a file takes on disk.
func fileBytes(_ path: String) throws -> Int {
    var status = stat()
    guard stat(path, &status) == 0 else { throw BenchmarkError(path, code: errno) }
    return Int(status.st_blocks) * 512
}
