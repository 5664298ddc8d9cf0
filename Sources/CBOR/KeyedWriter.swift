/// Writes one map.
struct KeyedWriter<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let node: EncoderNode

    var codingPath: [any CodingKey] { node.codingPath }

    func encodeNil(forKey key: Key) throws {
        try node.beginEntry(key)
        node.output.pointee.writeNull()
    }

    func encode(_ value: Bool, forKey key: Key) throws {
        try node.beginEntry(key)
        node.output.pointee.write(value)
    }

    func encode(_ value: String, forKey key: Key) throws {
        try node.beginEntry(key)
        node.output.pointee.write(value)
    }

    func encode(_ value: Double, forKey key: Key) throws {
        try node.beginEntry(key)
        node.output.pointee.write(value)
    }

    func encode(_ value: Float, forKey key: Key) throws { try encode(Double(value), forKey: key) }

    func encode(_ value: some Encodable, forKey key: Key) throws { try node.encodeEntry(value, forKey: key) }

    func encodeIfPresent<Value: Encodable>(_ value: Value?, forKey key: Key) throws {
        guard let value else { return }
        try node.encodeEntry(value, forKey: key)
        let start = node.output.pointee.entries[node.output.pointee.entries.count - 1].valueStart
        try node.markNil(inside: Value?.self, at: start, depth: node.depth + 1)
    }

    func nestedContainer<NestedKey: CodingKey>(
        keyedBy keyType: NestedKey.Type,
        forKey key: Key
    ) -> KeyedEncodingContainer<NestedKey> {
        nested(key).container(keyedBy: keyType)
    }

    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
        nested(key).unkeyedContainer()
    }

    func superEncoder() -> any Encoder {
        nested(SuperKey())
    }

    func superEncoder(forKey key: Key) -> any Encoder {
        nested(key)
    }

    private func nested(_ key: some CodingKey) -> EncoderNode {
        node.openNested(key: key) { try node.beginEntry(key) }
    }

    @inline(__always)
    private func write(_ value: some FixedWidthInteger, _ key: Key) throws {
        try node.beginEntry(key)
        node.output.pointee.write(value)
    }
}

// Integers.
extension KeyedWriter {
    func encode(_ value: Int, forKey key: Key) throws { try write(value, key) }
    func encode(_ value: Int8, forKey key: Key) throws { try write(value, key) }
    func encode(_ value: Int16, forKey key: Key) throws { try write(value, key) }
    func encode(_ value: Int32, forKey key: Key) throws { try write(value, key) }
    func encode(_ value: Int64, forKey key: Key) throws { try write(value, key) }
    func encode(_ value: Int128, forKey key: Key) throws { try write(value, key) }
    func encode(_ value: UInt, forKey key: Key) throws { try write(value, key) }
    func encode(_ value: UInt8, forKey key: Key) throws { try write(value, key) }
    func encode(_ value: UInt16, forKey key: Key) throws { try write(value, key) }
    func encode(_ value: UInt32, forKey key: Key) throws { try write(value, key) }
    func encode(_ value: UInt64, forKey key: Key) throws { try write(value, key) }
    func encode(_ value: UInt128, forKey key: Key) throws { try write(value, key) }
}
