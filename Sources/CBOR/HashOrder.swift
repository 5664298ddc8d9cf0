/// What Swift encodes in the order of its hash table, which differs from process to process: sets, and dictionaries that
/// are no maps in CBOR. They are written in the bytewise order of their encoded members or keys instead.
protocol HashOrdered {
    /// False for dictionaries that are maps, whose keys are sorted anyway.
    static var isHashOrdered: Bool { get }

    /// Encodes it as its `encode(to:)` does, but in order.
    func encodeSorted(to encoder: any Encoder, with elements: CBOREncoder) throws
}

extension Set: HashOrdered where Element: Encodable {
    static var isHashOrdered: Bool { true }

    func encodeSorted(to encoder: any Encoder, with elements: CBOREncoder) throws {
        var container = encoder.unkeyedContainer()
        for member in try sortedByBytes({ $0 }, elements) { try container.encode(member) }
    }
}

extension Dictionary: HashOrdered where Key: Encodable, Value: Encodable {
    static var isHashOrdered: Bool {
        Key.self != String.self && Key.self != Int.self && !(Key.self is any CodingKeyRepresentable.Type)
    }

    func encodeSorted(to encoder: any Encoder, with elements: CBOREncoder) throws {
        var container = encoder.unkeyedContainer()
        for (key, value) in try sortedByBytes(\.key, elements) {
            try container.encode(key)
            try container.encode(value)
        }
    }
}

extension Collection {
    /// The elements, in the order of the bytes of what `key` gives.
    fileprivate func sortedByBytes<Key: Encodable>(_ key: (Element) -> Key, _ encoder: CBOREncoder) throws -> [Element]
    {
        try map { (bytes: try encoder.encode(key($0)), element: $0) }
            .sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
            .map(\.element)
    }
}
