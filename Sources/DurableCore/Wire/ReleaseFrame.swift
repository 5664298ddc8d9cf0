/// A caller needs the records of these calls no more: the call that made them has its outcome stored.
///
/// Not answered, and lost without harm: records that are not released expire.
package struct ReleaseFrame: Sendable, Hashable {
    /// The actor that was called.
    package var actor: ActorID
    /// The keys of the calls.
    package var keys: [CallKey]

    package init(actor: ActorID, keys: [CallKey]) {
        self.actor = actor
        self.keys = keys
    }

    /// The frame's payload.
    package func encoded() -> [UInt8] {
        var writer = ByteWriter(reserving: 16 + 16 * keys.count)
        writer.write(actor)
        for key in keys { writer.write(key) }
        return writer.bytes
    }

    /// Reads a payload that came from outside.
    package init(decoding payload: [UInt8]) throws(MalformedBytes) {
        var reader = ByteReader(payload)
        actor = try reader.readIdentifier()
        keys = []
        while reader.remaining > 0 { keys.append(try reader.readIdentifier()) }
    }
}
