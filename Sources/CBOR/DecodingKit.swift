/// All that a decoding needs, kept from one to the next.
final class DecodingKit {
    private static let shelf = Shelf<DecodingKit>()

    private(set) var session = DecodingSession()
    private var root: DecoderNode?

    private init() {
        root = DecoderNode(session: session)
    }

    static func take() -> DecodingKit { shelf.take() ?? DecodingKit() }

    /// Decodes the item at the start of the session's bytes.
    func decode<Value: Decodable>(_ type: Value.Type, _ form: DirectForm) throws -> Value {
        if form.isSingle || form == .item { return try session.decode(type, as: form, at: 0, []) }
        guard let root else { preconditionFailure("the kit is no longer in use") }
        return try root.decodeIndirectly(type, form: form, at: 0, key: nil, depth: 0)
    }

    /// Keeps the kit for another decoding, unless something of it may still be in use.
    func keep() {
        guard session.isReusable else { return discard() }
        session.end()
        Self.shelf.keep(self)
    }

    /// Ends the decoding for good. Decoders that someone still holds go on with a copy of the bytes, because the
    /// caller's are about to go.
    func discard() {
        root = nil
        var last = session
        session = DecodingSession()
        if !isKnownUniquelyReferenced(&last) { last.replaceBytes(last.bytes.all) }
    }
}
