/// What all nodes of one encoding share.
final class EncodingSession {
    // SAFETY: these are only read and assigned, and what is assigned runs no code of the encoded types.
    @exclusivity(unchecked) private(set) var userInfo: [CodingUserInfoKey: any Sendable] = [:]
    @exclusivity(unchecked) private(set) var depthMax = 0
    /// How many values may be open inside one another; values without a container of their own count too.
    @exclusivity(unchecked) private(set) var levelMax = 0
    /// The first misuse that was noticed where nothing can be thrown; ends the encoding when a value is closed.
    @exclusivity(unchecked) var failure: EncodingError?
    /// False once a node may be known to someone who could use it after the encoding.
    @exclusivity(unchecked) var isReusable = true
    /// What was found out about types, by a hash of the type.
    // SAFETY: no access runs code of the encoded types.
    @exclusivity(unchecked) private var traits = Array(repeating: TypeTraits(), count: 64)

    func begin(userInfo: [CodingUserInfoKey: any Sendable], depthMax: Int) {
        if !userInfo.isEmpty { self.userInfo = userInfo }
        self.depthMax = depthMax
        levelMax = depthMax * 2 + 16
    }

    func end() {
        if !userInfo.isEmpty { userInfo = [:] }
    }

    /// What matters about a type, looked up once.
    @inline(__always)
    func traits<Value>(of type: Value.Type) -> TypeTraits {
        let owner = UInt(bitPattern: ObjectIdentifier(type))
        let slot = Int(truncatingIfNeeded: (owner >> 4) ^ (owner >> 10)) & 63
        let known = traits[slot]
        return known.owner == owner ? known : learn(type, owner: owner, slot: slot)
    }

    @inline(never)
    private func learn(_ type: any Any.Type, owner: UInt, slot: Int) -> TypeTraits {
        let learnt = TypeTraits(
            owner: owner,
            mayBeHashOrdered: type is any HashOrdered.Type || type is any OptionalShape.Type,
            hasIntegerKeys: (type as? any DictionaryShape.Type)?.hasIntegerKeys ?? false
        )
        traits[slot] = learnt
        return learnt
    }
}

/// What matters about a type when its values are encoded.
struct TypeTraits {
    /// Stands for the type; 0 for none.
    var owner: UInt = 0
    /// True if a value can turn out to be a `HashOrdered` one, by itself or inside an optional.
    var mayBeHashOrdered = false
    /// True for dictionaries that are written with integer keys.
    var hasIntegerKeys = false
}

/// The buffer that nested nodes write into one after the other.
final class EncodingSink {
    // SAFETY: the memory lives as long as this object, and an access to the writer never runs code of the encoded
    // types, so accesses cannot overlap.
    let writer: UnsafeMutablePointer<Writer>

    init(writer: consuming Writer = Writer()) {
        self.writer = .allocate(capacity: 1)
        self.writer.initialize(to: writer)
    }

    deinit {
        writer.deinitialize(count: 1)
        writer.deallocate()
    }
}

/// All that an encoding needs, kept from one to the next.
final class EncodingKit {
    /// A kit whose memory has grown larger is not kept.
    private static let byteCountMax = 64 << 10
    private static let entryCountMax = 4096
    private static let shelf = Shelf<EncodingKit>()

    let sink = EncodingSink()
    let session = EncodingSession()
    private let root: EncoderNode

    private init() {
        root = EncoderNode(session: session, sink: sink)
    }

    static func take() -> EncodingKit { shelf.take() ?? EncodingKit() }

    /// Keeps the kit for another encoding, unless something of it may still be in use.
    static func keep(_ kit: EncodingKit) {
        guard kit.session.isReusable, kit.sink.writer.pointee.bytes.capacity <= byteCountMax,
            kit.sink.writer.pointee.entries.capacity <= entryCountMax
        else { return }
        kit.session.end()
        shelf.keep(kit)
    }

    /// Writes a value into the empty buffer of the sink.
    func encode<Value: Encodable>(
        _ value: Value,
        form: DirectForm,
        userInfo: [CodingUserInfoKey: any Sendable],
        depthMax: Int
    ) throws {
        session.begin(userInfo: userInfo, depthMax: min(max(depthMax, 1), 512))
        sink.writer.pointee.truncate(byteCount: 0, entryCount: 0)
        root.open(type: nil, parent: nil, key: nil, level: 0, depth: 0)
        try root.encodeIndirectly(value, form: form, key: nil, depth: 0)
        if let failure = session.failure { throw failure }
    }
}
