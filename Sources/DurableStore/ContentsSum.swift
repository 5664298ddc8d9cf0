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
    mutating func add(_ key: some Collection<UInt8>, _ row: some Collection<UInt8>, in database: String) {
        value &+= Self.hash(key, row, database)
    }

    /// A row is there no more.
    mutating func remove(_ key: some Collection<UInt8>, _ row: some Collection<UInt8>, in database: String) {
        value &-= Self.hash(key, row, database)
    }

    private static func hash(
        _ key: some Collection<UInt8>,
        _ row: some Collection<UInt8>,
        _ database: String
    ) -> UInt64 {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(database.utf8.count + StoredValue.headerBytes + key.count + 1)
        bytes += database.utf8
        bytes.append(0)
        bytes += row.prefix(StoredValue.headerBytes)
        bytes += key
        return SipHash128.hash(bytes).prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }
}
