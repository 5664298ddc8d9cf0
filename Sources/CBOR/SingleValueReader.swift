/// Reads one value that needs no container.
struct SingleValueReader: SingleValueDecodingContainer {
    let node: DecoderNode

    var codingPath: [any CodingKey] { node.codingPath }

    func decodeNil() -> Bool {
        node.session.isNull(node.position) && node.session.presentNil(at: node.position, in: node.type) == nil
    }

    func decode(_ type: Bool.Type) throws -> Bool {
        try node.session.boolean(at: node.position, node.codingPath)
    }

    func decode(_ type: String.Type) throws -> String {
        try node.session.string(at: node.position, node.codingPath)
    }

    func decode(_ type: Double.Type) throws -> Double {
        try node.session.double(at: node.position, node.codingPath)
    }

    func decode(_ type: Float.Type) throws -> Float {
        try node.session.float(at: node.position, node.codingPath)
    }

    func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        try node.session.decode(type, at: node.position, node.codingPath) { form in
            let position = node.session.presentNil(at: node.position, in: node.type) ?? node.position
            return try node.decodeIndirectly(type, form: form, at: position, key: nil, depth: node.depth)
        }
    }

    @inline(__always)
    private func read<Value: FixedWidthInteger>() throws -> Value {
        try node.session.integer(at: node.position, node.codingPath)
    }
}

// Integers.
extension SingleValueReader {
    func decode(_ type: Int.Type) throws -> Int { try read() }
    func decode(_ type: Int8.Type) throws -> Int8 { try read() }
    func decode(_ type: Int16.Type) throws -> Int16 { try read() }
    func decode(_ type: Int32.Type) throws -> Int32 { try read() }
    func decode(_ type: Int64.Type) throws -> Int64 { try read() }
    func decode(_ type: Int128.Type) throws -> Int128 { try read() }
    func decode(_ type: UInt.Type) throws -> UInt { try read() }
    func decode(_ type: UInt8.Type) throws -> UInt8 { try read() }
    func decode(_ type: UInt16.Type) throws -> UInt16 { try read() }
    func decode(_ type: UInt32.Type) throws -> UInt32 { try read() }
    func decode(_ type: UInt64.Type) throws -> UInt64 { try read() }
    func decode(_ type: UInt128.Type) throws -> UInt128 { try read() }
}
