internal import CBOR
internal import DurableCore
internal import DurableStore

/// A call that will not be run again, as it is shown.
extension DeadLetter {
    /// For programs.
    func value(of typeName: String) throws -> CBORValue {
        .object([
            "session": .text("\(call.session)"),
            "sequence": CBORValue(call.sequence),
            "method": .text(orNull: methodName(of: typeName)),
            "mangledMethod": .text(orNull: stored.method),
            "arguments": try arguments,
            "argumentsBytes": stored.argumentsBytes.map { CBORValue($0) } ?? .null,
            "cause": .text(stored.cause),
            "incarnations": .array(stored.incarnations.map { CBORValue($0) }),
            "milliseconds": CBORValue(stored.milliseconds),
            "stderr": .text(stored.stderrTail),
        ])
    }

    /// The arguments in order; nothing when they are not known, or were too large to be kept.
    var arguments: CBORValue {
        get throws {
            guard let arguments = stored.arguments else { return .null }
            return .array(try arguments.map { try CBORDecoder().decode(CBORValue.self, from: $0) })
        }
    }

    /// The method as it is written in Swift. In its mangled name the type's is followed by the length of its own.
    func methodName(of typeName: String) -> String? {
        guard let method = stored.method else { return nil }
        let rest = method.dropFirst("$s\(typeName)".count)
        let digits = rest.prefix { $0.isNumber }
        guard method.hasPrefix("$s\(typeName)"), digits.first != "0", let length = Int(digits) else { return method }
        return String(rest.dropFirst(digits.count).prefix(length))
    }
}
