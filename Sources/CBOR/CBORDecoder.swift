/// Decodes `Codable` values from CBOR (RFC 8949) that may come from anyone.
///
/// The input is checked as a whole before anything is read from it: it must be one well-formed item within the limits,
/// without repeated map keys, invalid UTF-8 or unknown simple values, and without bytes behind it. It need not be
/// deterministic: other orders, longer heads and indefinite lengths are fine. Tags are passed over to their content,
/// except bignums. Map keys that a type does not ask for are ignored, and so is every key that is neither text nor an
/// integer within `Int`, also when a dictionary is decoded. Null and undefined both mean `nil`.
public struct CBORDecoder: Sendable {
    /// What an input may cost.
    public struct Limits: Sendable, Equatable {
        /// How many arrays, maps and tags may lie inside one another, from 1 to 512.
        public var depthMax = 64

        /// How long the input may be.
        public var totalBytesMax = 256 << 20

        /// How many bytes the decoder may allocate in all for strings, indexes and value trees; nil stands for 32 times
        /// the input, which every tree of an input fits, plus 1 MiB. What the decoded types allocate is not counted.
        public var allocationBudget: Int?

        /// Creates the default limits.
        public init() {}
    }

    /// Values that the decoded types can read from `decoder.userInfo`.
    public var userInfo: [CodingUserInfoKey: any Sendable] = [:]

    /// What an input may cost.
    public var limits = Limits()

    /// Creates a decoder with the default limits and no user info.
    public init() {}

    /// Decodes a value from bytes.
    ///
    /// - Throws: `DecodingError`, and whatever the value's own `init(from:)` throws.
    public func decode<Value: Decodable>(_ type: Value.Type, from bytes: [UInt8]) throws -> Value {
        try decode(type, from: bytes[...])
    }

    /// Decodes a value from a part of a larger buffer, without copying it.
    ///
    /// - Throws: `DecodingError`, and whatever the value's own `init(from:)` throws.
    public func decode<Value: Decodable>(_ type: Value.Type, from bytes: ArraySlice<UInt8>) throws -> Value {
        try decode(type, from: bytes, parts: [])
    }

    /// Decodes a value whose large byte strings lie beside its bytes.
    ///
    /// - Throws: `DecodingError`, and whatever the value's own `init(from:)` throws.
    package func decode<Value: Decodable>(
        _ type: Value.Type,
        from bytes: ArraySlice<UInt8>,
        parts: [BytePart]
    ) throws -> Value {
        let session = try session(for: bytes, parts)
        let position = session.bytes.startIndex
        return try session.decode(type, at: position, []) {
            let root = DecoderNode(session: session)
            return try root.decodeIndirectly(type, at: position, key: nil, depth: 0)
        }
    }

    private func session(for bytes: ArraySlice<UInt8>, _ parts: [BytePart]) throws -> DecodingSession {
        let depthMax = min(max(limits.depthMax, 1), 512)
        do {
            let count = parts.reduce(bytes.count) { $0 + $1.count }
            guard count <= limits.totalBytesMax else {
                throw Malformed("\(count) bytes are more than \(limits.totalBytesMax)", at: bytes.startIndex)
            }
            var scanner = Scanner(bytes: bytes, depthMax: depthMax, partCount: parts.count)
            try scanner.scanInput()
            var budget = limits.allocationBudget ?? bytes.count.saturating(times: 32, plus: 1 << 20)
            var ordered = bytes
            if !scanner.isOrdered {
                budget -= bytes.count.saturating(
                    times: 2,
                    plus: scanner.entryCount * MemoryLayout<MapEntry>.stride
                )
                guard budget >= 0 else { throw Malformed("decoding would exceed its budget", at: bytes.startIndex) }
                ordered = try Normaliser.normalised(bytes)[...]
            }
            return DecodingSession(
                bytes: ordered,
                parts: parts,
                userInfo: userInfo,
                depthMax: depthMax,
                budget: budget
            )
        } catch let error as Malformed {
            let offset = error.position - bytes.startIndex
            throw DecodingError.dataCorrupted(
                .init(codingPath: [], debugDescription: "\(error.message) (at byte \(offset))", underlyingError: nil)
            )
        }
    }
}

extension Int {
    /// The product and sum, or the largest integer if they overflow.
    func saturating(times factor: Int, plus addend: Int) -> Int {
        let (product, overflow) = multipliedReportingOverflow(by: factor)
        guard !overflow else { return .max }
        let (sum, sumOverflow) = product.addingReportingOverflow(addend)
        return sumOverflow ? .max : sum
    }
}
