/// A call as it travels from the caller to the worker.
package struct CallFrame: Sendable, Hashable {
    /// The actor that is called.
    package var actor: ActorID
    /// The call's id, the same over all retries.
    package var id: CallID
    /// The caller has the outcomes of all calls below this number; their records may go.
    package var firstIncomplete: UInt64
    /// The method, by the name that Swift gives to distributed methods.
    package var method: String
    /// Type names that a generic method needs, mangled.
    package var genericSubstitutions: [String]
    /// The arguments, each CBOR.
    package var arguments: [[UInt8]]

    package init(
        actor: ActorID,
        id: CallID,
        firstIncomplete: UInt64,
        method: String,
        genericSubstitutions: [String] = [],
        arguments: [[UInt8]]
    ) {
        self.actor = actor
        self.id = id
        self.firstIncomplete = firstIncomplete
        self.method = method
        self.genericSubstitutions = genericSubstitutions
        self.arguments = arguments
    }

    /// The frame's payload.
    package func encoded() -> [UInt8] {
        var writer = ByteWriter(reserving: 96 + method.utf8.count + arguments.reduce(0) { $0 + $1.count + 4 })
        writer.write(actor)
        writer.write(id.session)
        writer.write(id.sequence)
        writer.write(firstIncomplete)
        writer.write(counted: method)
        writer.write(UInt8(genericSubstitutions.count))
        for name in genericSubstitutions { writer.write(counted: name) }
        writer.write(UInt16(arguments.count))
        for argument in arguments { writer.write(counted: argument) }
        return writer.bytes
    }

    /// Reads a payload that came from outside.
    package init(decoding payload: [UInt8]) throws(MalformedBytes) {
        var reader = ByteReader(payload)
        actor = try reader.readIdentifier()
        id = CallID(session: try reader.readIdentifier(), sequence: try reader.read())
        firstIncomplete = try reader.read()
        method = try reader.readCountedText()
        genericSubstitutions = []
        for _ in 0..<(try reader.readByte()) { genericSubstitutions.append(try reader.readCountedText()) }
        let count = try reader.read(UInt16.self)
        guard Int(count) * 4 <= reader.remaining else { throw MalformedBytes("\(count) arguments do not fit") }
        arguments = []
        for _ in 0..<count { arguments.append(Array(try reader.readCounted())) }
        try reader.finish()
        guard id.sequence > 0 else { throw MalformedBytes("sequence numbers start at 1") }
    }

    /// A checksum of what is called with what, to notice an id that is used for two different calls.
    package var fingerprint: UInt32 {
        arguments.reduce(CRC32C.checksum(method.utf8)) { $0 &* 31 &+ CRC32C.checksum($1) }
    }
}
