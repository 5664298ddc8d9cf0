import Glibc
import Synchronization

/// What processes did to the files of a directory, in order.
struct WriteTrace {
    struct Record {
        var kind: Kind
        var file: UInt64
        var number: UInt64
        /// Where its bytes are.
        var bytes: Range<Int>
    }

    enum Kind: UInt32 {
        case write = 1, syncedWrite, truncate, syncBegin, syncEnd, create, mkdir, link, rename, unlink
        /// A caller got an answer: actor and count.
        case acknowledged
        /// The actor is about to be ended for good.
        case ending
        /// Where everything is: the inode's number of the directory.
        case root
    }

    let bytes: [UInt8]
    private(set) var records: [Record] = []

    init(path: String) throws {
        guard let bytes = SmallFile.bytes(path) else { throw LaneError("\(path) cannot be read") }
        self.bytes = bytes
        var start = 0
        while start + 24 <= bytes.count {
            let (kind, length, file, number) = bytes.withUnsafeBytes {
                (
                    $0.loadUnaligned(fromByteOffset: start, as: UInt32.self),
                    Int($0.loadUnaligned(fromByteOffset: start + 4, as: UInt32.self)),
                    $0.loadUnaligned(fromByteOffset: start + 8, as: UInt64.self),
                    $0.loadUnaligned(fromByteOffset: start + 16, as: UInt64.self)
                )
            }
            guard let known = Kind(rawValue: kind), start + 24 + length <= bytes.count else {
                throw LaneError("\(path) has garbage at \(start)")
            }
            records.append(Record(kind: known, file: file, number: number, bytes: start + 24..<start + 24 + length))
            start += 24 + length
        }
    }

    func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }

    /// Adds a record of the lane's own.
    static func append(_ kind: Kind, _ file: UInt64, _ number: UInt64, to path: String) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        precondition(descriptor >= 0, "\(path) cannot be written")
        defer { close(descriptor) }
        var record = (kind.rawValue, UInt32(0), file, number)
        precondition(write(descriptor, &record, 24) == 24, "\(path) cannot be written")
    }
}

/// A page of memory that processes share by a file.
// SAFETY: only atomic-sized fields are read and written, and a late value harms nobody.
final class SharedNumbers: @unchecked Sendable {
    private let numbers: UnsafeMutablePointer<Int64>
    private let lock = Mutex<Void>(())

    static let count = 512

    init(path: String) throws {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0, ftruncate(descriptor, 4096) == 0,
            let page = mmap(nil, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0), page != MAP_FAILED
        else { throw LaneError("\(path): \(String(cString: strerror(errno)))") }
        close(descriptor)
        numbers = page.bindMemory(to: Int64.self, capacity: Self.count)
    }

    /// Adds to one, also while other threads of this process do.
    func add(_ index: Int, _ number: Int) { lock.withLock { _ in numbers[index] += Int64(number) } }

    subscript(_ index: Int) -> Int {
        get { Int(numbers[index]) }
        set { numbers[index] = Int64(newValue) }
    }
}

extension SmallFile {
    /// Makes a directory with one file.
    static func write(_ bytes: Bytes, to name: String, in directory: String) throws {
        mkdir(directory, 0o700)
        let descriptor = open("\(directory)/\(name)", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        defer { close(descriptor) }
        guard descriptor >= 0, pwrite(descriptor, bytes.start, bytes.count, 0) == bytes.count else {
            throw LaneError("\(directory)/\(name) cannot be written")
        }
    }
}
