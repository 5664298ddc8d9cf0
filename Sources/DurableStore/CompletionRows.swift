internal import DurableCore

extension Completion {
    func payload() -> [UInt8] {
        var writer = ByteWriter(reserving: 64)
        write(to: &writer)
        return writer.bytes
    }

    init(decoding value: [UInt8], id: CallID) throws(MalformedBytes) {
        var reader = ByteReader(try StoredValue.open(value).payload)
        try self.init(from: &reader, id: id)
        try reader.finish()
    }

    fileprivate func write(to writer: inout ByteWriter) {
        writer.write(fingerprint)
        outcome.write(to: &writer)
    }

    fileprivate init(from reader: inout ByteReader, id: CallID) throws(MalformedBytes) {
        fingerprint = try reader.read()
        outcome = try CallOutcome(from: &reader)
        self.id = id
        firstIncomplete = 0
        deduplication = nil
    }
}

/// The record of a call with a key.
struct KeyedRow {
    /// The shard's time from which on the record counts no more.
    var expires: UInt64
    var completion: Completion

    init(expires: UInt64, completion: Completion) {
        self.expires = expires
        self.completion = completion
    }

    func payload() -> [UInt8] {
        var writer = ByteWriter(reserving: 72)
        writer.write(expires)
        completion.write(to: &writer)
        return writer.bytes
    }

    /// Reads a row; whose call it was is not stored.
    init(decoding value: [UInt8], id: CallID = CallID(session: SessionID(high: 0, low: 0), sequence: 0))
        throws(MalformedBytes)
    {
        var reader = ByteReader(try StoredValue.open(value).payload)
        expires = try reader.read()
        completion = try Completion(from: &reader, id: id)
        try reader.finish()
    }
}

/// What is kept of a session beside its records.
struct SessionRow: Hashable {
    /// Calls below it were answered, and their records are gone.
    var frontier: UInt64
    /// The shard's time of its last change, or somewhat before.
    var lastSeen: UInt64

    init(frontier: UInt64, lastSeen: UInt64) {
        self.frontier = frontier
        self.lastSeen = lastSeen
    }

    func payload() -> [UInt8] {
        var writer = ByteWriter(reserving: 16)
        writer.write(frontier)
        writer.write(lastSeen)
        return writer.bytes
    }

    init(decoding value: [UInt8]) throws(MalformedBytes) {
        var reader = ByteReader(try StoredValue.open(value).payload)
        frontier = try reader.read()
        // Rows of before there was a lease end here.
        lastSeen = reader.remaining == 0 ? 0 : try reader.read()
        try reader.finish()
    }
}

extension ShardClock {
    func encoded() -> [UInt8] {
        var writer = ByteWriter(reserving: 40)
        writer.write(milliseconds)
        writer.write(reading.boot)
        writer.write(reading.bootMilliseconds)
        writer.write(reading.wallMilliseconds)
        return StoredValue.seal(writer.bytes)
    }

    init(decoding value: [UInt8]) throws(MalformedBytes) {
        var reader = ByteReader(try StoredValue.open(value).payload)
        let milliseconds = try reader.read(UInt64.self)
        let reading = ClockReading(
            boot: try reader.readIdentifier(),
            bootMilliseconds: try reader.read(),
            wallMilliseconds: try reader.read()
        )
        try reader.finish()
        self.init(milliseconds: milliseconds, at: reading)
    }
}
