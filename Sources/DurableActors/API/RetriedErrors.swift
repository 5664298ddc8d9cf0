internal import DurableCore

/// Which errors of a method let its call be made again. Ray: `retry_exceptions`.
public struct RetriedErrors: Sendable, Hashable, ExpressibleByArrayLiteral {
    /// No error: what the method throws is the outcome.
    public static let never = RetriedErrors(types: [], isAll: false)

    /// Every error that a method throws by itself: one that is `Codable`, and one that arrives as `userError`.
    public static let all = RetriedErrors(types: [], isAll: true)

    private let types: [ErrorType]
    private let isAll: Bool

    private init(types: [ErrorType], isAll: Bool) {
        self.types = types
        self.isAll = isAll
    }

    /// Errors of these types, and of classes below them.
    public init(_ types: [any (Error & Codable).Type]) {
        self.init(types: types.map { ErrorType(type: $0) }, isAll: false)
    }

    /// Errors of these types, and of classes below them.
    public init(arrayLiteral types: any (Error & Codable).Type...) { self.init(types) }

    /// Whether this is what a method threw, and the call may be made again. Errors of the framework never are.
    func contains(_ error: any Error) -> Bool {
        if let error = error as? ActorError { return isAll && error.code == .userError }
        return isAll || types.contains { $0.matches(error) }
    }
}

/// A type of errors; equal to itself.
private struct ErrorType: Sendable, Hashable {
    let type: any (Error & Codable).Type

    static func == (left: ErrorType, right: ErrorType) -> Bool {
        ObjectIdentifier(left.type) == ObjectIdentifier(right.type)
    }

    func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(type)) }

    func matches(_ error: any Error) -> Bool { type.isType(of: error) }
}

extension Decodable {
    /// Whether the error is of this type, or of a class below it.
    fileprivate static func isType(of error: any Error) -> Bool { error is Self }
}
