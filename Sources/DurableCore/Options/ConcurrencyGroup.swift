/// Methods of an actor type that have a limit of their own for how many of their calls run at once.
///
/// A type declares its groups as `static var concurrencyGroups`. Methods that are in no group are in the one named
/// `"default"`, whose limit is ``ActorOptions/maxConcurrency``. A full group holds up no other.
public struct ConcurrencyGroup: Sendable, Hashable {
    /// The name under which a call can ask for the group; 1 to 128 of `A-Z a-z 0-9 . _ -`, not starting with a dot, and
    /// not `default`.
    public var name: String

    /// How many of its calls run at once, interleaving where they wait; 1 or more.
    public var limit: Int

    /// The methods whose calls are in the group unless a call asks for another, as in `"fetch"` or `"fetch(_:from:)"`.
    /// A name that no distributed method of the type has is refused when an actor is made.
    public var methods: [String]

    /// Makes a group.
    /// - Parameters:
    ///   - name: The name under which a call can ask for it.
    ///   - limit: How many of its calls run at once.
    ///   - methods: The methods whose calls are in it.
    public init(_ name: String, limit: Int, methods: [String] = []) {
        self.name = name
        self.limit = limit
        self.methods = methods
    }

    /// The name of the group of all methods that are in no other.
    package static let defaultName = "default"
}

/// The groups of one actor type. Each has a lane of the mailbox; the default one has the first.
package struct ConcurrencyGroups: Sendable, Hashable {
    private let groups: [ConcurrencyGroup]
    private let lanes: [String: Int]
    private let methods: [String: Int]

    package init(_ groups: [ConcurrencyGroup] = []) {
        self.groups = groups
        let lanesOfNames = groups.enumerated().map { ($1.name, $0 + 1) }
        lanes = Dictionary([(ConcurrencyGroup.defaultName, 0)] + lanesOfNames) { first, _ in first }
        let lanesOfMethods = groups.enumerated().flatMap { index, group in group.methods.map { ($0, index + 1) } }
        methods = Dictionary(lanesOfMethods) { first, _ in first }
    }

    /// Whether there is only the default group.
    package var isEmpty: Bool { groups.isEmpty }

    /// How many calls of each lane run at once.
    package func limits(maxConcurrency: Int) -> [Int] { [max(1, maxConcurrency)] + groups.map { max(1, $0.limit) } }

    /// The lane of calls to a method.
    /// - Parameter method: Its name and labels, as in `fetch(_:from:)`, perhaps behind those of its type and module.
    package func lane(of method: String) -> Int {
        let labels = method.firstIndex(of: "(") ?? method.endIndex
        let base = method[..<labels].split(separator: ".").last.map(String.init) ?? ""
        return methods[base + method[labels...]] ?? methods[base] ?? 0
    }

    /// The lane of a group that a call asks for.
    /// - Throws: ``ActorError`` with `invalidArgument`, naming the groups that there are.
    package func lane(ofGroup name: String, type: String, actor: ActorID) throws(ActorError) -> Int {
        if let lane = lanes[name] { return lane }
        let known = ([ConcurrencyGroup.defaultName] + groups.map(\.name)).joined(separator: ", ")
        let message = "\(type) has no concurrency group \"\(name)\"; its groups are \(known)"
        throw ActorError(.invalidArgument, message, actor: actor)
    }

    /// Checks the declaration.
    /// - Throws: ``ActorError`` with `invalidArgument`, saying what is wrong with which group.
    package func validate(type: String) throws(ActorError) {
        var names: Set<String> = [ConcurrencyGroup.defaultName]
        var owners: [String: String] = [:]
        for group in groups {
            try ActorOptions.validate(group.name, as: "the name of a concurrency group of \(type)")
            guard names.insert(group.name).inserted else {
                let reason = group.name == ConcurrencyGroup.defaultName ? "is that of the default one" : "is used twice"
                throw Self.invalid("the name of concurrency group \"\(group.name)\" of \(type) \(reason)")
            }
            guard group.limit > 0 else {
                let message = "the limit of concurrency group \"\(group.name)\" of \(type) is \(group.limit)"
                throw Self.invalid("\(message); allowed is 1 or more")
            }
            for method in group.methods {
                guard let owner = owners.updateValue(group.name, forKey: method) else { continue }
                throw Self.invalid("\(method) of \(type) is in the concurrency groups \(owner) and \(group.name)")
            }
        }
    }

    private static func invalid(_ message: String) -> ActorError { ActorError(.invalidArgument, message) }
}
