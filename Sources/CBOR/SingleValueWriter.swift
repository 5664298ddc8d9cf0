/// Writes one value that needs no container.
struct SingleValueWriter: SingleValueEncodingContainer {
    let node: EncoderNode

    var codingPath: [any CodingKey] { node.codingPath }

    func encodeNil() throws {
        try node.beginSingleValue()
        node.output.pointee.writeNull()
    }

    func encode(_ value: Bool) throws {
        try node.beginSingleValue()
        node.output.pointee.write(value)
    }

    func encode(_ value: String) throws {
        try node.beginSingleValue()
        node.output.pointee.write(value)
    }

    func encode(_ value: Double) throws {
        try node.beginSingleValue()
        node.output.pointee.write(value)
    }

    func encode(_ value: Float) throws { try encode(Double(value)) }

    func encode<Value: Encodable>(_ value: Value) throws {
        try node.beginSingleValue()
        let form = DirectForm(Value.self)
        if form.isSingle { return node.output.pointee.write(value, as: form) }
        do {
            try node.encodeIndirectly(value, form: form, key: nil, depth: node.depth)
            try node.markNil(inside: node.type, at: node.start, depth: node.depth)
        } catch {
            node.output.pointee.truncate(byteCount: node.start, entryCount: node.firstEntry)
            node.content = .single
            throw error
        }
    }

    @inline(__always)
    private func write(_ value: some FixedWidthInteger) throws {
        try node.beginSingleValue()
        node.output.pointee.write(value)
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
