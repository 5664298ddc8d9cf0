/// Any CBOR item, for data whose type is not known.
///
/// Decoding a `CBORValue` with `CBORDecoder` gives the item as it is, tags included; encoding one with `CBOREncoder`
/// writes it in its deterministic form. Other coders are refused, because their formats cannot hold every item.
/// A `CBORValue?` cannot tell `nil` from `.null`: both are null.
public enum CBORValue: Sendable {
    /// An integer from 0 to 2^64 - 1.
    case unsigned(UInt64)
    /// The integer -1 - n, which reaches from -1 to -2^64.
    case negative(UInt64)
    /// A byte string.
    case bytes([UInt8])
    /// A text string.
    case text(String)
    /// An array.
    case array([CBORValue])
    /// A map; the order of its entries has no meaning, and no key may occur twice.
    case map([Entry])
    /// An item with a tag number in front of it.
    indirect case tagged(UInt64, CBORValue)
    /// True or false.
    case bool(Bool)
    /// The absence of a value.
    case null
    /// The simple value that JavaScript calls undefined.
    case undefined
    /// A floating-point number of any width.
    case float(Double)

    /// One entry of a map.
    public struct Entry: Sendable, Equatable {
        /// The key, which may be any item.
        public var key: CBORValue
        /// The value.
        public var value: CBORValue

        /// Creates an entry.
        public init(_ key: CBORValue, _ value: CBORValue) {
            self.key = key
            self.value = value
        }
    }
}

extension CBORValue {
    /// The item for an integer of at most 65 bits; a bignum beyond.
    public init(_ integer: some FixedWidthInteger) {
        if let small = UInt64(exactly: integer) {
            self = .unsigned(small)
        } else if integer < 0, let small = UInt64(exactly: ~integer) {
            self = .negative(small)
        } else {
            let digits = integer < 0 ? ~integer : integer
            let bytes = stride(from: digits.bitWidth - 8, through: 0, by: -8)
                .map { UInt8(truncatingIfNeeded: digits >> $0) }
                .drop { $0 == 0 }
            self = .tagged(
                integer < 0 ? TagNumber.negativeBignum : TagNumber.positiveBignum,
                .bytes(Array(bytes))
            )
        }
    }

    /// The value of an entry of a map with text keys; nil if this is no map or has no such entry.
    public subscript(key: String) -> CBORValue? {
        guard case .map(let entries) = self else { return nil }
        return entries.first { $0.key == .text(key) }?.value
    }
}

extension CBORValue: Equatable {
    /// Two items are equal if their deterministic encodings are: entries of maps may be in any order, every NaN is the
    /// same, and 0.0 is not -0.0.
    public static func == (left: CBORValue, right: CBORValue) -> Bool {
        switch (left, right) {
        case (.unsigned(let left), .unsigned(let right)): left == right
        case (.negative(let left), .negative(let right)): left == right
        case (.bytes(let left), .bytes(let right)): left == right
        case (.text(let left), .text(let right)): left.utf8.elementsEqual(right.utf8)
        case (.array(let left), .array(let right)): left == right
        case (.map(let left), .map(let right)): haveSameEntries(left, right)
        case (.tagged(let leftTag, let left), .tagged(let rightTag, let right)): leftTag == rightTag && left == right
        case (.bool(let left), .bool(let right)): left == right
        case (.null, .null), (.undefined, .undefined): true
        case (.float(let left), .float(let right)):
            left.bitPattern == right.bitPattern || left.isNaN && right.isNaN
        default: false
        }
    }

    private static func haveSameEntries(_ left: [Entry], _ right: [Entry]) -> Bool {
        guard left.count == right.count else { return false }
        if left.elementsEqual(right) { return true }
        // Out of order, or different: a map that cannot be encoded is equal to none.
        var leftWriter = Writer()
        var rightWriter = Writer()
        do {
            try leftWriter.write(.map(left), depth: 0, limit: .max) { Malformed($0, at: 0) }
            try rightWriter.write(.map(right), depth: 0, limit: .max) { Malformed($0, at: 0) }
        } catch {
            return false
        }
        return leftWriter.bytes.elements.elementsEqual(rightWriter.bytes.elements)
    }
}

extension CBORValue: ExpressibleByIntegerLiteral, ExpressibleByStringLiteral, ExpressibleByArrayLiteral,
    ExpressibleByDictionaryLiteral, ExpressibleByBooleanLiteral, ExpressibleByFloatLiteral, ExpressibleByNilLiteral
{
    /// An integer.
    public init(integerLiteral value: Int) { self.init(value) }

    /// A text string.
    public init(stringLiteral value: String) { self = .text(value) }

    /// An array.
    public init(arrayLiteral elements: CBORValue...) { self = .array(elements) }

    /// A map.
    public init(dictionaryLiteral elements: (CBORValue, CBORValue)...) {
        self = .map(elements.map { Entry($0.0, $0.1) })
    }

    /// True or false.
    public init(booleanLiteral value: Bool) { self = .bool(value) }

    /// A floating-point number.
    public init(floatLiteral value: Double) { self = .float(value) }

    /// Null.
    public init(nilLiteral: ()) { self = .null }
}
