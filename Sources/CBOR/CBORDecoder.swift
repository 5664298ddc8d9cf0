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
        try bytes.withUnsafeBufferPointer { try decode(type, from: Input($0)) }
    }

    /// Decodes a value from a part of a larger buffer, without copying it.
    ///
    /// - Throws: `DecodingError`, and whatever the value's own `init(from:)` throws.
    public func decode<Value: Decodable>(_ type: Value.Type, from bytes: ArraySlice<UInt8>) throws -> Value {
        try bytes.withUnsafeBufferPointer { try decode(type, from: Input($0)) }
    }

    /// Decodes a value whose large byte strings lie beside its bytes.
    ///
    /// - Throws: `DecodingError`, and whatever the value's own `init(from:)` throws.
    package func decode<Value: Decodable>(
        _ type: Value.Type,
        from bytes: [UInt8],
        parts: [BytePart]
    ) throws -> Value {
        try bytes.withUnsafeBufferPointer { try decode(type, from: Input($0), parts) }
    }

    private func decode<Value: Decodable>(
        _ type: Value.Type,
        from input: Input,
        _ parts: [BytePart] = []
    ) throws -> Value {
        let form = DirectForm(type)
        if input.count <= limits.totalBytesMax && limits.allocationBudget == nil {
            switch form {
            case .int: if let integer = input.plainInteger { return known(integer, as: type) }
            case .string: if let string = input.plainString { return known(string, as: type) }
            case .bool: if let flag = input.plainBoolean { return known(flag, as: type) }
            default: break
            }
        }
        let kit = DecodingKit.take()
        do {
            try begin(kit.session, input, parts)
            if !parts.isEmpty { kit.session.add(parts) }
            let value = try kit.decode(type, form)
            kit.keep()
            return value
        } catch {
            kit.discard()
            throw error
        }
    }

    /// Checks the input and makes it that of a session.
    private func begin(_ session: DecodingSession, _ input: Input, _ parts: [BytePart]) throws {
        let depthMax = min(max(limits.depthMax, 1), 512)
        do {
            let byteCount = parts.isEmpty ? input.count : parts.reduce(input.count) { $0 + $1.count }
            guard byteCount <= limits.totalBytesMax else {
                throw Malformed("\(byteCount) bytes are more than \(limits.totalBytesMax)", at: 0)
            }
            var scanner = Scanner(bytes: input, depthMax: depthMax, partCount: parts.count)
            try scanner.scanInput()
            var budget = limits.allocationBudget ?? byteCount.saturating(times: 32, plus: 1 << 20)
            if scanner.isOrdered {
                session.begin(input, userInfo: userInfo, depthMax: depthMax, budget: budget)
                return
            }
            let entryBytes = scanner.entryCount * MemoryLayout<MapEntry>.stride
            budget -= input.count.saturating(times: 2, plus: entryBytes)
            guard budget >= 0 else { throw Malformed("decoding would exceed its budget", at: 0) }
            let ordered = try Normaliser.normalised(input)
            session.begin(input, userInfo: userInfo, depthMax: depthMax, budget: budget)
            ordered.withUnsafeBufferPointer { session.replaceBytes($0) }
        } catch let error as Malformed {
            throw DecodingError.dataCorrupted(
                .init(
                    codingPath: [],
                    debugDescription: "\(error.message) (at byte \(error.position))",
                    underlyingError: nil
                )
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
