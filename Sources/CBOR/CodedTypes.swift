// How types whose Codable form is not obvious look in CBOR. None of this needs Foundation.
//
// - `[UInt8]` and `ContiguousArray<UInt8>` are byte strings, and are recognised by their static type, so an empty one
//   is an empty byte string. Any other array whose elements are all written as `UInt8` is a byte string too; this is
//   how Foundation's `Data` comes out, which codes itself through an unkeyed container of `UInt8`. Only when it is
//   empty can such an array not be told from others: an empty `Data` is an empty array. Unkeyed decoding containers,
//   and `[UInt8]`, read both byte strings and arrays of integers.
// - Foundation's `Date` codes itself as one `Double`, the seconds since 2001-01-01T00:00:00Z, and is a
//   floating-point number without a tag. `UUID` codes itself as text.
// - `[Int: T]` is a map with integer keys. Every other dictionary that Codable writes as a map has text keys, and the
//   rest are arrays of alternating keys and values, as Codable defines them.
// - `nil` is null. In `T??`, `.some(nil)` is null inside tag 55799 ("self-described CBOR"), once more for each further
//   level; the tag means nothing to other readers, who see null. Everything else in `T??` looks as in `T`.
//   A property of type `T??` is left out when it is `nil`, as properties of type `T?` are.

/// Lets `Optional` be recognised from a metatype.
protocol OptionalShape {
    /// True for `T??` and deeper.
    static var wrapsOptional: Bool { get }
}

extension Optional: OptionalShape {
    static var wrapsOptional: Bool { Wrapped.self is any OptionalShape.Type }
}

/// Lets dictionaries be recognised from a metatype.
protocol DictionaryShape {
    /// True for `[Int: T]`.
    static var hasIntegerKeys: Bool { get }
}

extension Dictionary: DictionaryShape {
    static var hasIntegerKeys: Bool { Key.self == Int.self }
}

/// Tells whether a type is `T??` or deeper.
func isNestedOptional(_ type: (any Any.Type)?) -> Bool {
    (type as? any OptionalShape.Type)?.wrapsOptional ?? false
}

/// The tag that marks a present `nil` inside an optional.
enum NilMarker {
    /// The head of tag 55799.
    static let bytes: [UInt8] = [0xd9, 0xd9, 0xf7]

    /// How many markers precede the null at `position`, or nil if what is there is anything else.
    static func count<Bytes>(_ source: Bytes, at position: Int) -> Int?
    where Bytes: RandomAccessCollection<UInt8>, Bytes.Index == Int {
        var position = position
        var count = 0
        while position < source.endIndex {
            if source[position] == InitialByte.null { return count }
            guard source[position] == bytes[0], source.endIndex - position > 3,
                source[position + 1] == bytes[1], source[position + 2] == bytes[2]
            else { return nil }
            position += 3
            count += 1
        }
        return nil
    }
}

/// Views a value of a generic type as the concrete type that it is known to have.
@inline(__always)
func known<Known, Value>(_ value: Value, as type: Known.Type) -> Known {
    // SAFETY: callers have compared the metatypes, so both names stand for one type.
    unsafe unsafeBitCast(value, to: type)
}

extension Writer {
    /// Writes a value whose type has a direct form, without going through its `encode(to:)`.
    ///
    /// - Returns: false, having written nothing, for any other type.
    mutating func writeDirectly<Value>(_ value: Value) -> Bool {
        if Value.self == String.self {
            write(known(value, as: String.self))
        } else if Value.self == Int.self {
            write(known(value, as: Int.self))
        } else if Value.self == Double.self {
            write(known(value, as: Double.self))
        } else if Value.self == Bool.self {
            write(known(value, as: Bool.self))
        } else if Value.self == [UInt8].self {
            write(array: known(value, as: [UInt8].self))
        } else if Value.self == Float.self {
            write(Double(known(value, as: Float.self)))
        } else if Value.self == ContiguousArray<UInt8>.self {
            write(byteString: known(value, as: ContiguousArray<UInt8>.self))
        } else {
            return writeIntegerDirectly(value)
        }
        return true
    }

    private mutating func writeIntegerDirectly<Value>(_ value: Value) -> Bool {
        if Value.self == Int64.self {
            write(known(value, as: Int64.self))
        } else if Value.self == UInt64.self {
            write(known(value, as: UInt64.self))
        } else if Value.self == Int32.self {
            write(known(value, as: Int32.self))
        } else if Value.self == UInt32.self {
            write(known(value, as: UInt32.self))
        } else if Value.self == UInt8.self {
            write(known(value, as: UInt8.self))
        } else if Value.self == UInt.self {
            write(known(value, as: UInt.self))
        } else {
            return writeRareIntegerDirectly(value)
        }
        return true
    }

    private mutating func writeRareIntegerDirectly<Value>(_ value: Value) -> Bool {
        if Value.self == Int16.self {
            write(known(value, as: Int16.self))
        } else if Value.self == UInt16.self {
            write(known(value, as: UInt16.self))
        } else if Value.self == Int8.self {
            write(known(value, as: Int8.self))
        } else if Value.self == Int128.self {
            write(known(value, as: Int128.self))
        } else if Value.self == UInt128.self {
            write(known(value, as: UInt128.self))
        } else {
            return false
        }
        return true
    }
}
