internal import DurableCore

/// Names the rows of one collection, or the portions of one large value, within a shard. Never used twice.
package typealias RowSetID = UInt64

/// What is stored for a checkpointed property.
package enum StoredProperty: Sendable, Hashable {
    /// Its value, CBOR.
    case value([UInt8])
    /// A collection, whose entries are rows of their own.
    case collection(CollectionHeader)
}

/// What a shard keeps of a collection beside its entries.
package struct CollectionHeader: Sendable, Hashable, Codable {
    /// How keys and entries are to be read.
    package enum Kind: String, Sendable, Hashable, Codable {
        /// Rows hold a key and a value.
        case dictionary
        /// Rows hold a member.
        case set
        /// Rows hold an element, under their position.
        case array
    }

    /// How keys and entries are to be read.
    package var kind: Kind
    /// Where its rows are.
    package var rows: RowSetID
    /// How many entries it has.
    package var count: Int
    /// The position of an array's first element; 2^63 at first, so that it can grow to both sides.
    package var start: UInt64

    package init(kind: Kind, rows: RowSetID, count: Int, start: UInt64 = CollectionHeader.middle) {
        self.kind = kind
        self.rows = rows
        self.count = count
        self.start = start
    }

    /// The position of the first element of a new array.
    package static let middle: UInt64 = 1 << 63
}

/// A property with the schema version of the code that wrote it.
package struct StoredField: Sendable, Hashable {
    /// What is stored.
    package var property: StoredProperty
    /// The schema version of the code that wrote it.
    package var schema: UInt32

    package init(property: StoredProperty, schema: UInt32) {
        self.property = property
        self.schema = schema
    }
}

/// An entry of a collection as it is stored.
package struct StoredEntry: Sendable, Hashable {
    /// The key's order-preserving encoding, without the collection's number.
    package var key: [UInt8]
    /// The entry, CBOR.
    package var payload: [UInt8]

    package init(key: [UInt8], payload: [UInt8]) {
        self.key = key
        self.payload = payload
    }
}

/// Where the portions of a large value are.
struct PortionsReference: Hashable {
    var rows: RowSetID
    var length: UInt64

    func encoded() -> [UInt8] {
        var writer = ByteWriter(reserving: 16)
        writer.write(rows)
        writer.write(length)
        return writer.bytes
    }

    init(rows: RowSetID, length: UInt64) {
        self.rows = rows
        self.length = length
    }

    init(decoding payload: ArraySlice<UInt8>) throws(MalformedBytes) {
        var reader = ByteReader(payload)
        rows = try reader.read()
        length = try reader.read()
        try reader.finish()
    }
}
