internal import DurableCore

/// A checksum over all rows of a shard except those of `meta`, which every commit brings up to date from what it
/// changes. It needs no order, so a row can be taken out of it and another put in.
///
/// It finds what no look at single rows can: after a power loss a page can hold what it held some commits ago, sound in
/// itself, among others that are newer.
struct ContentsSum: Hashable, Sendable {
    private(set) var value: UInt64 = 0

    init() {}

    init(decoding stored: [UInt8]) throws(MalformedBytes) {
        var reader = ByteReader(try StoredValue.open(stored).payload)
        value = try reader.read()
        try reader.finish()
    }

    func encoded() -> [UInt8] {
        var writer = ByteWriter(reserving: 8)
        writer.write(value)
        return StoredValue.seal(writer.bytes)
    }

    /// A row is there now. Its envelope, with the checksum of its payload, stands for the whole.
    mutating func add(_ key: [UInt8], _ row: [UInt8], in database: String) {
        row.withUnsafeBytes { value &+= Self.hash(key, $0, database) }
    }

    /// A row is there now of which this is the envelope's header.
    mutating func add(_ key: [UInt8], _ header: StoredValue.Header, in database: String) {
        withUnsafeTemporaryAllocation(byteCount: StoredValue.headerBytes, alignment: 1) { bytes in
            header.write(to: bytes)
            value &+= Self.hash(key, UnsafeRawBufferPointer(bytes), database)
        }
    }

    /// A row is there no more.
    mutating func remove(_ key: [UInt8], _ row: UnsafeRawBufferPointer, in database: String) {
        value &-= Self.hash(key, row, database)
    }

    private static func hash(_ key: [UInt8], _ row: UnsafeRawBufferPointer, _ database: String) -> UInt64 {
        let name = database.utf8
        let header = UnsafeRawBufferPointer(rebasing: row.prefix(StoredValue.headerBytes))
        let count = name.count + 1 + header.count + key.count
        return withUnsafeTemporaryAllocation(byteCount: count, alignment: 8) { bytes in
            var end = 0
            for byte in name {
                bytes[end] = byte
                end += 1
            }
            bytes[end] = 0
            end += 1
            UnsafeMutableRawBufferPointer(rebasing: bytes[end...]).copyMemory(from: header)
            end += header.count
            key.withUnsafeBytes { UnsafeMutableRawBufferPointer(rebasing: bytes[end...]).copyMemory(from: $0) }
            return SipHash128.prefix(of: UnsafeRawBufferPointer(bytes))
        }
    }
}
