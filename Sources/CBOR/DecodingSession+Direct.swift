extension DecodingSession {
    /// Reads a value whose type has a direct form, without going through its `init(from:)`.
    ///
    /// - Parameter otherwise: reads a value of any other form.
    @inline(__always)
    func decode<Value>(
        _ type: Value.Type,
        at position: Int,
        _ path: @autoclosure () -> [any CodingKey],
        otherwise: (DirectForm) throws -> Value
    ) throws -> Value {
        let form = DirectForm(type)
        if form.isSingle || form == .item { return try decode(type, as: form, at: position, path()) }
        return try otherwise(form)
    }

    /// Reads a value in the direct form of its type, which is not that of an array.
    func decode<Value>(
        _ type: Value.Type,
        as form: DirectForm,
        at position: Int,
        _ path: @autoclosure () -> [any CodingKey]
    ) throws -> Value {
        switch form {
        case .string: known(try string(at: position, path()), as: type)
        case .int: known(try integer(at: position, path()) as Int, as: type)
        case .double: known(try double(at: position, path()), as: type)
        case .bool: known(try boolean(at: position, path()), as: type)
        case .bytes: known(try byteString(at: position, path()), as: type)
        case .float: known(try float(at: position, path()), as: type)
        case .contiguousBytes: known(ContiguousArray(try byteString(at: position, path())), as: type)
        case .item: known(try value(at: position, path()), as: type)
        case .int64: known(try integer(at: position, path()) as Int64, as: type)
        case .uint64: known(try integer(at: position, path()) as UInt64, as: type)
        case .int32: known(try integer(at: position, path()) as Int32, as: type)
        case .uint32: known(try integer(at: position, path()) as UInt32, as: type)
        case .uint8: known(try integer(at: position, path()) as UInt8, as: type)
        case .uint: known(try integer(at: position, path()) as UInt, as: type)
        case .int16: known(try integer(at: position, path()) as Int16, as: type)
        case .uint16: known(try integer(at: position, path()) as UInt16, as: type)
        case .int8: known(try integer(at: position, path()) as Int8, as: type)
        case .int128: known(try integer(at: position, path()) as Int128, as: type)
        case .uint128: known(try integer(at: position, path()) as UInt128, as: type)
        case .none, .strings, .ints, .doubles: preconditionFailure("not the form of a single value")
        }
    }

    /// Reads an array of a type that has a direct form.
    func decodeArray<Value>(
        _ type: Value.Type,
        as form: DirectForm,
        at position: Int,
        _ path: @autoclosure () -> [any CodingKey]
    ) throws -> Value {
        let head = contentHead(position)
        switch form {
        case .strings:
            let strings: [String] = try elements(head) { try string(at: $0, path() + [IndexKey($1)]) }
            return known(strings, as: type)
        case .ints:
            let integers: [Int] = try elements(head) { try integer(at: $0, path() + [IndexKey($1)]) }
            return known(integers, as: type)
        case .doubles:
            let numbers: [Double] = try elements(head) { try double(at: $0, path() + [IndexKey($1)]) }
            return known(numbers, as: type)
        default: preconditionFailure("not the form of an array")
        }
    }

    @inline(__always)
    private func elements<Element>(_ head: Head, read: (Int, Int) throws -> Element) throws -> [Element] {
        let count = Int(head.argument)
        var elements: [Element] = []
        // Not more than a little, before it is known that there is anything of the right type.
        elements.reserveCapacity(min(count, 256))
        var position = head.next
        for index in 0..<count {
            elements.append(try read(position, index))
            position = skip(position)
        }
        return elements
    }

    // Errors.

    /// The item has another kind than the type needs; null is reported as a missing value.
    func mismatch(_ type: any Any.Type, at position: Int, _ path: [any CodingKey]) -> DecodingError {
        let message = "expected \(type)"
        if isNull(position) {
            return .valueNotFound(type, .init(codingPath: path, debugDescription: "\(message), found null"))
        }
        return mismatch(type, found: contentHead(position).kind, path)
    }

    func mismatch(_ type: any Any.Type, found: String, _ path: [any CodingKey]) -> DecodingError {
        .typeMismatch(type, .init(codingPath: path, debugDescription: "expected \(type), found \(found)"))
    }

    func outOfRange(_ type: any Any.Type, _ path: [any CodingKey]) -> DecodingError {
        corrupted("the number does not fit \(type)", path)
    }

    func corrupted(_ message: String, _ path: [any CodingKey]) -> DecodingError {
        .dataCorrupted(.init(codingPath: path, debugDescription: message))
    }
}
