/// A caller has seen a later owner of the shard than the worker that it is connected to.
///
/// Not answered: a worker that was fenced ends, and the next one owns the shard. Lost without harm, because callers say it
/// again at each connection.
package struct SupersededFrame: Sendable, Hashable {
    /// The latest epoch that the caller has seen.
    package var epoch: Epoch

    package init(epoch: Epoch) { self.epoch = epoch }

    /// The frame's payload.
    package func encoded() -> [UInt8] {
        var writer = ByteWriter(reserving: 8)
        writer.write(epoch)
        return writer.bytes
    }

    /// Reads a payload that came from outside.
    package init(decoding payload: [UInt8]) throws(MalformedBytes) {
        var reader = ByteReader(payload)
        epoch = try reader.read()
        try reader.finish()
    }
}
