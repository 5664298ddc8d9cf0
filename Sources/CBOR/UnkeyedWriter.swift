/// Writes one array.
struct UnkeyedWriter: UnkeyedEncodingContainer {
    let node: EncoderNode

    var codingPath: [any CodingKey] { node.codingPath }
    var count: Int { node.count }

    func encodeNil() throws {
        try node.beginElement()
        node.output.pointee.writeNull()
    }

    func encode(_ value: Bool) throws {
        try node.beginElement()
        node.output.pointee.write(value)
    }

    func encode(_ value: String) throws {
        try node.beginElement()
        node.output.pointee.write(value)
    }

    func encode(_ value: Double) throws {
        try node.beginElement()
        node.output.pointee.write(value)
    }

    func encode(_ value: Float) throws { try encode(Double(value)) }

    func encode(_ value: UInt8) throws { try node.appendByte(value) }

    func encode(_ value: some Encodable) throws { try node.encodeElement(value) }

    func encode<Bytes: Sequence>(contentsOf sequence: Bytes) throws where Bytes.Element == UInt8 {
        let copy = sequence.withContiguousStorageIfAvailable { [UInt8](copyingLarge: UnsafeRawBufferPointer($0)) }
        try node.append(bytes: copy ?? Array(sequence))
    }

    func nestedContainer<NestedKey: CodingKey>(
        keyedBy keyType: NestedKey.Type
    ) -> KeyedEncodingContainer<NestedKey> {
        nested().container(keyedBy: keyType)
    }

    func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer {
        nested().unkeyedContainer()
    }

    func superEncoder() -> any Encoder {
        nested()
    }

    private func nested() -> EncoderNode {
        node.openNested(key: IndexKey(node.count)) { try node.beginElement() }
    }

    @inline(__always)
    private func write(_ value: some FixedWidthInteger) throws {
        try node.beginElement()
        node.output.pointee.write(value)
    }
}

// Integers.
extension UnkeyedWriter {
    func encode(_ value: Int) throws { try write(value) }
    func encode(_ value: Int8) throws { try write(value) }
    func encode(_ value: Int16) throws { try write(value) }
    func encode(_ value: Int32) throws { try write(value) }
    func encode(_ value: Int64) throws { try write(value) }
    func encode(_ value: Int128) throws { try write(value) }
    func encode(_ value: UInt) throws { try write(value) }
    func encode(_ value: UInt16) throws { try write(value) }
    func encode(_ value: UInt32) throws { try write(value) }
    func encode(_ value: UInt64) throws { try write(value) }
    func encode(_ value: UInt128) throws { try write(value) }
}
