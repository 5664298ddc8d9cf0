public import CBOR
internal import DurableCore
internal import DurableStore

/// What is stored of an actor, as data without its type: what ``DurableActor/migrate(_:from:)`` works on.
///
/// Changes here are changes of a draft: what is stored stays as it is until the whole migration is committed. Values
/// that older code has stored are read as any `Decodable` type, or as `CBORValue` when their type is gone. Collections
/// are worked on entry by entry, so that memory does not grow with them.
public struct StoredState {
    /// How a property is stored.
    public struct Form: Sendable, Hashable, CustomStringConvertible {
        /// The form's name.
        public let description: String

        /// One value.
        public static let value = Form(description: "value")
        /// A ``CheckpointedDictionary``.
        public static let dictionary = Form(description: "dictionary")
        /// A ``CheckpointedSet``.
        public static let set = Form(description: "set")
        /// A ``CheckpointedArray``.
        public static let array = Form(description: "array")
    }

    let draft: StateDraft

    /// The names of the stored properties, sorted. Those that were never stored, because they are new, are missing.
    public var properties: [String] { draft.fields.keys.sorted() }

    /// How a property is stored; `nil` when it is not.
    public func form(of property: String) -> Form? {
        switch draft.fields[property]?.property {
        case .value: .value
        case .collection(let header): Form(description: "\(header.kind)")
        case nil: nil
        }
    }

    /// The number of entries of a collection; 0 for anything else.
    public func count(of property: String) -> Int { draft.header(of: property)?.count ?? 0 }

    /// The stored value of a property; `nil` when it is not stored.
    /// - Throws: When it is a collection or of another type.
    public func decode<Value: Decodable>(_ type: Value.Type, _ property: String) throws -> Value? {
        switch draft.fields[property]?.property {
        case nil: return nil
        case .value(let bytes):
            do {
                return try draft.decoder.decode(type, from: bytes)
            } catch {
                throw draft.mismatch("\"\(property)\"", bytes, type, error)
            }
        case .collection(let header):
            throw StateDraft.error("\"\(property)\" is stored as a \(header.kind), not as one value")
        }
    }

    /// The stored value of a property as it is; `nil` when it is not stored, or is a collection.
    public func value(_ property: String) throws -> CBORValue? {
        guard form(of: property) == .value else { return nil }
        return try decode(CBORValue.self, property)
    }

    /// Stores a value, in place of what was stored under the name.
    /// - Throws: When the value cannot be encoded.
    public mutating func set(_ property: String, _ value: some Encodable) throws {
        draft.fields[property] = draft.field(.value(try CBOREncoder().encode(value)))
    }

    /// Takes a property away, a collection with all its entries.
    public mutating func remove(_ property: String) { draft.fields[property] = nil }

    /// Gives a property another name, whatever it is and however large, in place of what was stored under that. Nothing
    /// happens when there is no such property.
    public mutating func rename(_ property: String, to name: String) {
        guard property != name, let field = draft.fields.removeValue(forKey: property) else { return }
        draft.fields[name] = field
    }
}

/// Collections.
extension StoredState {
    /// Gives each entry of a dictionary to `body`, in the order of the keys.
    public func forEach<Key: Decodable, Value: Decodable>(
        dictionary property: String,
        _ body: (Key, Value) throws -> Void
    ) throws {
        try draft.forEach(property, .dictionary) { entry in
            let pair = try draft.decode(Pair<Key, Value>.self, entry, of: property)
            try body(pair.key, pair.value)
        }
    }

    /// Gives each member of a set to `body`, in order.
    public func forEach<Member: Decodable>(set property: String, _ body: (Member) throws -> Void) throws {
        try draft.forEach(property, .set) { try body(draft.decode(Member.self, $0, of: property)) }
    }

    /// Gives each element of an array to `body`, in order.
    public func forEach<Element: Decodable>(array property: String, _ body: (Element) throws -> Void) throws {
        try draft.forEach(property, .array) { try body(draft.decode(Element.self, $0, of: property)) }
    }

    /// Stores a dictionary, in place of what was stored under the name. `fill` gets a function that adds an entry.
    /// - Throws: What `fill` throws; and when an entry cannot be encoded, or two have one key.
    public mutating func makeDictionary<Key: Codable & Equatable, Value: Encodable>(
        _ property: String,
        _ fill: ((Key, Value) throws -> Void) throws -> Void
    ) throws {
        let staged = try draft.stage(.dictionary)
        try fill { key, value in
            let row = try OrderedKey.encode(key)
            guard try draft.add(Pair(key: key, value: value).encoded(), under: row, to: staged) else {
                throw StateDraft.error("two entries of \"\(property)\" have the key \(key)")
            }
        }
        try draft.finish(staged, as: property)
    }

    /// Stores a set, in place of what was stored under the name. `fill` gets a function that adds a member; one that is
    /// in the set already is not added again.
    public mutating func makeSet<Member: Codable & Equatable>(
        _ property: String,
        _ fill: ((Member) throws -> Void) throws -> Void
    ) throws {
        let staged = try draft.stage(.set)
        try fill { member in
            _ = try draft.add(CBOREncoder().encode(member), under: OrderedKey.encode(member), to: staged)
        }
        try draft.finish(staged, as: property)
    }

    /// Stores an array, in place of what was stored under the name. `fill` gets a function that adds an element at the
    /// end.
    public mutating func makeArray<Element: Encodable>(
        _ property: String,
        _ fill: ((Element) throws -> Void) throws -> Void
    ) throws {
        let staged = try draft.stage(.array)
        try fill { element in
            let place = CollectionHeader.middle + UInt64(staged.count)
            let row = withUnsafeBytes(of: place.bigEndian) { Array($0) }
            _ = try draft.add(CBOREncoder().encode(element), under: row, to: staged)
        }
        try draft.finish(staged, as: property)
    }

    /// Stores a dictionary again with each entry as `transform` returns it; `nil` takes the entry away. Nothing happens
    /// when there is no such property.
    public mutating func mapDictionary<
        OldKey: Decodable,
        OldValue: Decodable,
        Key: Codable & Equatable,
        Value: Encodable
    >(
        _ property: String,
        _ transform: (OldKey, OldValue) throws -> (Key, Value)?
    ) throws {
        guard form(of: property) != nil else { return }
        let before = self
        try makeDictionary(property) { add in
            try before.forEach(dictionary: property) { (key: OldKey, value: OldValue) in
                if let (key, value) = try transform(key, value) { try add(key, value) }
            }
        }
    }

    /// Stores a set again with each member as `transform` returns it; `nil` takes the member away. Nothing happens when
    /// there is no such property.
    public mutating func mapSet<Old: Decodable, Member: Codable & Equatable>(
        _ property: String,
        _ transform: (Old) throws -> Member?
    ) throws {
        guard form(of: property) != nil else { return }
        let before = self
        try makeSet(property) { add in
            try before.forEach(set: property) { (old: Old) in if let member = try transform(old) { try add(member) } }
        }
    }

    /// Stores an array again with each element as `transform` returns it; `nil` takes the element away. Nothing happens
    /// when there is no such property.
    public mutating func mapArray<Old: Decodable, Element: Encodable>(
        _ property: String,
        _ transform: (Old) throws -> Element?
    ) throws {
        guard form(of: property) != nil else { return }
        let before = self
        try makeArray(property) { add in
            try before.forEach(array: property) { (old: Old) in
                if let element = try transform(old) { try add(element) }
            }
        }
    }
}

/// An entry of a dictionary as it is stored.
private struct Pair<Key, Value> {
    let key: Key
    let value: Value
}

extension Pair: Decodable where Key: Decodable, Value: Decodable {
    init(from decoder: any Decoder) throws {
        var container = try decoder.unkeyedContainer()
        key = try container.decode(Key.self)
        value = try container.decode(Value.self)
    }
}

extension Pair where Key: Encodable, Value: Encodable {
    func encoded() throws -> [UInt8] {
        let encoder = CBOREncoder()
        var bytes: [UInt8] = [0x82]
        try encoder.encode(key, appendingTo: &bytes)
        try encoder.encode(value, appendingTo: &bytes)
        return bytes
    }
}
