internal import CBOR
internal import DurableCore
internal import DurableStore

#if SEEDED_BUGS
internal import SeededBugs
#endif

/// A collection as its cell sees it.
protocol StoredTable: AnyObject {
    /// Where its rows are; `nil` before they are first stored.
    var rows: RowSetID? { get }
    /// Forgets what it holds and stands for what is stored.
    func attach(_ header: CollectionHeader, as name: String, _ access: StateAccess) throws
    /// Adds how entries are stored.
    func describe(_ name: String, in layout: inout LayoutDescription)
    /// Stands for nothing stored any more: all that it holds is new.
    func detach()
    /// Keeps what the constructor gave it, without storing it before it changes.
    func keepAsIs()
    /// Adds what changed since the last time.
    func takeChanges(as name: String, _ access: StateAccess, into changes: inout [WriteSet.Change]) throws
    /// What was taken is committed.
    func committed()
}

/// How entries of one kind of collection are stored.
protocol EntryCoding {
    associatedtype Item
    static var kind: CollectionHeader.Kind { get }
    static func encode(_ item: Item) throws -> [UInt8]
    static func decode(_ entry: StoredEntry, _ decoder: CBORDecoder) throws -> Item
    /// Adds how entries are stored, below the collection's own line.
    static func describe(_ name: String, in layout: inout LayoutDescription)
}

/// The rows of a collection: what is stored, and over it what has changed and is not committed yet.
///
/// Entries are read when they are asked for and a bounded number of them is kept. Nothing here grows with the number
/// of stored entries.
final class EntryTable<Coding: EntryCoding>: StoredTable {
    typealias Item = Coding.Item
    typealias Key = [UInt8]

    private(set) var rows: RowSetID?
    /// How many entries there are.
    var count = 0
    /// The position of an array's first element.
    var start = CollectionHeader.middle
    private var access: StateAccess?
    /// The property's name, for messages.
    private var name = ""
    /// Changed since the last write set; `nil` is a removal.
    private var pending: [Key: Item?] = [:]
    /// In a write set that is not committed yet.
    private var taken: [Key: Item?] = [:]
    private var cache = EntryCache<Item>()
    private var isDirty = true
    /// The header as it is stored.
    private var stored: CollectionHeader?
    /// Row sets that `removeAll` has given up and that are not yet in a write set.
    private var replaced: [RowSetID] = []

    /// The entry under a key.
    func item(_ key: Key) -> Item? {
        if let changed = pending[key] ?? taken[key] { return changed }
        if let known = cache[key] { return known }
        guard let access, let rows else { return nil }
        let payload = access.read { store throws(StoreError) in try store.entry(key, of: rows) }
        let item = payload.map { access.decode(StoredEntry(key: key, payload: $0), of: name, Coding.decode) }
        cache.insert(item, under: key, bytes: key.count + (payload?.count ?? 0))
        return item
    }

    /// Whether there is an entry under a key.
    func contains(_ key: Key) -> Bool {
        if let changed = pending[key] ?? taken[key] { return changed != nil }
        if let known = cache[key] { return known != nil }
        guard let access, let rows else { return false }
        return access.read { store throws(StoreError) in try store.hasEntry(key, of: rows) }
    }

    /// Puts an entry under a key, or takes it away.
    func set(_ item: Item?, under key: Key) {
        isDirty = true
        cache.remove(key)
        if item == nil, rows == nil {
            pending[key] = nil
        } else {
            pending[key] = .some(item)
        }
    }

    /// The entry under a key, to be changed and put back: it is not kept here meanwhile, so that it has one owner and
    /// changes in place.
    func take(_ key: Key) -> Item? {
        let item = item(key)
        if pending[key] != nil { pending[key] = .some(nil) }
        cache.remove(key)
        return item
    }

    /// Empties the collection. What is stored is deleted later, a few rows at a time.
    func removeAll() {
        isDirty = true
        replaced += [rows].compactMap(\.self)
        rows = nil
        count = 0
        start = CollectionHeader.middle
        pending = [:]
        taken = [:]
        cache = EntryCache()
    }

    /// Entries in the order of their keys.
    /// - Parameters:
    ///   - start: The key to start at, itself included.
    ///   - limit: How many at most; fewer when there are no more.
    func page(from start: Key, limit: Int) -> [(key: Key, item: Item)] {
        var changed = taken
        changed.merge(pending) { $1 }
        var overlay = changed.filter { !$0.key.lexicographicallyPrecedes(start) }.sorted {
            $0.key.lexicographicallyPrecedes($1.key)
        }[...]
        var page: [(key: Key, item: Item)] = []
        var next = start
        while page.count < limit {
            let stored = storedEntries(from: next, limit: limit)
            for entry in stored {
                while let first = overlay.first, first.key.lexicographicallyPrecedes(entry.key) {
                    if let item = first.value { page.append((first.key, item)) }
                    overlay.removeFirst()
                }
                if overlay.first?.key == entry.key {
                    if let item = overlay.removeFirst().value { page.append((entry.key, item)) }
                } else if let access {
                    page.append((entry.key, access.decode(entry, of: name, Coding.decode)))
                }
                if page.count >= limit { return Array(page.prefix(limit)) }
            }
            guard stored.count == limit, let last = stored.last else { break }
            next = last.key + [0]
        }
        for (key, value) in overlay {
            if let value { page.append((key, value)) }
        }
        return Array(page.prefix(limit))
    }

    /// The entry with the largest key.
    func last() -> (key: Key, item: Item)? {
        var changed = taken
        changed.merge(pending) { $1 }
        let newest = changed.filter { $0.value != nil }.max { $0.key.lexicographicallyPrecedes($1.key) }
        guard let access, let rows,
            let stored = access.read({ store throws(StoreError) in try store.lastEntry(of: rows) })
        else { return newest.flatMap { key, item in item.map { (key, $0) } } }
        if let newest, let item = newest.value, !newest.key.lexicographicallyPrecedes(stored.key) {
            return (newest.key, item)
        }
        if changed[stored.key] == nil { return (stored.key, access.decode(stored, of: name, Coding.decode)) }
        // The last stored one is removed or changed in this turn: rare enough to look through what is before it.
        return lastByPages()
    }

    private func lastByPages() -> (key: Key, item: Item)? {
        var last: (key: Key, item: Item)?
        var start: Key = []
        while let end = page(from: start, limit: 512).last {
            last = end
            start = end.key + [0]
        }
        return last
    }

    private func storedEntries(from start: Key, limit: Int) -> [StoredEntry] {
        guard let access, let rows else { return [] }
        return access.read { store throws(StoreError) in try store.entries(from: start, of: rows, limit: limit) }
    }
}

extension EntryTable {
    func attach(_ header: CollectionHeader, as name: String, _ access: StateAccess) throws {
        guard header.kind == Coding.kind else {
            throw MalformedBytes("a collection of another kind")
        }
        removeAll()
        replaced = []
        self.access = access
        self.name = name
        rows = header.rows
        count = header.count
        start = header.start
        stored = header
        isDirty = false
    }

    func detach() {
        guard rows != nil else { return }
        // Assigned from another property: its entries are read once and become new ones.
        let all = page(from: [], limit: .max)
        let (count, start) = (count, start)
        removeAll()
        replaced = []
        self.count = count
        self.start = start
        for (key, item) in all { pending[key] = item }
    }

    func keepAsIs() { isDirty = false }

    func describe(_ name: String, in layout: inout LayoutDescription) {
        layout.add(Coding.kind, at: name)
        Coding.describe(name, in: &layout)
    }

    func takeChanges(as name: String, _ access: StateAccess, into changes: inout [WriteSet.Change]) throws {
        guard isDirty else { return }
        self.access = access
        self.name = name
        let place = rows ?? access.store.makeRows()
        for rows in replaced { changes.append(.discard(rows)) }
        // In the order of their keys, so that new rows fill pages one after the other.
        for (key, item) in pending.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            guard let item else {
                #if SEEDED_BUGS
                if SeededBug.removedEntryReturns.isActive { continue }
                #endif
                changes.append(.removeEntry(place, key: key))
                continue
            }
            changes.append(.entry(place, key: key, payload: try Coding.encode(item)))
        }
        let header = CollectionHeader(kind: Coding.kind, rows: place, count: count, start: start)
        if header != stored { changes.append(.property(name, .collection(header))) }
        stored = header
        rows = place
        replaced = []
        taken.merge(pending) { $1 }
        pending = [:]
        isDirty = false
    }

    func committed() {
        guard !taken.isEmpty else { return }
        for (key, item) in taken where pending[key] == nil {
            cache.insert(item, under: key, bytes: key.count + MemoryLayout<Item>.size)
        }
        taken = [:]
    }
}

/// The entries that were used last, about as many as have room in a fixed number of bytes: when the newer half is full
/// it becomes the older one, and the older one is forgotten.
struct EntryCache<Item> {
    private var newer: [[UInt8]: Item?] = [:]
    private var older: [[UInt8]: Item?] = [:]
    private var bytes = 0

    subscript(key: [UInt8]) -> Item?? {
        mutating get {
            if let item = newer[key] { return item }
            guard let item = older.removeValue(forKey: key) else { return nil }
            newer[key] = .some(item)
            return item
        }
    }

    mutating func insert(_ item: Item?, under key: [UInt8], bytes: Int) {
        newer[key] = .some(item)
        self.bytes += bytes + 64
        guard self.bytes > Limits.entryCacheBytes / 2 else { return }
        older = newer
        newer = [:]
        self.bytes = 0
    }

    mutating func remove(_ key: [UInt8]) {
        newer[key] = nil
        older[key] = nil
    }
}
