/// How values of a type are written and read without going through their own `encode(to:)` and `init(from:)`.
enum DirectForm: UInt8 {
    /// Through the type's own code.
    case none
    case string, int, double, bool, bytes, float, contiguousBytes, item
    case int64, uint64, int32, uint32, uint8, uint, int16, uint16, int8, int128, uint128
    case strings, ints, doubles

    /// Finds the form by comparing the type with those that have one, the most frequent first.
    @inline(__always)
    init<Value>(_ type: Value.Type) {
        if type == String.self {
            self = .string
        } else if type == Int.self {
            self = .int
        } else if type == Double.self {
            self = .double
        } else if type == Bool.self {
            self = .bool
        } else {
            self = Self.rare(type)
        }
    }

    private static func rare<Value>(_ type: Value.Type) -> DirectForm {
        if type == [UInt8].self { return .bytes }
        if type == [String].self { return .strings }
        if type == [Int].self { return .ints }
        if type == [Double].self { return .doubles }
        if type == Float.self { return .float }
        if type == Int64.self { return .int64 }
        if type == UInt64.self { return .uint64 }
        if type == Int32.self { return .int32 }
        if type == UInt32.self { return .uint32 }
        if type == UInt8.self { return .uint8 }
        if type == UInt.self { return .uint }
        if type == Int16.self { return .int16 }
        if type == UInt16.self { return .uint16 }
        if type == Int8.self { return .int8 }
        if type == Int128.self { return .int128 }
        if type == UInt128.self { return .uint128 }
        if type == ContiguousArray<UInt8>.self { return .contiguousBytes }
        return type == CBORValue.self ? .item : .none
    }

    /// True for values without a container, which can be written anywhere.
    var isSingle: Bool {
        switch self {
        case .none, .item, .strings, .ints, .doubles: false
        default: true
        }
    }
}

extension DirectForm {
    /// How many bytes a single value takes at most.
    func byteCountMax<Value>(_ value: Value) -> Int {
        switch self {
        case .string: 9 + known(value, as: String.self).utf8.count
        case .bytes: 9 + known(value, as: [UInt8].self).count
        case .contiguousBytes: 9 + known(value, as: ContiguousArray<UInt8>.self).count
        case .int128, .uint128: 19
        default: 9
        }
    }
}

extension Memory<UInt8> {
    /// Writes a value whose type has a form for single values.
    mutating func write<Value>(_ value: Value, as form: DirectForm) {
        switch form {
        case .string: write(known(value, as: String.self))
        case .int: write(known(value, as: Int.self))
        case .double: write(known(value, as: Double.self))
        case .bool: write(known(value, as: Bool.self))
        case .bytes: known(value, as: [UInt8].self).withUnsafeBufferPointer { write(byteString: $0) }
        case .float: write(Double(known(value, as: Float.self)))
        case .contiguousBytes:
            known(value, as: ContiguousArray<UInt8>.self).withUnsafeBufferPointer { write(byteString: $0) }
        case .int64: write(known(value, as: Int64.self))
        case .uint64: write(known(value, as: UInt64.self))
        case .int32: write(known(value, as: Int32.self))
        case .uint32: write(known(value, as: UInt32.self))
        case .uint8: write(known(value, as: UInt8.self))
        case .uint: write(known(value, as: UInt.self))
        case .int16: write(known(value, as: Int16.self))
        case .uint16: write(known(value, as: UInt16.self))
        case .int8: write(known(value, as: Int8.self))
        case .int128: write(known(value, as: Int128.self))
        case .uint128: write(known(value, as: UInt128.self))
        case .none, .item, .strings, .ints, .doubles: preconditionFailure("not the form of a single value")
        }
    }

    /// Writes an array whose type has a form.
    ///
    /// - Returns: false, having written nothing, for any other type.
    mutating func writeArray<Value>(_ value: Value, as form: DirectForm) -> Bool {
        switch form {
        case .strings:
            let strings = known(value, as: [String].self)
            writeHead(MajorType.array, UInt64(strings.count))
            for string in strings { write(string) }
        case .ints:
            let integers = known(value, as: [Int].self)
            writeHead(MajorType.array, UInt64(integers.count))
            for integer in integers { write(integer) }
        case .doubles:
            let numbers = known(value, as: [Double].self)
            writeHead(MajorType.array, UInt64(numbers.count))
            for number in numbers { write(number) }
        default: return false
        }
        return true
    }
}
