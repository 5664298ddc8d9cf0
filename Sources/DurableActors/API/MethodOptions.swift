internal import Distributed
internal import DurableCore

/// How the calls of one method are made unless a call says otherwise; see ``DurableActor/methodOptions``.
///
/// What is `nil` is as the actor's options say, or not limited. Ray: `ray.method`.
public struct MethodOptions: Sendable, Hashable {
    /// How often a call is sent again; see ``CallOptions/maxTaskRetries``.
    public var maxTaskRetries: RepeatLimit?

    /// The errors after which a call is made again; see ``CallOptions/retryOn``. Not for calls with a key.
    public var retryOn: RetriedErrors?

    /// For how long a caller waits; see ``CallOptions/timeout``.
    public var timeout: Duration?

    /// What is given counts for the method.
    public init(maxTaskRetries: RepeatLimit? = nil, retryOn: RetriedErrors? = nil, timeout: Duration? = nil) {
        self.maxTaskRetries = maxTaskRetries
        self.retryOn = retryOn
        self.timeout = timeout
    }
}

/// The options of a type's methods, found by the names that calls carry.
struct MethodTable {
    private let options: [String: MethodOptions]
    private var known: [String: MethodOptions] = [:]

    init(_ type: any Any.Type) { options = (type as? any DurableActor.Type)?.methodOptions ?? [:] }

    /// Whether no method has any.
    var isEmpty: Bool { options.isEmpty }

    /// The options of a method by its mangled name, if it has any.
    mutating func options(of method: String) -> MethodOptions? {
        guard !options.isEmpty else { return nil }
        if let found = known[method] { return found }
        let found = options[Self.name(of: method)] ?? MethodOptions()
        known[method] = found
        return found
    }

    /// The name as the source has it: of `Module.Type.method(label:)`, what follows the type.
    static func name(of method: String) -> String {
        let full = RemoteCallTarget(method).description
        let end = full.firstIndex(of: "(").flatMap { full[..<$0].isEmpty ? nil : $0 } ?? full.endIndex
        let start = full[..<end].lastIndex(of: ".").map { full.index(after: $0) } ?? full.startIndex
        return String(full[start...])
    }
}
