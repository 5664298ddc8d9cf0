import CBOR

extension CodingUserInfoKey {
    static let mark = CodingUserInfoKey(rawValue: "mark")!
    static let box = CodingUserInfoKey(rawValue: "box")!
}

enum PairKey: String, CodingKey {
    case first, second
}

struct Pair: Codable, Equatable {
    var first: Int
    var second: String
}

struct Deep: Codable, Equatable {
    var pairs: [Pair]
    var names: [String: Pair]
    var numbers: [Int]
}

/// Keeps its encoder and container for later.
final class EncoderKeeper: Encodable {
    struct Failure: Error {}

    let fails: Bool
    var encoder: (any Encoder)?
    var container: KeyedEncodingContainer<PairKey>?

    init(fails: Bool = false) {
        self.fails = fails
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: PairKey.self)
        try container.encode(1, forKey: .first)
        self.encoder = encoder
        self.container = container
        if fails { throw Failure() }
    }
}

/// Leaves a member out if it cannot be encoded.
struct Forgiving: Encodable {
    let keeper: EncoderKeeper

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: NameKey.self)
        do {
            try container.encode(keeper, forKey: NameKey("keeper"))
        } catch is EncoderKeeper.Failure {
            try container.encode(1, forKey: NameKey("last"))
        }
    }
}

/// Misuses its encoder.
struct Twice: Encodable {
    func encode(to encoder: any Encoder) throws {
        _ = encoder.unkeyedContainer()
        _ = encoder.container(keyedBy: PairKey.self)
    }
}

struct NameKey: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }

    init(_ name: String) { stringValue = name }
    init?(stringValue: String) { self.init(stringValue) }
    init?(intValue: Int) { nil }
}

/// Writes the index of each key under it, in the order of the keys.
struct AnyOrder: Encodable {
    var keys: [String]

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: NameKey.self)
        for (index, key) in keys.enumerated() { try container.encode(index, forKey: NameKey(key)) }
    }
}

/// What `Recursive` encodes, its inner value already encoded.
struct Nesting: Encodable {
    var depth: Int
    var inner: [UInt8]
}

/// Encodes a smaller one by itself while it is encoded.
struct Recursive: Encodable {
    var depth: Int

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: NameKey.self)
        try container.encode(depth, forKey: NameKey("depth"))
        guard depth > 0 else { return }
        let inner = try CBOREncoder().encode(Recursive(depth: depth - 1))
        try container.encode(inner, forKey: NameKey("inner"))
    }
}

/// What user info says.
struct Marked: Codable {
    var text: String

    init() { text = "" }

    init(from decoder: any Decoder) throws {
        text = decoder.userInfo[.mark] as? String ?? "none"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(encoder.userInfo[.mark] as? String ?? "none")
    }
}

/// Keeps its decoder for later.
struct DecoderKeeper: Decodable {
    let decoder: any Decoder

    init(from decoder: any Decoder) throws {
        self.decoder = decoder
    }
}

// SAFETY: used by one task alone.
final class DecoderBox: @unchecked Sendable {
    var decoder: (any Decoder)?
}

/// Keeps its decoder in the box of the user info and fails.
struct FailingReader: Decodable {
    struct Failure: Error {}

    init(from decoder: any Decoder) throws {
        (decoder.userInfo[.box] as? DecoderBox)?.decoder = decoder
        throw Failure()
    }
}

/// Reads the elements that do not fail.
struct ForgivingReader: Decodable {
    var count = 0

    init(from decoder: any Decoder) throws {
        var container = try decoder.unkeyedContainer()
        do {
            _ = try container.decode(FailingReader.self)
            count += 1
        } catch is FailingReader.Failure {}
    }
}

struct Sparse: Codable, Equatable {
    var a: Int?
    var bb: Int?
    var ccc: Int?
    var aLongName: Int?
    var aLongNamf: Int?

    var members: [(String, Int?)] {
        [("a", a), ("bb", bb), ("ccc", ccc), ("aLongName", aLongName), ("aLongNamf", aLongNamf)]
    }
}
