/// Appends fixed-width integers and length-prefixed bytes to a buffer.
package struct ByteWriter: Sendable {
    /// What has been written.
    package private(set) var bytes: [UInt8]

    package init(reserving capacity: Int = 0) {
        bytes = []
        bytes.reserveCapacity(capacity)
    }

    /// Goes on behind bytes that are there already.
    package init(behind bytes: consuming [UInt8]) { self.bytes = bytes }

    /// Has `write` append to an array.
    package static func append(to bytes: inout [UInt8], _ write: (inout ByteWriter) -> Void) {
        var writer = ByteWriter(behind: bytes)
        bytes = []
        write(&writer)
        bytes = writer.bytes
    }

    package mutating func write(_ value: UInt8) { bytes.append(value) }

    /// Appends an integer in little-endian order, as frames carry it.
    package mutating func write<Value: FixedWidthInteger>(_ value: Value) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    /// Appends an integer in big-endian order, as keys need it to sort by value.
    package mutating func writeBigEndian<Value: FixedWidthInteger>(_ value: Value) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }

    /// Appends bytes as they are.
    package mutating func write(raw value: some Collection<UInt8>) { bytes.append(contentsOf: value) }

    /// Appends a 32-bit length and the bytes.
    package mutating func write(counted value: some Collection<UInt8>) {
        write(UInt32(value.count))
        bytes.append(contentsOf: value)
    }

    /// Appends a 32-bit length and the text's UTF-8.
    package mutating func write(counted text: String) {
        var text = text
        text.withUTF8 { buffer in
            write(UInt32(buffer.count))
            bytes.append(contentsOf: buffer)
        }
    }

    package mutating func write(_ identifier: some Identifier128) {
        writeBigEndian(identifier.high)
        writeBigEndian(identifier.low)
    }
}
