/// Encodes `Codable` values as deterministic CBOR (RFC 8949, section 4.2.1).
///
/// Equal values give equal bytes as long as their `encode(to:)` writes the same things: map keys are sorted, numbers
/// take their shortest form, and sets and dictionaries come in the order of their encoded members or keys.
/// Properties become map entries under their names; `CodedTypes.swift` says how dates, data, dictionaries and nested
/// optionals look. If a key is written twice in one map, the last value stays.
public struct CBOREncoder: Sendable {
    /// Values that the encoded types can read from `encoder.userInfo`.
    public var userInfo: [CodingUserInfoKey: any Sendable] = [:]

    /// How many arrays and maps may lie inside one another, from 1 to 512; a deeper value is refused.
    public var depthMax = 64

    /// Creates an encoder with the default depth and no user info.
    public init() {}

    /// Encodes a value.
    ///
    /// - Throws: `EncodingError` if the value is nested too deeply or misuses its containers, and whatever the value's
    ///   own `encode(to:)` throws.
    public func encode<Value: Encodable>(_ value: Value) throws -> [UInt8] {
        var bytes: [UInt8] = []
        try encode(value, appendingTo: &bytes)
        return bytes
    }

    /// Encodes a value behind the bytes that are already in a buffer, which stays as it was if this throws.
    ///
    /// - Throws: the same as `encode(_:)`.
    public func encode<Value: Encodable>(_ value: Value, appendingTo bytes: inout [UInt8]) throws {
        var parts: [BytePart]?
        try encode(value, appendingTo: &bytes, detaching: &parts)
    }

    /// Encodes a value without its large byte strings, which are appended to `parts` instead.
    ///
    /// - Throws: the same as `encode(_:)`.
    package func encode<Value: Encodable>(_ value: Value, detaching parts: inout [BytePart]) throws -> [UInt8] {
        var bytes: [UInt8] = []
        var taken: [BytePart]? = parts
        try encode(value, appendingTo: &bytes, detaching: &taken)
        if let taken { parts = taken }
        return bytes
    }

    private func encode<Value: Encodable>(
        _ value: Value,
        appendingTo bytes: inout [UInt8],
        detaching parts: inout [BytePart]?
    ) throws {
        var writer = Writer(bytes: bytes)
        writer.parts = parts
        bytes = []
        let byteCount = writer.bytes.count
        if writer.writeDirectly(value) {
            bytes = writer.bytes
            parts = writer.parts
            return
        }
        writer.reserve()
        let sink = EncodingSink(writer: writer)
        writer.bytes = []
        do {
            let session = EncodingSession(userInfo: userInfo, depthMax: min(max(depthMax, 1), 512))
            let root = EncoderNode(session: session, sink: sink)
            root.open(type: nil, parent: nil, key: nil, level: 0, depth: 0)
            try root.encodeIndirectly(value, key: nil, depth: 0)
            if let failure = session.failure { throw failure }
            bytes = sink.writer.bytes
            parts = sink.writer.parts
        } catch {
            sink.writer.truncate(byteCount: byteCount, entryCount: 0)
            bytes = sink.writer.bytes
            throw error
        }
    }
}
