/// The envelope of every value in a shard: format, schema version, length and CRC-32C before the payload.
///
/// | offset | bytes | what |
/// |---|---|---|
/// | 0 | 1 | format, 1 |
/// | 1 | 4 | schema version, little-endian |
/// | 5 | 4 | length of the payload |
/// | 9 | 4 | CRC-32C of bytes 0 to 8, exclusive-or the CRC-32C of the payload |
/// | 13 | length | payload |
package enum StoredValue {
    /// The only format so far.
    package static let format: UInt8 = 1
    static let headerBytes = 13

    /// Wraps a payload.
    package static func seal(_ payload: some Collection<UInt8>, schemaVersion: UInt32 = 0) -> [UInt8] {
        var writer = ByteWriter(reserving: headerBytes + payload.count)
        writer.write(format)
        writer.write(schemaVersion)
        writer.write(UInt32(payload.count))
        let head = writer.bytes
        writer.write(checksum(head: head[...], payload: payload))
        writer.write(raw: payload)
        return writer.bytes
    }

    /// Unwraps a value, or says what is wrong with it.
    package static func open(_ value: [UInt8]) throws(MalformedBytes) -> (payload: ArraySlice<UInt8>, schema: UInt32) {
        var reader = ByteReader(value)
        let found = try reader.readByte()
        guard found == format else { throw MalformedBytes("value has format \(found), this build reads \(format)") }
        let schema = try reader.read(UInt32.self)
        let length = Int(try reader.read(UInt32.self))
        let expected = try reader.read(UInt32.self)
        guard reader.remaining == length else {
            throw MalformedBytes("value announces \(length) bytes, \(reader.remaining) are there")
        }
        let payload = value[headerBytes...]
        let actual = checksum(head: value[..<9], payload: payload)
        guard actual == expected else {
            throw MalformedBytes("checksum is \(String(actual, radix: 16)), stored is \(String(expected, radix: 16))")
        }
        return (payload, schema)
    }

    private static func checksum(head: ArraySlice<UInt8>, payload: some Collection<UInt8>) -> UInt32 {
        // The header's own checksum is mixed in, so that no field of it can change unseen.
        CRC32C.checksum(payload) ^ CRC32C.checksum(head)
    }
}
