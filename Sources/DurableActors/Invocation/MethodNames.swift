internal import DurableCore
internal import DurableProcess

/// Checks the names of methods that an actor type writes down: in its concurrency groups and in its method options.
enum MethodNames {
    /// - Parameters:
    ///   - type: The type.
    ///   - handle: Any handle of the type, whose actor need not exist.
    /// - Throws: `invalidArgument` for a name that no method has, naming those that there are.
    static func check<Act: DurableActor>(_ type: Act.Type, _ handle: Act) throws(ActorError) {
        let groups = type.concurrencyGroups
        let options = type.methodOptions
        guard groups.contains(where: { !$0.methods.isEmpty }) || !options.isEmpty else { return }
        let known = methods(of: type, handle)
        // A type of a shared library has methods that are not listed here.
        guard !known.isEmpty else { return }
        let bases = known.map { String($0.prefix { $0 != "(" }) }
        for group in groups {
            for name in group.methods where !known.contains(name) && !bases.contains(name) {
                throw unknown(name, of: type, "concurrency group \"\(group.name)\"", known)
            }
        }
        for name in options.keys.sorted() where !known.contains(name) {
            throw unknown(name, of: type, "methodOptions", known)
        }
    }

    /// The names of a type's distributed methods with their labels, also of those that extensions of protocols give it.
    private static func methods<Act: DurableActor>(of type: Act.Type, _ handle: Act) -> [String] {
        guard let typeName = _mangledTypeName(type) else { return [] }
        let check = MethodCheck(typeName: typeName)
        let names = DistributedFunctions.names.filter { check.isMethod($0, of: handle) }
        return Set(names.map { MethodTable.name(of: $0) }).sorted()
    }

    private static func unknown(_ name: String, of type: Any.Type, _ place: String, _ known: [String]) -> ActorError {
        let methods = known.joined(separator: ", ")
        let message =
            "\(place) of \(type) names the method \"\(name)\", which it does not have; its methods are \(methods)"
        return ActorError(.invalidArgument, message)
    }
}
