#if SEEDED_BUGS
internal import SeededBugs
#endif

/// The envelope of every value in a shard: kind, schema version, length and CRC-32C before the payload.
///
/// | offset | bytes | what |
/// |---|---|---|
/// | 0 | 1 | kind |
/// | 1 | 4 | schema version, little-endian |
/// | 5 | 4 | length of the payload |
/// | 9 | 4 | CRC-32C of bytes 0 to 8, exclusive-or the CRC-32C of the payload |
/// | 13 | length | payload |
package enum StoredValue {
    /// What the payload is.
    package enum Kind: UInt8, Sendable, Hashable {
        /// The value itself.
        case value = 1
        /// Where the portions of a large value are.
        case portions = 2
        /// The header of a collection whose entries are rows of their own.
        case collection = 3
    }

    /// An envelope's content, its checksum compared.
    package struct Opened: Sendable {
        /// What the payload is.
        package var kind: Kind
        /// The schema version of the code that wrote it.
        package var schema: UInt32
        /// The content.
        package var payload: ArraySlice<UInt8>
    }

    /// What stands before a payload, ready to be written wherever there is room for both.
    package struct Header: Sendable {
        private let kind: Kind
        private let schema: UInt32
        private let length: UInt32
        private let checksum: UInt32

        /// The header of this payload.
        package init(_ payload: UnsafeRawBufferPointer, kind: Kind = .value, schemaVersion: UInt32 = 0) {
            self.kind = kind
            schema = schemaVersion
            length = UInt32(payload.count)
            // The header's own checksum is mixed in, so that no field of it can change unseen.
            checksum =
                withUnsafeTemporaryAllocation(byteCount: 9, alignment: 1) { head in
                    Self.write(kind, schemaVersion, UInt32(payload.count), to: head)
                    return CRC32C.checksum(UnsafeRawBufferPointer(head))
                } ^ CRC32C.checksum(payload)
        }

        /// Writes the header's 13 bytes to the beginning of a buffer.
        package func write(to buffer: UnsafeMutableRawBufferPointer) {
            Self.write(kind, schema, length, to: buffer)
            buffer.storeBytes(of: checksum.littleEndian, toByteOffset: 9, as: UInt32.self)
        }

        private static func write(
            _ kind: Kind,
            _ schema: UInt32,
            _ length: UInt32,
            to buffer: UnsafeMutableRawBufferPointer
        ) {
            buffer[0] = kind.rawValue
            buffer.storeBytes(of: schema.littleEndian, toByteOffset: 1, as: UInt32.self)
            buffer.storeBytes(of: length.littleEndian, toByteOffset: 5, as: UInt32.self)
        }
    }

    /// The bytes before the payload.
    package static let headerBytes = 13

    /// Wraps a payload.
    package static func seal(_ payload: [UInt8], kind: Kind = .value, schemaVersion: UInt32 = 0) -> [UInt8] {
        payload.withUnsafeBytes { payload in
            let header = Header(payload, kind: kind, schemaVersion: schemaVersion)
            return [UInt8](unsafeUninitializedCapacity: headerBytes + payload.count) { buffer, count in
                let bytes = UnsafeMutableRawBufferPointer(buffer)
                header.write(to: bytes)
                UnsafeMutableRawBufferPointer(rebasing: bytes[headerBytes...]).copyMemory(from: payload)
                count = headerBytes + payload.count
            }
        }
    }

    /// Unwraps a value that must not be of another kind, or says what is wrong with it.
    package static func open(_ value: [UInt8]) throws(MalformedBytes) -> (payload: ArraySlice<UInt8>, schema: UInt32) {
        let opened = try openAny(value)
        guard opened.kind == .value else { throw MalformedBytes("a plain value is expected, not \(opened.kind)") }
        return (opened.payload, opened.schema)
    }

    /// Unwraps a value of any kind, or says what is wrong with it.
    package static func openAny(_ value: [UInt8]) throws(MalformedBytes) -> Opened {
        var reader = ByteReader(value)
        let found = try reader.readByte()
        guard let kind = Kind(rawValue: found) else {
            throw MalformedBytes("value is of kind \(found), which this build does not know")
        }
        let schema = try reader.read(UInt32.self)
        let length = Int(try reader.read(UInt32.self))
        let expected = try reader.read(UInt32.self)
        guard reader.remaining == length else {
            throw MalformedBytes("value announces \(length) bytes, \(reader.remaining) are there")
        }
        let payload = value[headerBytes...]
        let actual = checksum(head: value[..<9], payload: payload)
        #if SEEDED_BUGS
        if SeededBug.checksumUnchecked.isActive { return Opened(kind: kind, schema: schema, payload: payload) }
        #endif
        guard actual == expected else {
            throw MalformedBytes("checksum is \(String(actual, radix: 16)), stored is \(String(expected, radix: 16))")
        }
        return Opened(kind: kind, schema: schema, payload: payload)
    }

    private static func checksum(head: ArraySlice<UInt8>, payload: some Collection<UInt8>) -> UInt32 {
        // The header's own checksum is mixed in, so that no field of it can change unseen.
        CRC32C.checksum(payload) ^ CRC32C.checksum(head)
    }
}
