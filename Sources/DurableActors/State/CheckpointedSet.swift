internal import CBOR
internal import DurableCore
internal import DurableStore

/// A set of which only the touched members are stored and loaded; for state that grows.
///
/// See ``CheckpointedDictionary`` for the order of its members and for what it costs.
public final class CheckpointedSet<Element: Codable & Equatable>: CheckpointedCollection, ExpressibleByArrayLiteral {
    let table = EntryTable<SetCoding<Element>>()

    /// Makes an empty set.
    public init() {}

    /// Makes a set of these members.
    public init(arrayLiteral members: Element...) { formUnion(members) }

    /// Makes a set of these members.
    public init(_ members: some Sequence<Element>) { formUnion(members) }

    /// For the framework only.
    public var storage: CollectionStorage { CollectionStorage(table: table) }

    /// How many members there are. Known without looking at them.
    public var count: Int { table.count }

    /// Whether there are no members.
    public var isEmpty: Bool { table.count == 0 }

    /// Whether this is a member.
    public func contains(_ member: Element) -> Bool {
        let row = RowKey.of(member)
        guard OrderedKey.isCut(row) else { return table.contains(row) }
        guard let found = table.item(row) else { return false }
        RowKey.check(found == member, row)
        return true
    }

    /// Adds a member. Returns whether it was new.
    @discardableResult
    public func insert(_ member: Element) -> Bool {
        guard !contains(member) else { return false }
        table.count += 1
        table.set(member, under: RowKey.of(member))
        return true
    }

    /// Takes a member away and returns it.
    @discardableResult
    public func remove(_ member: Element) -> Element? {
        guard contains(member) else { return nil }
        table.count -= 1
        let row = RowKey.of(member)
        defer { table.set(nil, under: row) }
        return table.item(row)
    }

    /// Adds members.
    public func formUnion(_ members: some Sequence<Element>) {
        for member in members { insert(member) }
    }

    /// Takes members away.
    public func subtract(_ members: some Sequence<Element>) {
        for member in members { remove(member) }
    }

    /// Takes all members away, at the cost of one change.
    public func removeAll() { table.removeAll() }

    /// The smallest member.
    public var first: Element? { table.page(from: [], limit: 1).first?.item }

    /// The largest member.
    public var last: Element? { table.last()?.item }
}

extension CheckpointedSet: Sequence {
    /// Walks through the members in order, loading some at a time.
    public func makeIterator() -> AnyIterator<Element> { AnyIterator(EntryIterator(table, from: [])) }

    /// How many members there are.
    public var underestimatedCount: Int { count }
}

extension CheckpointedSet where Element: Comparable {
    /// The members from one on, in order; only what is walked through is loaded.
    public func elements(from lower: Element) -> some Sequence<Element> {
        IteratorSequence(EntryIterator(table, from: RowKey.of(lower)))
    }

    /// The members in a range, in order.
    public func elements(in range: Range<Element>) -> some Sequence<Element> {
        let end = RowKey.of(range.upperBound)
        return IteratorSequence(EntryIterator(table, from: RowKey.of(range.lowerBound), before: end))
    }
}

/// A member of a set.
enum SetCoding<Element: Codable>: EntryCoding {
    static var kind: CollectionHeader.Kind { .set }
    static func encode(_ item: Element) throws -> [UInt8] { try CBOREncoder().encode(item) }
    static func decode(_ entry: StoredEntry, _ decoder: CBORDecoder) throws -> Element {
        try decoder.decode(Element.self, from: entry.payload)
    }

    static func describe(_ name: String, in layout: inout LayoutDescription) {
        layout.add(Element.self, at: "\(name)[member]")
    }
}
