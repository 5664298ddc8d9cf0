internal import CBOR
internal import DurableCore
internal import DurableStore

/// A dictionary of which only the touched entries are stored and loaded; for state that grows.
///
/// Used as a ``Checkpointed`` property. It is a reference to stored rows and stays within its actor: copy entries out
/// of it to pass them on. Its entries are in the order of their keys: numbers by value, strings by Unicode scalars,
/// structs by their properties in the order in which they encode them, enums by their cases' names.
///
/// A change costs the same in a dictionary of one entry and of ten million, and so does the start of the actor. The
/// entries used last are kept in memory, about a megabyte of them.
public final class CheckpointedDictionary<Key: Codable & Equatable, Value: Codable>: CheckpointedCollection,
    ExpressibleByDictionaryLiteral
{
    /// A key and its value.
    public typealias Element = (key: Key, value: Value)

    let table = EntryTable<DictionaryCoding<Key, Value>>()

    /// Makes an empty dictionary.
    public init() {}

    /// Makes a dictionary of these entries; of two with one key, the last counts.
    public init(dictionaryLiteral elements: (Key, Value)...) {
        for (key, value) in elements { self[key] = value }
    }

    /// Makes a dictionary of these entries.
    public init(_ entries: some Sequence<(key: Key, value: Value)>) {
        for (key, value) in entries { self[key] = value }
    }

    /// For the framework only.
    public var storage: CollectionStorage { CollectionStorage(table: table) }

    /// How many entries there are. Known without looking at them.
    public var count: Int { table.count }

    /// Whether there are no entries.
    public var isEmpty: Bool { table.count == 0 }

    /// The value of a key; `nil` takes the entry away.
    public subscript(key: Key) -> Value? {
        get { entry(key, RowKey.of(key))?.value }
        set {
            let row = RowKey.of(key)
            let before = exists(key, row)
            if newValue == nil, !before { return }
            table.count += (newValue == nil ? 0 : 1) - (before ? 1 : 0)
            table.set(newValue.map { (key, $0) }, under: row)
        }
        _modify {
            let row = RowKey.of(key)
            var value = take(key, row)
            let before = value != nil
            defer {
                table.count += (value == nil ? 0 : 1) - (before ? 1 : 0)
                if before || value != nil { table.set(value.map { (key, $0) }, under: row) }
            }
            yield &value
        }
    }

    /// The value of a key, or a default, which is stored when it is changed.
    public subscript(key: Key, default defaultValue: @autoclosure () -> Value) -> Value {
        get { self[key] ?? defaultValue() }
        _modify {
            let row = RowKey.of(key)
            let found = take(key, row)
            var value = found ?? defaultValue()
            defer {
                if found == nil { table.count += 1 }
                table.set((key, value), under: row)
            }
            yield &value
        }
    }

    /// Whether there is an entry of this key. Its value is not loaded.
    public func contains(_ key: Key) -> Bool { exists(key, RowKey.of(key)) }

    /// Sets the value of a key and returns the one it had.
    @discardableResult
    public func updateValue(_ value: Value, forKey key: Key) -> Value? {
        let row = RowKey.of(key)
        let old = entry(key, row)?.value
        if old == nil { table.count += 1 }
        table.set((key, value), under: row)
        return old
    }

    /// Takes an entry away and returns its value.
    @discardableResult
    public func removeValue(forKey key: Key) -> Value? {
        let row = RowKey.of(key)
        guard let old = entry(key, row)?.value else { return nil }
        table.count -= 1
        table.set(nil, under: row)
        return old
    }

    /// Takes all entries away, at the cost of one change; their rows are deleted later, a few at a time.
    public func removeAll() { table.removeAll() }

    /// The entry with the smallest key.
    public var first: Element? { table.page(from: [], limit: 1).first?.item }

    /// The entry with the largest key.
    public var last: Element? { table.last()?.item }

    private func entry(_ key: Key, _ row: [UInt8]) -> Element? {
        guard let entry = table.item(row) else { return nil }
        RowKey.check(entry.key == key, row)
        return entry
    }

    private func take(_ key: Key, _ row: [UInt8]) -> Value? {
        guard let entry = table.take(row) else { return nil }
        RowKey.check(entry.key == key, row)
        return entry.value
    }

    private func exists(_ key: Key, _ row: [UInt8]) -> Bool {
        // A cut key says nothing by itself.
        OrderedKey.isCut(row) ? entry(key, row) != nil : table.contains(row)
    }
}

extension CheckpointedDictionary: Sequence {
    /// Walks through the entries in the order of their keys, loading some at a time. An entry that is added or removed
    /// meanwhile may be met or not; each is met at most once.
    public func makeIterator() -> AnyIterator<Element> { AnyIterator(EntryIterator(table, from: [])) }

    /// The keys, in order.
    public var keys: some Sequence<Key> { lazy.map(\.key) }

    /// The values, in the order of their keys.
    public var values: some Sequence<Value> { lazy.map(\.value) }

    /// How many entries there are.
    public var underestimatedCount: Int { count }
}

extension CheckpointedDictionary where Key: Comparable {
    /// The entries from a key on, in order; only what is walked through is loaded.
    public func elements(from lower: Key) -> some Sequence<Element> {
        let start = RowKey.of(lower)
        return IteratorSequence(EntryIterator(table, from: start))
    }

    /// The entries whose keys are in a range, in order.
    public func elements(in range: Range<Key>) -> some Sequence<Element> {
        let end = RowKey.of(range.upperBound)
        return IteratorSequence(EntryIterator(table, from: RowKey.of(range.lowerBound), before: end))
    }
}

/// An entry of a dictionary: an array of its key and its value.
enum DictionaryCoding<Key: Codable, Value: Codable>: EntryCoding {
    private struct Pair: Decodable {
        let key: Key
        let value: Value

        init(from decoder: any Decoder) throws {
            var container = try decoder.unkeyedContainer()
            key = try container.decode(Key.self)
            value = try container.decode(Value.self)
        }
    }

    /// The head of a CBOR array of two items.
    private static var pairHead: UInt8 { 0x82 }

    static var kind: CollectionHeader.Kind { .dictionary }

    static func encode(_ item: (key: Key, value: Value)) throws -> [UInt8] {
        let encoder = CBOREncoder()
        var bytes = [pairHead]
        try encoder.encode(item.key, appendingTo: &bytes)
        try encoder.encode(item.value, appendingTo: &bytes)
        return bytes
    }

    static func decode(_ entry: StoredEntry, _ decoder: CBORDecoder) throws -> (key: Key, value: Value) {
        let pair = try decoder.decode(Pair.self, from: entry.payload)
        return (pair.key, pair.value)
    }

    static func describe(_ name: String, in layout: inout LayoutDescription) {
        layout.add(Key.self, at: "\(name)[key]")
        layout.add(Value.self, at: "\(name)[value]")
    }
}
