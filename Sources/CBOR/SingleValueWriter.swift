/// Writes one value that needs no container.
struct SingleValueWriter: SingleValueEncodingContainer {
    let node: EncoderNode

    var codingPath: [any CodingKey] { node.codingPath }

    func encodeNil() throws {
        try node.beginSingleValue()
        node.sink.writer.writeNull()
    }

    func encode(_ value: Bool) throws {
        try node.beginSingleValue()
        node.sink.writer.write(value)
    }

    func encode(_ value: String) throws {
        try node.beginSingleValue()
        node.sink.writer.write(value)
    }

    func encode(_ value: Double) throws {
        try node.beginSingleValue()
        node.sink.writer.write(value)
    }

    func encode(_ value: Float) throws { try encode(Double(value)) }

    func encode(_ value: some Encodable) throws {
        try node.beginSingleValue()
        if node.sink.writer.writeDirectly(value) { return }
        do {
            try node.encodeIndirectly(value, key: nil, depth: node.depth)
            try node.markNil(inside: node.type, at: node.start, depth: node.depth)
        } catch {
            node.sink.writer.truncate(byteCount: node.start, entryCount: node.firstEntry)
            node.content = .single
            throw error
        }
    }

    @inline(__always)
    private func write(_ value: some FixedWidthInteger) throws {
        try node.beginSingleValue()
        node.sink.writer.write(value)
    }
}

// Integers.
extension SingleValueWriter {
    func encode(_ value: Int) throws { try write(value) }
    func encode(_ value: Int8) throws { try write(value) }
    func encode(_ value: Int16) throws { try write(value) }
    func encode(_ value: Int32) throws { try write(value) }
    func encode(_ value: Int64) throws { try write(value) }
    func encode(_ value: Int128) throws { try write(value) }
    func encode(_ value: UInt) throws { try write(value) }
    func encode(_ value: UInt8) throws { try write(value) }
    func encode(_ value: UInt16) throws { try write(value) }
    func encode(_ value: UInt32) throws { try write(value) }
    func encode(_ value: UInt64) throws { try write(value) }
    func encode(_ value: UInt128) throws { try write(value) }
}
