internal import Glibc

/// Reads a data file without LMDB and without mapping it.
///
/// LMDB trusts its files: a truncated one is a SIGBUS, an empty one is taken for a new environment, and one of another
/// program would be written to. So nothing is handed to LMDB before this has looked at it.
struct DataFile: ~Copyable {
    let path: String
    private let descriptor: Int32

    init(path: String) throws(LMDBError) {
        self.path = path
        descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        if descriptor < 0 { throw .lastSystemError(while: "opening the data file", at: path) }
    }

    deinit {
        close(descriptor)
    }

    func status() throws(LMDBError) -> stat {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .lastSystemError(while: "reading its status", at: path) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw LMDBError(.notOurs, "\(path) is not a regular file. Choose another directory.")
        }
        return status
    }

    func length() throws(LMDBError) -> UInt64 {
        UInt64(try status().st_size)
    }

    /// Exactly `count` bytes from `offset`, or the error that says the file is damaged.
    func read(_ count: Int, at offset: UInt64) throws(LMDBError) -> [UInt8] {
        guard let position = off_t(exactly: offset) else { throw damaged("it refers to offset \(offset)") }
        var failure: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            filled = 0
            while filled < count {
                let part = pread(descriptor, buffer.baseAddress! + filled, count - filled, position + off_t(filled))
                if part < 0 && errno == EINTR { continue }
                if part < 0 { failure = errno }
                if part <= 0 { break }
                filled += part
            }
        }
        guard failure == 0 else { throw LMDBError(status: failure, while: "reading the data file", at: path) }
        guard bytes.count == count else { throw damaged("it ends within the \(count) bytes at offset \(offset)") }
        return bytes
    }

    func damaged(_ how: String) -> LMDBError {
        LMDBError(.damaged, "\(path) is damaged: \(how). Nothing was changed; keep the file and restore from a copy.")
    }
}

extension DataFile {
    /// What the newer of the two meta pages says.
    struct Meta {
        var pageBytes: Int
        var free: Tree
        var main: Tree
        var lastPage: UInt64
        var transaction: UInt64
        /// The page's header and record as they are.
        var bytes: [UInt8]
    }

    /// The root of a B+tree within the file, and what LMDB counts of the tree.
    struct Tree {
        static let recordBytes = 48

        var flags: UInt16
        var depth: Int
        var branchPages: UInt64
        var leafPages: UInt64
        var overflowPages: UInt64
        var entries: UInt64
        var root: UInt64

        var isEmpty: Bool { root == UInt64.max }

        /// Reads LMDB's record of a tree: pad 4, flags 2, depth 2, four counts of 8, root 8.
        init(_ bytes: [UInt8], at offset: Int) {
            flags = bytes.number(at: offset + 4, as: UInt16.self)
            depth = Int(bytes.number(at: offset + 6, as: UInt16.self))
            branchPages = bytes.number(at: offset + 8, as: UInt64.self)
            leafPages = bytes.number(at: offset + 16, as: UInt64.self)
            overflowPages = bytes.number(at: offset + 24, as: UInt64.self)
            entries = bytes.number(at: offset + 32, as: UInt64.self)
            root = bytes.number(at: offset + 40, as: UInt64.self)
        }
    }

    static let metaBytes = 152

    /// Both meta pages must be sound: LMDB refuses the file otherwise.
    func meta() throws(LMDBError) -> Meta {
        let (first, second) = try metas()
        let newer = second.transaction > first.transaction ? second : first
        // The older one may point anywhere: after a failed commit LMDB leaves the new roots in it, under its old number.
        for tree in [newer.free, newer.main] where !tree.isEmpty {
            guard tree.root > 1, tree.root <= newer.lastPage, (1...32).contains(tree.depth) else {
                throw damaged("a meta page points outside of the file")
            }
        }
        return newer
    }

    /// Both meta pages.
    func metas() throws(LMDBError) -> (first: Meta, second: Meta) {
        if try length() == 0 { throw damaged("it is empty") }
        let first = try meta(at: 0)
        let second = try meta(at: UInt64(first.pageBytes))
        if first.pageBytes != second.pageBytes { throw damaged("its meta pages disagree on the page size") }
        return (first, second)
    }

    /// Meta pages have no checksum, but transactions write them in turn: an old one that got a greater number would
    /// bring an old state back, and LMDB would not notice.
    func checkTurn() throws(LMDBError) {
        var (first, second) = try metas()
        // Another process may commit between the two reads, so a fault counts only if the pages stood still.
        for _ in 0..<Self.turnAttemptsMax where !Self.areInTurn(first, second) {
            let seen = (first.transaction, second.transaction)
            (first, second) = try metas()
            if (first.transaction, second.transaction) == seen {
                throw damaged("its meta pages have numbers \(seen.0) and \(seen.1)")
            }
        }
    }

    private static let turnAttemptsMax = 64

    /// Whether two meta pages were written by transactions that followed each other.
    static func areInTurn(_ first: Meta, _ second: Meta) -> Bool {
        let (low, high) = (min(first.transaction, second.transaction), max(first.transaction, second.transaction))
        return high == 0 || (high - low == 1 && first.transaction & 1 == 0)
    }

    private func meta(at offset: UInt64) throws(LMDBError) -> Meta {
        let bytes = try read(Self.metaBytes, at: offset)
        // Page header: number 8, pad 2, flags 2, space 4. Then magic 4, version 4, address 8, map size 8, two trees of
        // 48 bytes (pad 4, flags 2, depth 2, four counts of 8, root 8), last page 8, transaction 8.
        guard bytes.number(at: 10, as: UInt16.self) & PageFlags.meta != 0 else {
            throw damaged("a meta page is garbage")
        }
        guard bytes.number(at: 16, as: UInt32.self) == 0xBEEF_C0DE else {
            throw damaged("a meta page has no magic number")
        }
        let version = bytes.number(at: 20, as: UInt32.self)
        guard version == 1 else {
            throw LMDBError(.versionMismatch, "\(path) has LMDB data version \(version); this program reads version 1.")
        }
        let pageBytes = Int(bytes.number(at: 40, as: UInt32.self))
        guard (512...65536).contains(pageBytes), pageBytes & (pageBytes - 1) == 0 else {
            throw damaged("a meta page claims pages of \(pageBytes) bytes")
        }
        return Meta(
            pageBytes: pageBytes,
            free: Tree(bytes, at: 40),
            main: Tree(bytes, at: 88),
            lastPage: bytes.number(at: 136, as: UInt64.self),
            transaction: bytes.number(at: 144, as: UInt64.self),
            bytes: bytes
        )
    }
}

enum PageFlags {
    static let branch: UInt16 = 0x01
    static let leaf: UInt16 = 0x02
    static let overflow: UInt16 = 0x04
    static let meta: UInt16 = 0x08
}

extension [UInt8] {
    /// An integer in the machine's own byte order, as LMDB writes it. The caller has checked the bounds.
    func number<Number: FixedWidthInteger & BitwiseCopyable>(at offset: Int, as type: Number.Type) -> Number {
        withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: type) }
    }
}
