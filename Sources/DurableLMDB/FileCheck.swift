/// Follows every page of a view: each tree, each value, the list of free pages. Collects what is wrong and goes on.
///
/// A sound file uses each of its pages for exactly one thing, and counts what it has.
package struct FileCheck {
    /// What a page is used for.
    private enum Use: UInt8 { case nothing, meta, tree, value, free }

    /// What the branches and leaves of a tree add up to.
    private struct Count: Equatable {
        var branch: UInt64 = 0
        var leaf: UInt64 = 0
        var overflow: UInt64 = 0
        var entries: UInt64 = 0
    }

    /// Where in a tree a page is: what it must lie between.
    private struct Span {
        var level: Int
        var from: ArraySlice<UInt8>?
        var to: ArraySlice<UInt8>?
    }

    private typealias Row = (_ key: ArraySlice<UInt8>, _ value: ArraySlice<UInt8>, _ flags: UInt16) -> Void

    /// What is wrong, one sentence each.
    package private(set) var faults: [String] = []
    /// The names of the databases in the file, in order.
    package private(set) var databases: [String] = []
    /// Pages that hold something.
    package private(set) var pagesUsed: UInt64 = 2
    /// Pages that later commits can use.
    package private(set) var pagesFree: UInt64 = 0

    private let view: FileView
    private let sink: ((_ page: UInt64, _ bytes: [UInt8]) throws(LMDBError) -> Void)?
    private var uses: [Use]
    private var trees: [String: DataFile.Tree] = [:]
    private var sinkFailure: LMDBError?

    private static let integerKeys: UInt16 = 0x08
    private static let faultsMax = 100

    package init(_ view: FileView) { self.init(view, sink: nil) }

    /// - Parameter sink: Gets every page that is not free, once.
    init(_ view: FileView, sink: ((_ page: UInt64, _ bytes: [UInt8]) throws(LMDBError) -> Void)?) {
        self.view = view
        self.sink = sink
        let count = Int(clamping: min(view.meta.lastPage, Self.pagesMax)) + 1
        uses = Array(repeating: .nothing, count: max(count, 2))
        uses[0] = .meta
        uses[1] = .meta
        faults = view.metaFaults
        guard view.meta.lastPage <= Self.pagesMax else {
            note("a meta page claims \(view.meta.lastPage) pages")
            return
        }
        walkMain()
    }

    /// More pages than a file of 64 TiB has.
    private static let pagesMax: UInt64 = 1 << 34

    /// Walks through a database and lends its entries in order; does nothing when there is none of this name.
    package mutating func rows(
        of database: String,
        _ body: (_ key: ArraySlice<UInt8>, _ value: ArraySlice<UInt8>) -> Void
    ) {
        guard let tree = trees.removeValue(forKey: database) else { return }
        walk(tree, "database \"\(database)\"") { key, value, flags in
            if flags == 0 { body(key, value) }
        }
    }

    /// Walks through what was not asked for, and the free pages; then no page may be left over.
    package mutating func finish() {
        for name in trees.keys.sorted() { rows(of: name) { _, _ in } }
        walkFree()
        // With pages that cannot be read, what they lead to is not accounted for either.
        guard faults.isEmpty, let lost = uses.firstIndex(of: .nothing) else { return }
        let count = uses.count { $0 == .nothing }
        note("\(count) pages belong to nothing, the first is page \(lost)")
    }

    /// Throws what the sink threw.
    func throwSinkFailure() throws(LMDBError) {
        if let sinkFailure { throw sinkFailure }
    }

    private mutating func walkMain() {
        if view.meta.main.flags != 0 { note("the list of databases has flags \(view.meta.main.flags)") }
        var found: [(String, DataFile.Tree)] = []
        var odd: [String] = []
        walk(view.meta.main, "the list of databases") { key, value, flags in
            if flags == NodeFlags.tree, value.count == DataFile.Tree.recordBytes {
                found.append((String(decoding: key, as: UTF8.self), DataFile.Tree(Array(value), at: 0)))
            } else if flags != 0 || Array(key) != FormatMarker.key {
                odd.append(String(decoding: key, as: UTF8.self))
            }
        }
        for name in odd { note("the list of databases has an entry \"\(name)\" that is none") }
        for (name, tree) in found {
            databases.append(name)
            trees[name] = tree
            if tree.flags != 0 { note("database \"\(name)\" has flags \(tree.flags)") }
        }
    }

    private mutating func walkFree() {
        if view.meta.free.flags != Self.integerKeys {
            note("the list of free pages has flags \(view.meta.free.flags)")
        }
        var lists: [[UInt8]] = []
        walk(view.meta.free, "the list of free pages", hasIntegerKeys: true) { _, value, _ in
            lists.append(Array(value))
        }
        for list in lists {
            guard list.count >= 8, list.number(at: 0, as: UInt64.self) <= UInt64(list.count / 8 - 1) else {
                note("the list of free pages has a part that is none")
                continue
            }
            for index in 0..<Int(list.number(at: 0, as: UInt64.self)) {
                if claim(list.number(at: 8 + 8 * index, as: UInt64.self), 1, .free, "the list of free pages") {
                    pagesFree += 1
                }
            }
        }
    }

    private mutating func walk(
        _ tree: DataFile.Tree,
        _ name: String,
        hasIntegerKeys: Bool = false,
        _ row: Row
    ) {
        var count = Count()
        if !tree.isEmpty {
            guard (1...32).contains(tree.depth) else { return note("\(name) has depth \(tree.depth)") }
            let faultsBefore = faults.count
            visit(tree.root, Span(level: tree.depth), name, hasIntegerKeys, &count, row)
            guard faults.count == faultsBefore else { return }
        }
        let stated = Count(
            branch: tree.branchPages,
            leaf: tree.leafPages,
            overflow: tree.overflowPages,
            entries: tree.entries
        )
        if stated != count {
            note("\(name) has \(count.entries) entries on other pages than it says (\(stated.entries) entries)")
        }
    }

    private mutating func visit(
        _ number: UInt64,
        _ span: Span,
        _ name: String,
        _ hasIntegerKeys: Bool,
        _ count: inout Count,
        _ row: Row
    ) {
        guard claim(number, 1, .tree, name) else { return }
        let page: DataFile.Page
        do throws(LMDBError) {
            page = try view.data.page(number, of: view.meta)
        } catch {
            return note("\(name): \(error.message)")
        }
        let kind = page.bytes.number(at: 10, as: UInt16.self)
        guard kind == (span.level == 1 ? PageFlags.leaf : PageFlags.branch) else {
            return note(
                "\(name): page \(number) is of kind \(kind), which is not expected \(span.level) above the leaves"
            )
        }
        give(number, page.bytes)
        checkOrder(page, number, span, name, hasIntegerKeys)
        if page.isLeaf {
            count.leaf += 1
            count.entries += UInt64(page.nodes.count)
            for node in page.nodes { visitLeaf(node, page, number, name, &count, row) }
            return
        }
        count.branch += 1
        for (index, node) in page.nodes.enumerated() {
            let from = index == 0 ? span.from : page.key(node)
            let to = index + 1 < page.nodes.count ? page.key(page.nodes[index + 1]) : span.to
            visit(page.child(node), Span(level: span.level - 1, from: from, to: to), name, hasIntegerKeys, &count, row)
        }
    }

    private mutating func visitLeaf(
        _ node: Int,
        _ page: DataFile.Page,
        _ number: UInt64,
        _ name: String,
        _ count: inout Count,
        _ row: Row
    ) {
        let (length, flags, start) = page.value(node)
        switch flags {
        case 0, NodeFlags.tree:
            guard start + length <= page.bytes.count else { return note("\(name): a value leaves page \(number)") }
            row(page.key(node), page.bytes[start..<start + length], flags)
        case NodeFlags.onOverflowPages:
            guard start + 8 <= page.bytes.count else { return note("\(name): a value leaves page \(number)") }
            let first = page.bytes.number(at: start, as: UInt64.self)
            guard let value = overflow(first, length, name, &count) else { return }
            row(page.key(node), value, 0)
        default:
            note("\(name): an entry of page \(number) has flags \(flags)")
        }
    }

    /// A value on pages of its own.
    private mutating func overflow(
        _ first: UInt64,
        _ length: Int,
        _ name: String,
        _ count: inout Count
    ) -> ArraySlice<UInt8>? {
        let size = view.meta.pageBytes
        let pages = (16 + length + size - 1) / size
        guard claim(first, UInt64(pages), .value, name) else { return nil }
        do throws(LMDBError) {
            let bytes = try view.data.read(pages * size, at: first * UInt64(size))
            let isSound =
                bytes.number(at: 0, as: UInt64.self) == first
                && bytes.number(at: 10, as: UInt16.self) == PageFlags.overflow
                && bytes.number(at: 12, as: UInt32.self) == UInt32(pages)
            guard isSound else {
                note("\(name): page \(first) does not begin a value of \(length) bytes")
                return nil
            }
            count.overflow += UInt64(pages)
            give(first, bytes)
            return bytes[16..<16 + length]
        } catch {
            note("\(name): \(error.message)")
            return nil
        }
    }

    /// Keys grow, and stay within what the pages above say.
    private mutating func checkOrder(
        _ page: DataFile.Page,
        _ number: UInt64,
        _ span: Span,
        _ name: String,
        _ hasIntegerKeys: Bool
    ) {
        // A branch's first key is never looked at.
        let keys = page.nodes.dropFirst(page.isLeaf ? 0 : 1).map { page.key($0) }
        if page.isLeaf || page.nodes.count > 1, keys.contains(where: { !(1...511).contains($0.count) }) {
            return note("\(name): page \(number) has a key that is empty or too long")
        }
        if hasIntegerKeys, keys.contains(where: { $0.count != 8 }) {
            return note("\(name): page \(number) has a key that is no number")
        }
        func isLess(_ one: ArraySlice<UInt8>, _ other: ArraySlice<UInt8>) -> Bool {
            hasIntegerKeys
                ? one.reversed().lexicographicallyPrecedes(other.reversed()) : one.lexicographicallyPrecedes(other)
        }
        var isSound = zip(keys, keys.dropFirst()).allSatisfy(isLess)
        if let first = keys.first, let from = span.from, isLess(first, from) { isSound = false }
        if let last = keys.last, let to = span.to, !isLess(last, to) { isSound = false }
        if !isSound { note("\(name): the keys of page \(number) are not in order") }
    }

    private mutating func claim(_ first: UInt64, _ count: UInt64, _ use: Use, _ name: String) -> Bool {
        let last = first.addingReportingOverflow(count - 1)
        guard first > 1, !last.overflow, last.partialValue < UInt64(uses.count) else {
            note("\(name) refers to page \(first) of \(uses.count)")
            return false
        }
        for number in Int(first)...Int(last.partialValue) {
            guard uses[number] == .nothing else {
                note("\(name) uses page \(number), which is in use already")
                return false
            }
            uses[number] = use
        }
        if use != .free { pagesUsed += count }
        return true
    }

    private mutating func give(_ page: UInt64, _ bytes: [UInt8]) {
        guard let sink, sinkFailure == nil else { return }
        do throws(LMDBError) { try sink(page, bytes) } catch { sinkFailure = error }
    }

    private mutating func note(_ what: String) {
        if faults.count < Self.faultsMax { faults.append(what) }
    }
}
