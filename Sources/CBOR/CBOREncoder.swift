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
        let form = DirectForm(Value.self)
        if form.isSingle { return single(value, form) }
        let kit = EncodingKit.take()
        try kit.encode(value, form: form, userInfo: userInfo, depthMax: depthMax)
        let bytes = kit.sink.writer.pointee.bytes.array()
        EncodingKit.keep(kit)
        return bytes
    }

    /// Encodes a value behind the bytes that are already in a buffer, which stays as it was if this throws.
    ///
    /// - Throws: the same as `encode(_:)`.
    public func encode<Value: Encodable>(_ value: Value, appendingTo bytes: inout [UInt8]) throws {
        let form = DirectForm(Value.self)
        if form.isSingle {
            append(value, form, to: &bytes)
            return
        }
        let kit = EncodingKit.take()
        try kit.encode(value, form: form, userInfo: userInfo, depthMax: depthMax)
        bytes.append(contentsOf: kit.sink.writer.pointee.bytes.elements)
        EncodingKit.keep(kit)
    }

    /// Encodes a value without its large byte strings, which are appended to `parts` instead.
    ///
    /// - Throws: the same as `encode(_:)`; `parts` is then as before.
    package func encode<Value: Encodable>(_ value: Value, detaching parts: inout [BytePart]) throws -> [UInt8] {
        let form = DirectForm(Value.self)
        if form.isSingle {
            guard form == .bytes, let reference = BytePart.detach(known(value, as: [UInt8].self), to: &parts) else {
                return single(value, form)
            }
            return reference
        }
        let kit = EncodingKit.take()
        let partCount = parts.count
        kit.sink.writer.pointee.beginDetaching(&parts)
        do {
            try kit.encode(value, form: form, userInfo: userInfo, depthMax: depthMax)
        } catch {
            kit.sink.writer.pointee.endDetaching(&parts)
            parts.removeSubrange(partCount...)
            throw error
        }
        kit.sink.writer.pointee.endDetaching(&parts)
        let bytes = kit.sink.writer.pointee.bytes.array()
        EncodingKit.keep(kit)
        return bytes
    }

    private func single<Value>(_ value: Value, _ form: DirectForm) -> [UInt8] {
        let capacity = form.byteCountMax(value)
        guard capacity > 512 else { return withShort(value, form, capacity) { Array($0) } }
        return [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
            var memory = Memory(filling: UnsafeMutableBufferPointer(rebasing: buffer[..<capacity]))
            memory.write(value, as: form)
            count = memory.count
        }
    }

    private func append<Value>(_ value: Value, _ form: DirectForm, to bytes: inout [UInt8]) {
        withShort(value, form, form.byteCountMax(value)) { bytes.append(contentsOf: $0) }
    }

    /// Writes a single value to the stack, unless it is long.
    @inline(__always)
    private func withShort<Value, Result>(
        _ value: Value,
        _ form: DirectForm,
        _ capacity: Int,
        _ body: (UnsafeBufferPointer<UInt8>) -> Result
    ) -> Result {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: capacity) { buffer in
            var memory = Memory(filling: buffer)
            memory.write(value, as: form)
            return body(memory.elements)
        }
    }
}
