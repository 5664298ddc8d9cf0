/// Feeds what a key encodes into its sink. Keys of keyed containers are left out, except where they name an enum's case.
struct OrderedKeyEncoder: Encoder {
    /// Whether the value encoded itself as a list.
    final class Flag {
        var value = false
    }

    let sink: OrderedKeySink
    let nested: Bool
    let isList = Flag()
    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        KeyedEncodingContainer(Parts(sink: sink, nested: nested))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        sink.beginList()
        isList.value = true
        return Elements(sink: sink)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer { Single(sink: sink, nested: nested) }

    static func unsupported(_ what: String) -> Never {
        preconditionFailure("a key of a checkpointed collection must not encode itself with \(what)")
    }
}

private struct Single: SingleValueEncodingContainer {
    let sink: OrderedKeySink
    let nested: Bool
    var codingPath: [any CodingKey] { [] }

    mutating func encodeNil() { sink.appendNil(nested: nested) }
    mutating func encode(_ value: Bool) { sink.append(value) }
    mutating func encode(_ value: String) { sink.append(value) }
    mutating func encode(_ value: Double) { sink.append(value) }
    mutating func encode(_ value: Float) { sink.append(value) }
    mutating func encode(_ value: Int) { sink.append(value) }
    mutating func encode(_ value: Int8) { sink.append(value) }
    mutating func encode(_ value: Int16) { sink.append(value) }
    mutating func encode(_ value: Int32) { sink.append(value) }
    mutating func encode(_ value: Int64) { sink.append(value) }
    mutating func encode(_ value: Int128) { sink.append(value) }
    mutating func encode(_ value: UInt) { sink.append(value) }
    mutating func encode(_ value: UInt8) { sink.append(value) }
    mutating func encode(_ value: UInt16) { sink.append(value) }
    mutating func encode(_ value: UInt32) { sink.append(value) }
    mutating func encode(_ value: UInt64) { sink.append(value) }
    mutating func encode(_ value: UInt128) { sink.append(value) }
    mutating func encode(_ value: some Encodable) throws { try sink.append(value, nested: nested) }
}

private struct Elements: UnkeyedEncodingContainer {
    let sink: OrderedKeySink
    var codingPath: [any CodingKey] { [] }
    private(set) var count = 0

    init(sink: OrderedKeySink) { self.sink = sink }

    private mutating func next() -> Single {
        count += 1
        return Single(sink: sink, nested: true)
    }

    mutating func encodeNil() {
        count += 1
        sink.appendNil(nested: true)
    }

    mutating func encode(_ value: Bool) { var next = next(); next.encode(value) }
    mutating func encode(_ value: String) { var next = next(); next.encode(value) }
    mutating func encode(_ value: Double) { var next = next(); next.encode(value) }
    mutating func encode(_ value: Float) { var next = next(); next.encode(value) }
    mutating func encode(_ value: Int) { var next = next(); next.encode(value) }
    mutating func encode(_ value: Int8) { var next = next(); next.encode(value) }
    mutating func encode(_ value: Int16) { var next = next(); next.encode(value) }
    mutating func encode(_ value: Int32) { var next = next(); next.encode(value) }
    mutating func encode(_ value: Int64) { var next = next(); next.encode(value) }
    mutating func encode(_ value: Int128) { var next = next(); next.encode(value) }
    mutating func encode(_ value: UInt) { var next = next(); next.encode(value) }
    mutating func encode(_ value: UInt8) { var next = next(); next.encode(value) }
    mutating func encode(_ value: UInt16) { var next = next(); next.encode(value) }
    mutating func encode(_ value: UInt32) { var next = next(); next.encode(value) }
    mutating func encode(_ value: UInt64) { var next = next(); next.encode(value) }
    mutating func encode(_ value: UInt128) { var next = next(); next.encode(value) }
    mutating func encode(_ value: some Encodable) throws { var next = next(); try next.encode(value) }

    mutating func nestedContainer<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        OrderedKeyEncoder.unsupported("nested containers in a list")
    }

    mutating func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer {
        OrderedKeyEncoder.unsupported("nested containers in a list")
    }

    mutating func superEncoder() -> any Encoder { OrderedKeyEncoder.unsupported("a super encoder") }
}

/// The parts of a struct, or the values of an enum's case, one after the other. An absent part is null, so that the
/// parts behind it keep their place.
private struct Parts<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let sink: OrderedKeySink
    let nested: Bool
    var codingPath: [any CodingKey] { [] }

    private func put(_ value: (some Encodable)?) throws {
        guard let value else { return sink.appendNil(nested: nested) }
        try sink.append(value, nested: nested)
    }

    mutating func encodeNil(forKey key: Key) { sink.appendNil(nested: nested) }
    mutating func encode(_ value: Bool, forKey key: Key) { sink.append(value) }
    mutating func encode(_ value: String, forKey key: Key) { sink.append(value) }
    mutating func encode(_ value: some Encodable, forKey key: Key) throws { try put(value) }
    mutating func encodeIfPresent(_ value: Bool?, forKey key: Key) throws { try put(value) }
    mutating func encodeIfPresent(_ value: String?, forKey key: Key) throws { try put(value) }
    mutating func encodeIfPresent(_ value: Double?, forKey key: Key) throws { try put(value) }
    mutating func encodeIfPresent(_ value: Float?, forKey key: Key) throws { try put(value) }
    mutating func encodeIfPresent(_ value: Int?, forKey key: Key) throws { try put(value) }
    mutating func encodeIfPresent(_ value: Int8?, forKey key: Key) throws { try put(value) }
    mutating func encodeIfPresent(_ value: Int16?, forKey key: Key) throws { try put(value) }
    mutating func encodeIfPresent(_ value: Int32?, forKey key: Key) throws { try put(value) }
    mutating func encodeIfPresent(_ value: Int64?, forKey key: Key) throws { try put(value) }
    mutating func encodeIfPresent(_ value: Int128?, forKey key: Key) throws { try put(value) }
    mutating func encodeIfPresent(_ value: UInt?, forKey key: Key) throws { try put(value) }
    mutating func encodeIfPresent(_ value: UInt8?, forKey key: Key) throws { try put(value) }
    mutating func encodeIfPresent(_ value: UInt16?, forKey key: Key) throws { try put(value) }
    mutating func encodeIfPresent(_ value: UInt32?, forKey key: Key) throws { try put(value) }
    mutating func encodeIfPresent(_ value: UInt64?, forKey key: Key) throws { try put(value) }
    mutating func encodeIfPresent(_ value: UInt128?, forKey key: Key) throws { try put(value) }
    mutating func encodeIfPresent(_ value: (some Encodable)?, forKey key: Key) throws { try put(value) }

    /// Swift encodes an enum's case as a container under the case's name.
    mutating func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type,
        forKey key: Key
    ) -> KeyedEncodingContainer<Nested> {
        sink.append(key.stringValue)
        return KeyedEncodingContainer(Parts<Nested>(sink: sink, nested: nested))
    }

    mutating func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
        OrderedKeyEncoder.unsupported("nested lists; make the list a type or property of its own")
    }

    mutating func superEncoder() -> any Encoder { OrderedKeyEncoder.unsupported("a super encoder") }
    mutating func superEncoder(forKey key: Key) -> any Encoder { OrderedKeyEncoder.unsupported("a super encoder") }
}
