internal import CBOR
internal import DurableCore
internal import DurableStore

/// An array of which only the touched elements are stored and loaded; for state that grows.
///
/// Used as a ``Checkpointed`` property; a reference to stored rows, which stays within its actor. Adding and removing
/// at both ends costs one element, so it serves as a queue and as a log. Inserting and removing in between moves, and
/// stores again, the elements behind.
public final class CheckpointedArray<Element: Codable>: CheckpointedCollection, ExpressibleByArrayLiteral {
    let table = EntryTable<ArrayCoding<Element>>()

    /// Makes an empty array.
    public init() {}

    /// Makes an array of these elements.
    public init(arrayLiteral elements: Element...) { append(contentsOf: elements) }

    /// Makes an array of these elements.
    public init(_ elements: some Sequence<Element>) { append(contentsOf: elements) }

    /// For the framework only.
    public var storage: CollectionStorage { CollectionStorage(table: table) }

    /// How many elements there are. Known without looking at them.
    public var count: Int { table.count }

    /// Adds an element at the end.
    public func append(_ element: Element) {
        table.set(element, under: key(table.count))
        table.count += 1
    }

    /// Adds elements at the end.
    public func append(contentsOf elements: some Sequence<Element>) {
        for element in elements { append(element) }
    }

    /// Adds elements at the end.
    public static func += (array: CheckpointedArray, elements: some Sequence<Element>) {
        array.append(contentsOf: elements)
    }

    /// Adds an element at the front.
    public func prepend(_ element: Element) {
        table.start -= 1
        table.count += 1
        table.set(element, under: key(0))
    }

    /// Puts an element before the one at a position; those behind move and are stored again.
    public func insert(_ element: Element, at position: Int) {
        precondition((0...count).contains(position), "position \(position) is not in 0...\(count)")
        if position == 0 { return prepend(element) }
        table.count += 1
        var moving = element
        for index in position..<count - 1 {
            let next = self[index]
            table.set(moving, under: key(index))
            moving = next
        }
        table.set(moving, under: key(count - 1))
    }

    /// Takes an element away; those behind move and are stored again.
    @discardableResult
    public func remove(at position: Int) -> Element {
        check(position)
        if position == 0 { return removeFirst() }
        let removed = self[position]
        for index in position..<count - 1 { table.set(self[index + 1], under: key(index)) }
        table.set(nil, under: key(count - 1))
        table.count -= 1
        return removed
    }

    /// Takes the first element away.
    @discardableResult
    public func removeFirst() -> Element {
        let removed = self[0]
        table.set(nil, under: key(0))
        table.start += 1
        table.count -= 1
        return removed
    }

    /// Takes the last element away.
    @discardableResult
    public func removeLast() -> Element {
        let removed = self[count - 1]
        table.set(nil, under: key(count - 1))
        table.count -= 1
        return removed
    }

    /// Takes the first element away; `nil` when there is none.
    public func popFirst() -> Element? { isEmpty ? nil : removeFirst() }

    /// Takes the last element away; `nil` when there is none.
    public func popLast() -> Element? { isEmpty ? nil : removeLast() }

    /// Takes all elements away, at the cost of one change.
    public func removeAll() { table.removeAll() }

    private func key(_ index: Int) -> [UInt8] {
        let place = table.start &+ UInt64(bitPattern: Int64(index))
        return withUnsafeBytes(of: place.bigEndian) { Array($0) }
    }

    private func check(_ position: Int) {
        precondition((0..<count).contains(position), "position \(position) is not in 0..<\(count)")
    }
}

extension CheckpointedArray: RandomAccessCollection, MutableCollection {
    /// Zero.
    public var startIndex: Int { 0 }

    /// The number of elements.
    public var endIndex: Int { table.count }

    /// The element at a position.
    public subscript(position: Int) -> Element {
        get {
            check(position)
            guard let element = table.item(key(position)) else { missing(position) }
            return element
        }
        set {
            check(position)
            table.set(newValue, under: key(position))
        }
        _modify {
            check(position)
            let row = key(position)
            guard var element = table.take(row) else { missing(position) }
            defer { table.set(element, under: row) }
            yield &element
        }
    }

    /// Exchanges two elements.
    public func swapAt(_ one: Int, _ other: Int) {
        guard one != other else { return }
        let first = self[one]
        self[one] = self[other]
        self[other] = first
    }

    /// Walks through the elements in order, loading some at a time.
    public func makeIterator() -> AnyIterator<Element> { AnyIterator(EntryIterator(table, from: [])) }

    private func missing(_ position: Int) -> Never {
        preconditionFailure("element \(position) of \(count) is not stored; the shard is damaged")
    }
}

/// An element of an array; its position is its row's key.
enum ArrayCoding<Element: Codable>: EntryCoding {
    static var kind: CollectionHeader.Kind { .array }
    static func encode(_ item: Element) throws -> [UInt8] { try CBOREncoder().encode(item) }
    static func decode(_ entry: StoredEntry, _ decoder: CBORDecoder) throws -> Element {
        try decoder.decode(Element.self, from: entry.payload)
    }

    static func describe(_ name: String, in layout: inout LayoutDescription) {
        layout.add(Element.self, at: "\(name)[element]")
    }
}
