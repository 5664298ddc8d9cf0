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
        let fingerprint = try reader.read(UInt32.self)
        let outcome = try CallOutcome(from: &reader)
        self.init(id: id, firstIncomplete: 0, fingerprint: fingerprint, outcome: outcome)
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

extension SessionRow {
    func payload() -> [UInt8] {
        var writer = ByteWriter(reserving: 16)
        writer.write(frontier)
        writer.write(lastSeen)
        return writer.bytes
    }

    init(decoding value: [UInt8]) throws(MalformedBytes) {
        var reader = ByteReader(try StoredValue.open(value).payload)
        let frontier = try reader.read(UInt64.self)
        // Rows of before there was a lease end here.
        let lastSeen = reader.remaining == 0 ? 0 : try reader.read(UInt64.self)
        try reader.finish()
        self.init(frontier: frontier, lastSeen: lastSeen)
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
