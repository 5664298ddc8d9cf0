/// Bytes that do not hold what they should: torn, foreign or of another version.
package struct MalformedBytes: Error, CustomStringConvertible {
    /// What was expected where.
    package let description: String

    package init(_ description: String) { self.description = description }
}

/// Reads what `ByteWriter` wrote; every read is checked against what is left.
package struct ByteReader: Sendable {
    private let bytes: [UInt8]
    private var position: Int
    private let end: Int

    package init(_ bytes: [UInt8]) {
        self.bytes = bytes
        position = 0
        end = bytes.count
    }

    package init(_ slice: ArraySlice<UInt8>) {
        self.init(Array(slice))
    }

    /// How many bytes are left.
    package var remaining: Int { end - position }

    package mutating func readByte() throws(MalformedBytes) -> UInt8 {
        guard remaining >= 1 else { throw MalformedBytes("1 byte more was expected") }
        defer { position += 1 }
        return bytes[position]
    }

    /// Reads a little-endian integer.
    package mutating func read<Value: FixedWidthInteger>(
        _ type: Value.Type = Value.self
    ) throws(MalformedBytes) -> Value {
        let width = Value.bitWidth / 8
        guard remaining >= width else { throw MalformedBytes("\(width) bytes were expected, \(remaining) are left") }
        defer { position += width }
        return bytes.withUnsafeBytes { Value(littleEndian: $0.loadUnaligned(fromByteOffset: position, as: Value.self)) }
    }

    /// Reads a big-endian integer.
    package mutating func readBigEndian<Value: FixedWidthInteger>(
        _ type: Value.Type = Value.self
    ) throws(MalformedBytes) -> Value {
        Value(bigEndian: Value(littleEndian: try read(Value.self)))
    }

    /// Reads bytes behind a 32-bit length.
    package mutating func readCounted() throws(MalformedBytes) -> ArraySlice<UInt8> {
        let count = Int(try read(UInt32.self))
        return try read(count: count)
    }

    /// Reads UTF-8 text behind a 32-bit length.
    package mutating func readCountedText() throws(MalformedBytes) -> String {
        guard let text = String(validating: try readCounted(), as: UTF8.self) else {
            throw MalformedBytes("a text is not UTF-8")
        }
        return text
    }

    /// Reads this many bytes.
    package mutating func read(count: Int) throws(MalformedBytes) -> ArraySlice<UInt8> {
        guard count >= 0, remaining >= count else {
            throw MalformedBytes("\(count) bytes were announced, \(remaining) are left")
        }
        defer { position += count }
        return bytes[position..<(position + count)]
    }

    package mutating func readIdentifier<ID: Identifier128>(
        _ type: ID.Type = ID.self
    ) throws(MalformedBytes) -> ID {
        ID(high: try readBigEndian(), low: try readBigEndian())
    }

    /// All that is left.
    package mutating func readRest() -> ArraySlice<UInt8> {
        defer { position = end }
        return bytes[position..<end]
    }

    /// Throws when something is left over.
    package func finish() throws(MalformedBytes) {
        guard remaining == 0 else { throw MalformedBytes("\(remaining) bytes are left over") }
    }
}
