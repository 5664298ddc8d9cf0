/// Reads all of a data file that nobody has open, without LMDB: a file that a power loss has torn can crash LMDB.
///
/// Every page of every tree is looked at: that it is what its parent says, that keys are in order, that counts agree,
/// that no page has two owners or is also free. What it cannot see is a page whose former contents are sound as well;
/// a checksum over all entries, kept by whoever stores them, does.
package enum DataFileWalk {
    /// Lends every entry of every named database, in key order, to a body.
    /// - Parameters:
    ///   - directory: The environment's directory.
    ///   - format: Whose files these are; others are refused.
    ///   - entry: Gets the database's name, the key and the value.
    /// - Throws: `LMDBError`, `damaged` when anything is wrong with the file, and what `entry` throws.
    package static func run(
        directory: String,
        format: StoreFormat,
        _ entry: (_ database: String, _ key: [UInt8], _ value: [UInt8]) throws -> Void
    ) throws {
        let file = try DataFile(path: Place(directory: directory).dataFile)
        _ = try file.status()
        _ = try file.inspect(expecting: format)
        let meta = try file.meta()
        // A file that lacks more than free pages was refused just now, so the number of pages is near its length.
        guard meta.lastPage < UInt64(Int32.max) else { throw file.damaged("it claims \(meta.lastPage) pages") }
        try Walk(file: file, meta: meta).run(entry)
    }
}

private final class Walk {
    let file: DataFile
    let meta: DataFile.Meta
    private var usedPages: [Bool]
    private var counts = Counts()

    private struct Counts: Equatable {
        var branches: UInt64 = 0
        var leaves: UInt64 = 0
        var overflow: UInt64 = 0
        var entries: UInt64 = 0
    }

    /// The keys that a page may hold, as its parents say.
    private struct Range {
        var first: [UInt8]?
        var end: [UInt8]?
    }

    private enum Order { case bytes, numbers }

    init(file: consuming DataFile, meta: DataFile.Meta) {
        self.file = file
        self.meta = meta
        usedPages = Array(repeating: false, count: Int(meta.lastPage) + 1)
        usedPages[0] = true
        if usedPages.count > 1 { usedPages[1] = true }
    }

    func run(_ entry: (String, [UInt8], [UInt8]) throws -> Void) throws {
        var databases: [(name: String, row: [UInt8])] = []
        if !meta.main.isEmpty {
            try tree(meta.main.root, meta.main.depth, .bytes) { key, value, isDatabase in
                if isDatabase { databases.append((String(decoding: key, as: UTF8.self), value)) }
            }
        }
        for (name, row) in databases { try database(name, row, entry) }
        try freeList()
    }

    /// A named database: its row in the main tree is its own root and its counts.
    private func database(
        _ name: String,
        _ row: [UInt8],
        _ entry: (String, [UInt8], [UInt8]) throws -> Void
    ) throws {
        guard row.count == 48 else { throw file.damaged("the row of database \"\(name)\" is garbage") }
        let flags = row.number(at: 4, as: UInt16.self)
        let depth = Int(row.number(at: 6, as: UInt16.self))
        let root = row.number(at: 40, as: UInt64.self)
        let announced = Counts(
            branches: row.number(at: 8, as: UInt64.self),
            leaves: row.number(at: 16, as: UInt64.self),
            overflow: row.number(at: 24, as: UInt64.self),
            entries: row.number(at: 32, as: UInt64.self)
        )
        guard flags == 0, root == .max || (1...32).contains(depth) else {
            throw file.damaged("the row of database \"\(name)\" is garbage")
        }
        counts = Counts()
        if root != .max {
            try tree(root, depth, .bytes) { key, value, isDatabase in
                guard !isDatabase else { throw file.damaged("database \"\(name)\" holds a database") }
                try entry(name, key, value)
            }
        }
        guard counts == announced else {
            throw file.damaged("database \"\(name)\" announces other pages and entries than it has")
        }
    }

    private func tree(
        _ root: UInt64,
        _ depth: Int,
        _ order: Order,
        _ entry: ([UInt8], [UInt8], Bool) throws -> Void
    ) throws {
        try visit(root, depth, order, Range(), entry)
    }

    private func visit(
        _ number: UInt64,
        _ depth: Int,
        _ order: Order,
        _ range: Range,
        _ entry: ([UInt8], [UInt8], Bool) throws -> Void
    ) throws {
        try use(number, count: 1)
        let page = try file.page(number, of: meta)
        guard page.isLeaf == (depth == 1) else {
            throw file.damaged("page \(number) is at another depth than its tree")
        }
        if page.isLeaf { counts.leaves += 1 } else { counts.branches += 1 }
        // The first key of a branch stands for everything below the second.
        let keys = page.nodes.enumerated().map { index, node in
            !page.isLeaf && index == 0 ? range.first : Array(page.key(node))
        }
        if order == .bytes { try check(keys, in: range, of: number) }
        for (index, node) in page.nodes.enumerated() {
            if page.isLeaf {
                let (value, isDatabase) = try value(node, of: page)
                counts.entries += 1
                try entry(Array(page.key(node)), value, isDatabase)
            } else {
                let end = index + 1 < keys.count ? keys[index + 1] : range.end
                try visit(page.child(node), depth - 1, order, Range(first: keys[index], end: end), entry)
            }
        }
    }

    private func check(_ keys: [[UInt8]?], in range: Range, of number: UInt64) throws(LMDBError) {
        var previous = range.first
        for (index, key) in keys.enumerated() {
            guard let key else { continue }
            let isBehind = previous.map {
                index == 0 ? !key.lexicographicallyPrecedes($0) : $0.lexicographicallyPrecedes(key)
            }
            guard isBehind ?? true, range.end.map({ key.lexicographicallyPrecedes($0) }) ?? true else {
                throw file.damaged("the keys of page \(number) are out of order")
            }
            previous = key
        }
    }

    /// A leaf node's value, and whether it is the row of a named database.
    private func value(_ node: Int, of page: DataFile.Page) throws -> ([UInt8], Bool) {
        let value = page.value(node)
        guard value.flags & ~(NodeFlags.onOverflowPages | NodeFlags.tree) == 0 else {
            throw file.damaged("a node is of a kind that is never stored")
        }
        let isDatabase = value.flags & NodeFlags.tree != 0
        guard value.flags & NodeFlags.onOverflowPages != 0 else {
            guard value.start + value.count <= page.bytes.count else { throw file.damaged("a value leaves its page") }
            return (Array(page.bytes[value.start..<value.start + value.count]), isDatabase)
        }
        guard value.start + 8 <= page.bytes.count else { throw file.damaged("a value leaves its page") }
        let first = page.bytes.number(at: value.start, as: UInt64.self)
        guard first > 1, first <= meta.lastPage, value.count < Int(meta.lastPage) * meta.pageBytes else {
            throw file.damaged("it refers to page \(first)")
        }
        let bytes = try file.read(16 + value.count, at: first * UInt64(meta.pageBytes))
        // LMDB leaves a value in pages that turn out to be more than it needs.
        let pages = Int(bytes.number(at: 12, as: UInt32.self))
        guard bytes.number(at: 0, as: UInt64.self) == first,
            bytes.number(at: 10, as: UInt16.self) & PageFlags.overflow != 0,
            pages >= (bytes.count + meta.pageBytes - 1) / meta.pageBytes
        else { throw file.damaged("page \(first) is garbage") }
        try use(first, count: pages)
        counts.overflow += UInt64(pages)
        return (Array(bytes[16...]), isDatabase)
    }

    /// Nobody else may have these pages.
    private func use(_ first: UInt64, count: Int) throws(LMDBError) {
        guard first > 1, first <= meta.lastPage, UInt64(count) <= meta.lastPage - first + 1 else {
            throw file.damaged("it refers to page \(first)")
        }
        for number in Int(first)..<Int(first) + count {
            guard !usedPages[number] else { throw file.damaged("page \(number) has two owners") }
            usedPages[number] = true
        }
    }

    /// The pages that the next commits will overwrite must not be in use.
    private func freeList() throws {
        guard !meta.free.isEmpty else { return }
        var lists: [[UInt8]] = []
        let newest = meta.transaction
        try tree(meta.free.root, meta.free.depth, .numbers) { key, value, isDatabase in
            guard !isDatabase, key.count == 8, key.number(at: 0, as: UInt64.self) <= newest else {
                throw file.damaged("its list of free pages is garbage")
            }
            lists.append(value)
        }
        for list in lists {
            guard list.count >= 8, list.number(at: 0, as: UInt64.self) <= UInt64(list.count / 8 - 1) else {
                throw file.damaged("its list of free pages is garbage")
            }
            for index in 0..<Int(list.number(at: 0, as: UInt64.self)) {
                try use(list.number(at: 8 + 8 * index, as: UInt64.self), count: 1)
            }
        }
    }
}
