/// Reads one map.
struct KeyedReader<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let node: DecoderNode

    var codingPath: [any CodingKey] { node.codingPath }

    var allKeys: [Key] {
        node.slots.array().compactMap { slot in
            guard slot.isText else {
                let integer = slot.integer
                return Key(intValue: integer) ?? Key(stringValue: String(integer))
            }
            return Key(stringValue: node.session.bytes.text(slot.start..<slot.start + slot.length))
        }
    }

    func contains(_ key: Key) -> Bool { node.find(key) != nil }

    func decodeNil(forKey key: Key) throws -> Bool { node.session.isNull(try node.position(of: key)) }

    func decode(_ type: Bool.Type, forKey key: Key) throws -> Bool {
        try node.session.boolean(at: try node.position(of: key), node.path(key))
    }

    func decode(_ type: String.Type, forKey key: Key) throws -> String {
        try node.session.string(at: try node.position(of: key), node.path(key))
    }

    func decode(_ type: Double.Type, forKey key: Key) throws -> Double {
        try node.session.double(at: try node.position(of: key), node.path(key))
    }

    func decode(_ type: Float.Type, forKey key: Key) throws -> Float {
        try node.session.float(at: try node.position(of: key), node.path(key))
    }

    func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
        let position = try node.position(of: key)
        return try node.session.decode(type, at: position, node.path(key)) {
            try node.decodeIndirectly(type, form: $0, at: position, key: key, depth: node.depth + 1)
        }
    }

    func decodeIfPresent(_ type: Bool.Type, forKey key: Key) throws -> Bool? {
        try node.presentPosition(of: key).map { try node.session.boolean(at: $0, node.path(key)) }
    }

    func decodeIfPresent(_ type: String.Type, forKey key: Key) throws -> String? {
        try node.presentPosition(of: key).map { try node.session.string(at: $0, node.path(key)) }
    }

    func decodeIfPresent(_ type: Double.Type, forKey key: Key) throws -> Double? {
        try node.presentPosition(of: key).map { try node.session.double(at: $0, node.path(key)) }
    }

    func decodeIfPresent(_ type: Int.Type, forKey key: Key) throws -> Int? {
        try node.presentPosition(of: key).map { try node.session.integer(at: $0, node.path(key)) }
    }

    func decodeIfPresent<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value? {
        guard let found = node.find(key) else { return nil }
        let isNull = node.session.isNull(found)
        guard let position = isNull ? node.session.presentNil(at: found, in: Value?.self) : found else { return nil }
        return try node.session.decode(type, at: position, node.path(key)) {
            try node.decodeIndirectly(type, form: $0, at: position, key: key, depth: node.depth + 1)
        }
    }

    func nestedContainer<NestedKey: CodingKey>(
        keyedBy keyType: NestedKey.Type,
        forKey key: Key
    ) throws -> KeyedDecodingContainer<NestedKey> {
        try nested(key).container(keyedBy: keyType)
    }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        try nested(key).unkeyedContainer()
    }

    func superDecoder() throws -> any Decoder {
        try nested(SuperKey())
    }

    func superDecoder(forKey key: Key) throws -> any Decoder {
        try nested(key)
    }

    private func nested(_ key: some CodingKey) throws -> DecoderNode {
        try node.openNested(at: try node.position(of: key), key: key)
    }

    @inline(__always)
    private func read<Value: FixedWidthInteger>(_ key: Key) throws -> Value {
        try node.session.integer(at: try node.position(of: key), node.path(key))
    }
}

// Integers.
extension KeyedReader {
    func decode(_ type: Int.Type, forKey key: Key) throws -> Int { try read(key) }
    func decode(_ type: Int8.Type, forKey key: Key) throws -> Int8 { try read(key) }
    func decode(_ type: Int16.Type, forKey key: Key) throws -> Int16 { try read(key) }
    func decode(_ type: Int32.Type, forKey key: Key) throws -> Int32 { try read(key) }
    func decode(_ type: Int64.Type, forKey key: Key) throws -> Int64 { try read(key) }
    func decode(_ type: Int128.Type, forKey key: Key) throws -> Int128 { try read(key) }
    func decode(_ type: UInt.Type, forKey key: Key) throws -> UInt { try read(key) }
    func decode(_ type: UInt8.Type, forKey key: Key) throws -> UInt8 { try read(key) }
    func decode(_ type: UInt16.Type, forKey key: Key) throws -> UInt16 { try read(key) }
    func decode(_ type: UInt32.Type, forKey key: Key) throws -> UInt32 { try read(key) }
    func decode(_ type: UInt64.Type, forKey key: Key) throws -> UInt64 { try read(key) }
    func decode(_ type: UInt128.Type, forKey key: Key) throws -> UInt128 { try read(key) }
}
