/// Reads one array, or a byte string as an array of its bytes.
struct UnkeyedReader: UnkeyedDecodingContainer {
    let node: DecoderNode
    let elementCount: Int
    let isByteString: Bool
    /// The byte string, if it lies beside the bytes.
    private let part: [UInt8]?
    /// Where the next element begins.
    private var position: Int
    private(set) var currentIndex = 0

    init(node: DecoderNode, head: Head) {
        self.node = node
        part = nil
        elementCount = Int(head.argument)
        isByteString = head.major == MajorType.bytes
        position = head.next
    }

    init(node: DecoderNode, part: [UInt8]) {
        self.node = node
        self.part = part
        elementCount = part.count
        isByteString = true
        position = 0
    }

    var codingPath: [any CodingKey] { node.codingPath }
    var count: Int? { elementCount }
    var isAtEnd: Bool { currentIndex >= elementCount }

    mutating func decodeNil() throws -> Bool {
        guard !isAtEnd else { throw atEnd(Never?.self) }
        guard !isByteString && node.session.isNull(position) else { return false }
        advance()
        return true
    }

    mutating func decode(_ type: Bool.Type) throws -> Bool {
        try check(type)
        let value = try node.session.boolean(at: position, path)
        advance()
        return value
    }

    mutating func decode(_ type: String.Type) throws -> String {
        try check(type)
        let value = try node.session.string(at: position, path)
        advance()
        return value
    }

    mutating func decode(_ type: Double.Type) throws -> Double {
        try check(type)
        let value = try node.session.double(at: position, path)
        advance()
        return value
    }

    mutating func decode(_ type: Float.Type) throws -> Float {
        try check(type)
        let value = try node.session.float(at: position, path)
        advance()
        return value
    }

    mutating func decode(_ type: UInt8.Type) throws -> UInt8 {
        guard isByteString && currentIndex < elementCount else { return try read() }
        let byte = nextByte
        position += 1
        currentIndex += 1
        return byte
    }

    mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        guard !isByteString else { return try decodeFromByte(type) }
        try check(type)
        let key = IndexKey(currentIndex)
        let value = try node.session.decode(type, at: position, path) {
            try node.decodeIndirectly(type, form: $0, at: position, key: key, depth: node.depth + 1)
        }
        advance()
        return value
    }

    mutating func decodeIfPresent<Value: Decodable>(_ type: Value.Type) throws -> Value? {
        guard !isAtEnd else { return nil }
        guard !isByteString, let inner = node.session.presentNil(at: position, in: Value?.self) else {
            return try decodeNil() ? nil : try decode(type)
        }
        let key = IndexKey(currentIndex)
        let form = DirectForm(type)
        let value = try node.decodeIndirectly(type, form: form, at: inner, key: key, depth: node.depth + 1)
        advance()
        return value
    }

    mutating func nestedContainer<NestedKey: CodingKey>(
        keyedBy keyType: NestedKey.Type
    ) throws -> KeyedDecodingContainer<NestedKey> {
        let container = try nested(keyType).container(keyedBy: keyType)
        advance()
        return container
    }

    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
        let container = try nested([Any].self).unkeyedContainer()
        advance()
        return container
    }

    mutating func superDecoder() throws -> any Decoder {
        let decoder = try nested((any Decoder).self)
        advance()
        return decoder
    }

    private var path: [any CodingKey] { node.path(IndexKey(currentIndex)) }

    /// The next element of a byte string.
    @inline(__always)
    private var nextByte: UInt8 { part?[position] ?? node.session.bytes[position] }

    private mutating func advance() {
        position = isByteString ? position + 1 : node.session.skip(position)
        currentIndex += 1
    }

    /// Makes sure that there is a next element and that it is an item of its own.
    private func check(_ type: any Any.Type) throws {
        guard !isAtEnd else { throw atEnd(type) }
        guard !isByteString else { throw node.session.mismatch(type, found: "a byte", path) }
    }

    @inline(__always)
    private mutating func read<Value: FixedWidthInteger>() throws -> Value {
        guard !isAtEnd else { throw atEnd(Value.self) }
        guard isByteString else {
            let value: Value = try node.session.integer(at: position, path)
            advance()
            return value
        }
        let byte = nextByte
        guard let value = Value(exactly: byte) else { throw node.session.outOfRange(Value.self, path) }
        advance()
        return value
    }

    /// Decodes any type from a byte, by way of an item that holds it as an integer.
    private mutating func decodeFromByte<Value: Decodable>(_ type: Value.Type) throws -> Value {
        guard !isAtEnd else { throw atEnd(type) }
        let items = node.session.byteItems
        let item = Int(nextByte) * 2
        let value = try items.decode(type, at: item, path) { form in
            let parent = DecoderNode(session: items)
            parent.open(type: nil, position: item, parent: node, key: nil, level: node.level, depth: node.depth)
            let key = IndexKey(currentIndex)
            return try parent.decodeIndirectly(type, form: form, at: item, key: key, depth: node.depth + 1)
        }
        advance()
        return value
    }

    private func nested(_ type: any Any.Type) throws -> DecoderNode {
        try check(type)
        return try node.openNested(at: position, key: IndexKey(currentIndex))
    }

    private func atEnd(_ type: any Any.Type) -> DecodingError {
        let context = DecodingError.Context(
            codingPath: path,
            debugDescription: "the array has only \(elementCount) elements"
        )
        return DecodingError.valueNotFound(type, context)
    }
}

// Integers.
extension UnkeyedReader {
    mutating func decode(_ type: Int.Type) throws -> Int { try read() }
    mutating func decode(_ type: Int8.Type) throws -> Int8 { try read() }
    mutating func decode(_ type: Int16.Type) throws -> Int16 { try read() }
    mutating func decode(_ type: Int32.Type) throws -> Int32 { try read() }
    mutating func decode(_ type: Int64.Type) throws -> Int64 { try read() }
    mutating func decode(_ type: Int128.Type) throws -> Int128 { try read() }
    mutating func decode(_ type: UInt.Type) throws -> UInt { try read() }
    mutating func decode(_ type: UInt16.Type) throws -> UInt16 { try read() }
    mutating func decode(_ type: UInt32.Type) throws -> UInt32 { try read() }
    mutating func decode(_ type: UInt64.Type) throws -> UInt64 { try read() }
    mutating func decode(_ type: UInt128.Type) throws -> UInt128 { try read() }
}
