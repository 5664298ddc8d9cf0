/// A call as it travels from the caller to the worker.
package struct CallFrame: Sendable, Hashable {
    /// The actor that is called.
    package var actor: ActorID
    /// The call's id, the same over all retries.
    package var id: CallID
    /// The caller has the outcomes of all calls below this number; their records may go.
    package var firstIncomplete: UInt64
    /// When it was first sent, in milliseconds since the machine's start; 0 when this is the first time. A call that is
    /// made by one that is run again counts as sent when that one was.
    package var firstSent: UInt64 = 0
    /// Whether its caller sends it again when the actor's process dies.
    package var isRetriable = false
    /// What its caller wants it to end for, if it does not want it any more.
    package var cancellation: Cancellation?
    /// The key that it is known by instead of its id.
    package var deduplication: Deduplication?
    /// The concurrency group that it asks for; `nil` for that of its method.
    package var group: String?
    /// Who waits for it.
    package var waiting = WaitingTurns()
    /// The method, by the name that Swift gives to distributed methods.
    package var method: String
    /// Type names that a generic method needs, mangled.
    package var genericSubstitutions: [String]
    /// The arguments, each CBOR.
    package var arguments: [[UInt8]]
    /// Byte strings of the arguments that are not in the payload, but beside it.
    package var detached: DetachedBytes?
    /// What it is told apart from other calls of its id or key by, if not by what is in the frame.
    package var checksum: UInt32?

    /// A wish that a call ends early. Sent as the call's frame once more: it says the same wherever it arrives.
    package enum Cancellation: Sendable, Hashable {
        /// Together with the calls that it makes and waits for.
        case recursive
        /// This call alone.
        case single
    }

    /// What is called to end an actor when it has done all before; no method of Swift has this name.
    package static let terminationMethod = "terminate"

    /// What is called to know that an actor answers calls; no method of Swift has this name.
    package static let readinessMethod = "ready"

    /// Whether the worker itself answers the call, and not a method of the actor.
    package var isBuiltIn: Bool { method == Self.terminationMethod || method == Self.readinessMethod }

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
        var writer = ByteWriter(reserving: byteCountGuess)
        write(to: &writer)
        return writer.bytes
    }

    /// About how many bytes the payload has, unless it carries what few calls do.
    package var byteCountGuess: Int { 96 + method.utf8.count + arguments.reduce(0) { $0 + $1.count + 4 } }

    /// Writes the frame's payload.
    package func write(to writer: inout ByteWriter) {
        writer.write(actor)
        writer.write(id.session)
        writer.write(id.sequence)
        writer.write(firstIncomplete)
        writer.write(firstSent)
        writer.write(flags.rawValue)
        if let deduplication {
            writer.write(deduplication.key)
            writer.write(deduplication.retentionMilliseconds)
        }
        if let group { writer.write(counted: group) }
        if !waiting.turns.isEmpty {
            writer.write(UInt8(waiting.turns.count))
            for turn in waiting.turns { turn.write(to: &writer) }
        }
        if let checksum { writer.write(checksum) }
        writer.write(counted: method)
        writer.write(UInt8(genericSubstitutions.count))
        for name in genericSubstitutions { writer.write(counted: name) }
        writer.write(UInt16(arguments.count))
        for argument in arguments { writer.write(counted: argument) }
    }

    /// Reads a payload that came from outside.
    /// - Parameter detached: What came beside it.
    package init(decoding payload: [UInt8], detached: DetachedBytes? = nil) throws(MalformedBytes) {
        self.detached = detached
        var reader = ByteReader(payload)
        actor = try reader.readIdentifier()
        id = CallID(session: try reader.readIdentifier(), sequence: try reader.read())
        firstIncomplete = try reader.read()
        firstSent = try reader.read()
        let flags = Flags(rawValue: try reader.readByte())
        guard flags.contains(.key) || !flags.contains(.explicitKey),
            flags.contains(.cancelled) || !flags.contains(.recursive)
        else {
            throw MalformedBytes("the call's flags are \(flags.rawValue)")
        }
        isRetriable = flags.contains(.retriable)
        if flags.contains(.cancelled) { cancellation = flags.contains(.recursive) ? .recursive : .single }
        if flags.contains(.key) {
            deduplication = Deduplication(
                try reader.readIdentifier(),
                retentionMilliseconds: try reader.read(),
                isExplicit: flags.contains(.explicitKey)
            )
        }
        if flags.contains(.group) { group = try reader.readCountedText() }
        if flags.contains(.waiting) {
            var turns: [WaitingTurn] = []
            for _ in 0..<(try reader.readByte()) { turns.append(try WaitingTurn(from: &reader)) }
            waiting = WaitingTurns(turns)
        }
        if flags.contains(.checksum) { checksum = try reader.read() }
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

    /// What it is known by when it comes again.
    package var name: CallName { deduplication.map { .key($0.key) } ?? .id(id) }

    private struct Flags: OptionSet {
        let rawValue: UInt8
        static let retriable = Flags(rawValue: 1)
        static let key = Flags(rawValue: 2)
        static let explicitKey = Flags(rawValue: 4)
        static let cancelled = Flags(rawValue: 8)
        static let recursive = Flags(rawValue: 16)
        static let group = Flags(rawValue: 32)
        static let waiting = Flags(rawValue: 64)
        static let checksum = Flags(rawValue: 128)
    }

    private var flags: Flags {
        var flags: Flags = isRetriable ? .retriable : []
        if let cancellation { flags.formUnion(cancellation == .recursive ? [.cancelled, .recursive] : .cancelled) }
        if group != nil { flags.insert(.group) }
        if !waiting.turns.isEmpty { flags.insert(.waiting) }
        if checksum != nil { flags.insert(.checksum) }
        guard let deduplication else { return flags }
        flags.insert(.key)
        if deduplication.isExplicit { flags.insert(.explicitKey) }
        return flags
    }

    /// A checksum of what is called with what, to notice an id that is used for two different calls. Only when nothing
    /// is detached.
    package var fingerprint: UInt32 {
        checksum ?? Self.checksum(of: method, arguments)
    }

    /// The checksum of a method and arguments.
    package static func checksum(of method: String, _ arguments: [[UInt8]]) -> UInt32 {
        arguments.reduce(CRC32C.checksum(method.utf8)) { $0 &* 31 &+ CRC32C.checksum($1) }
    }
}
