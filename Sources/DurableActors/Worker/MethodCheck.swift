internal import Distributed
internal import DurableCore

/// Which methods a caller may name: the distributed methods of the hosted type, and no others.
///
/// Swift finds a method by its mangled name alone, whatever actor it is then run on. So the name must be one that the
/// actor's own type declares: it starts with the type's mangled name.
final class MethodCheck {
    private let prefix: String
    private var known: Set<String> = []

    init(typeName: String) { prefix = "$s\(typeName)" }

    /// Throws when the method is not one of the type's.
    func check(_ method: String, of type: String, actor: ActorID) throws(ActorError) {
        guard !known.contains(method) else { return }
        // Distributed thunks end in "TE"; what lies between names the method.
        guard method.hasPrefix(prefix), method.hasSuffix("TE"), method.utf8.count > prefix.utf8.count + 2 else {
            let message = "\(type) has no distributed method \(method)"
            throw ActorError(.unknownMethod, message, actor: actor)
        }
        guard !belongsToNestedType(method) else {
            throw ActorError(.unknownMethod, "\(method) is a method of a type inside of \(type)", actor: actor)
        }
        if known.count < 1024 { known.insert(method) }
    }

    /// The name of a type inside of the actor's starts like the actor's own. Classes and actors end in "C".
    private func belongsToNestedType(_ method: String) -> Bool {
        var end = method.index(method.startIndex, offsetBy: prefix.count)
        while let position = method[end...].firstIndex(of: "C") {
            end = method.index(after: position)
            if _typeByName(String(method[..<end].dropFirst(2))) is any DistributedActor.Type { return true }
        }
        return false
    }
}
