/// The eight major types of RFC 8949, section 3.1.
enum MajorType {
    static let unsigned: UInt8 = 0
    static let negative: UInt8 = 1
    static let bytes: UInt8 = 2
    static let text: UInt8 = 3
    static let array: UInt8 = 4
    static let map: UInt8 = 5
    static let tag: UInt8 = 6
    static let simple: UInt8 = 7
}

/// Single bytes that mean something on their own.
enum InitialByte {
    static let falseValue: UInt8 = 0xf4
    static let trueValue: UInt8 = 0xf5
    static let null: UInt8 = 0xf6
    static let undefined: UInt8 = 0xf7
    /// A simple value whose number follows.
    static let simpleByte: UInt8 = 0xf8
    static let half: UInt8 = 0xf9
    static let single: UInt8 = 0xfa
    static let double: UInt8 = 0xfb
    static let breakStop: UInt8 = 0xff
}

/// Tag numbers with a meaning here.
enum TagNumber {
    static let positiveBignum: UInt64 = 2
    static let negativeBignum: UInt64 = 3
}

/// Bytes that are not well-formed CBOR or break a limit; turned into a `DecodingError` before they leave the module.
struct Malformed: Error {
    var message: String
    var position: Int

    init(_ message: String, at position: Int) {
        self.message = message
        self.position = position
    }
}

/// The initial byte of an item and its argument.
struct Head {
    var major: UInt8
    /// The low five bits of the initial byte; 31 marks an indefinite length or a break.
    var additional: UInt8
    var argument: UInt64
    /// Where the item's content, or the next item, begins.
    var next: Int

    var isIndefinite: Bool { additional == 31 }

    /// True if the argument is written in its shortest form.
    var isShortest: Bool {
        switch additional {
        case 24: argument >= 24
        case 25: argument > 0xff
        case 26: argument > 0xffff
        case 27: argument > 0xffff_ffff
        default: true
        }
    }

    /// Reads the head at `position`, refusing truncated ones and the reserved additional values 28 to 30.
    @inline(__always)
    static func read(_ bytes: Input, at position: Int) throws(Malformed) -> Head {
        guard position < bytes.count else { throw Malformed("the input ends before an item", at: position) }
        let initial = bytes[position]
        let additional = initial & 0x1f
        if additional < 24 {
            return Head(
                major: initial >> 5,
                additional: additional,
                argument: UInt64(additional),
                next: position + 1
            )
        }
        if additional > 27 {
            guard additional == 31 else { throw Malformed("reserved head \(initial)", at: position) }
            return Head(major: initial >> 5, additional: additional, argument: 0, next: position + 1)
        }
        let width = 1 << Int(additional - 24)
        guard bytes.count - position > width else { throw Malformed("the input ends inside a head", at: position) }
        return trusted(bytes, at: position)
    }

    /// Reads the head at `position` of bytes that a `Scanner` has accepted.
    @inline(__always)
    static func trusted(_ bytes: Input, at position: Int) -> Head {
        let initial = bytes[position]
        let additional = initial & 0x1f
        guard additional >= 24 && additional <= 27 else {
            return Head(
                major: initial >> 5,
                additional: additional,
                argument: UInt64(additional),
                next: position + 1
            )
        }
        let width = 1 << Int(additional - 24)
        let argument = bytes.number(at: position + 1, width: width)
        return Head(major: initial >> 5, additional: additional, argument: argument, next: position + 1 + width)
    }

    /// The value of a floating-point item; nil if the item is anything else.
    var float: Double? {
        guard major == MajorType.simple else { return nil }
        switch additional {
        case 25: return HalfPrecision.value(UInt16(truncatingIfNeeded: argument))
        case 26: return Double(Float(bitPattern: UInt32(truncatingIfNeeded: argument)))
        case 27: return Double(bitPattern: argument)
        default: return nil
        }
    }

    /// What kind of item starts with this head, in words for error messages.
    var kind: String {
        switch major {
        case MajorType.unsigned, MajorType.negative: "an integer"
        case MajorType.bytes: "a byte string"
        case MajorType.text: "a text string"
        case MajorType.array: "an array"
        case MajorType.map: "a map"
        case MajorType.tag: "a tagged item"
        default:
            switch additional {
            case 20, 21: "a Boolean"
            case 22: "null"
            case 23: "undefined"
            case 24: "a byte string"
            default: "a floating-point number"
            }
        }
    }
}
