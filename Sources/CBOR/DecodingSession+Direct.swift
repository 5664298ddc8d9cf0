extension DecodingSession {
    /// Reads a value whose type has a direct form, without going through its `init(from:)`.
    ///
    /// - Parameter otherwise: reads a value of any other type.
    func decode<Value>(
        _ type: Value.Type,
        at position: Int,
        _ path: @autoclosure () -> [any CodingKey],
        otherwise: () throws -> Value
    ) throws -> Value {
        if type == String.self { return known(try string(at: position, path()), as: type) }
        if type == Int.self { return known(try integer(at: position, path()) as Int, as: type) }
        if type == Double.self { return known(try double(at: position, path()), as: type) }
        if type == Bool.self { return known(try boolean(at: position, path()), as: type) }
        if type == [UInt8].self { return known(try byteString(at: position, path()), as: type) }
        if type == Float.self { return known(try float(at: position, path()), as: type) }
        if type == ContiguousArray<UInt8>.self {
            return known(ContiguousArray(try byteString(at: position, path())), as: type)
        }
        if type == CBORValue.self { return known(try value(at: position, path()), as: type) }
        return try decodeInteger(type, at: position, path(), otherwise: otherwise)
    }

    private func decodeInteger<Value>(
        _ type: Value.Type,
        at position: Int,
        _ path: @autoclosure () -> [any CodingKey],
        otherwise: () throws -> Value
    ) throws -> Value {
        if type == Int64.self { return known(try integer(at: position, path()) as Int64, as: type) }
        if type == UInt64.self { return known(try integer(at: position, path()) as UInt64, as: type) }
        if type == Int32.self { return known(try integer(at: position, path()) as Int32, as: type) }
        if type == UInt32.self { return known(try integer(at: position, path()) as UInt32, as: type) }
        if type == UInt8.self { return known(try integer(at: position, path()) as UInt8, as: type) }
        if type == UInt.self { return known(try integer(at: position, path()) as UInt, as: type) }
        if type == Int16.self { return known(try integer(at: position, path()) as Int16, as: type) }
        if type == UInt16.self { return known(try integer(at: position, path()) as UInt16, as: type) }
        if type == Int8.self { return known(try integer(at: position, path()) as Int8, as: type) }
        if type == Int128.self { return known(try integer(at: position, path()) as Int128, as: type) }
        if type == UInt128.self { return known(try integer(at: position, path()) as UInt128, as: type) }
        return try otherwise()
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
