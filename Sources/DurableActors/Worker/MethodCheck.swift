internal import Distributed
internal import DurableCore

#if SEEDED_BUGS
internal import SeededBugs
#endif

/// Which methods a caller may name: the distributed methods of the hosted type, and no others.
///
/// Swift finds a method by its mangled name alone, whatever actor it is then run on. So the name must be one that the
/// actor's own type declares, and starts with the type's mangled name, or one that an extension of a protocol declares
/// that the type conforms to, and starts with the protocol's. The latter is generic: it is run with the actor's type.
final class MethodCheck {
    private enum Origin {
        case type
        case protocolExtension
    }

    /// A method that may be called.
    private struct Known {
        let origin: Origin
        let dispatch: MethodDispatch
    }

    private let typeName: String
    private let prefix: String
    private var known: [String: Known] = [:]
    private let groups: ConcurrencyGroups
    /// The lanes of methods in the mailbox, by their mangled names.
    private var lanes: [String: Int] = [:]

    init(typeName: String, groups: ConcurrencyGroups = ConcurrencyGroups()) {
        self.typeName = typeName
        prefix = "$s\(typeName)"
        self.groups = groups
    }

    /// Checks the type's concurrency groups, which its driver may have had in another build.
    func validateGroups(of type: String) throws(ActorError) { try groups.validate(type: type) }

    /// How many calls of each lane run at once.
    func limits(of options: ActorOptions) -> [Int] { groups.limits(maxConcurrency: options.maxConcurrency) }

    /// The lane of a call: that of the group it asks for, or of its method's. It follows from type and call alone, so a
    /// call that is sent again has the same.
    func lane(of call: CallFrame, type: String, on instance: any DurableActor) throws(ActorError) -> Int {
        if let group = call.group { return try groups.lane(ofGroup: group, type: type, actor: call.actor) }
        if groups.isEmpty || call.isBuiltIn { return 0 }
        if let lane = lanes[call.method] { return lane }
        _ = try check(call, of: type, on: instance)
        let lane = groups.lane(of: RemoteCallTarget(call.method).description)
        if lanes.count < 1024 { lanes[call.method] = lane }
        return lane
    }

    /// Throws when the call's method is not one of the type's.
    /// - Returns: What runs it.
    func check(
        _ call: CallFrame,
        of type: String,
        on instance: any DurableActor
    ) throws(ActorError) -> MethodDispatch {
        let method = try method(call.method, type, instance)
        // A type is looked up by name only on the supervisor's word, never on a caller's.
        guard method.origin == .type ? call.genericSubstitutions.isEmpty : call.genericSubstitutions == [typeName]
        else {
            let message = "generic methods cannot be called in another process"
            throw ActorError(.unknownMethod, message, actor: instance.id)
        }
        return method.dispatch
    }

    /// Whether a name is that of one of the type's methods.
    func isMethod(_ method: String, of instance: any DurableActor) -> Bool {
        // Why it is not one is of no interest.
        (try? self.method(method, "", instance)) != nil
    }

    private func method(_ method: String, _ type: String, _ instance: any DurableActor) throws(ActorError) -> Known {
        if let known = known[method] { return known }
        // Distributed thunks end in "TE"; what lies between names the method.
        let isThunk = method.hasPrefix("$s") && method.hasSuffix("TE")
        let isOwn = isThunk && method.hasPrefix(prefix) && method.utf8.count > prefix.utf8.count + 2
        #if SEEDED_BUGS
        if SeededBug.anyMethodRuns.isActive { return Known(origin: .type, dispatch: MethodDispatch(method)) }
        #endif
        guard isOwn || isThunk && isOfProtocol(method, instance) else {
            let message = "\(type) has no distributed method \(method)"
            throw ActorError(.unknownMethod, message, actor: instance.id)
        }
        guard !belongsToNestedType(method, behind: isOwn ? prefix.count : 2) else {
            let message = "\(method) is a method of a type inside of \(type), or of another one"
            throw ActorError(.unknownMethod, message, actor: instance.id)
        }
        let found = Known(origin: isOwn ? .type : .protocolExtension, dispatch: MethodDispatch(method))
        if known.count < 1024 { known[method] = found }
        return found
    }

    /// Whether the name starts with that of a protocol that the actor conforms to. Names of protocols end in "P".
    private func isOfProtocol(_ method: String, _ instance: any DurableActor) -> Bool {
        prefixes(of: method, endingIn: "P", behind: 2).contains { name in
            // As a type of values, the protocol's name ends in "_p".
            guard let found = _typeByName("\(name.dropLast())_p") else { return false }
            return conforms(instance, found)
        }
    }

    private func conforms<Found>(_ instance: any DurableActor, _ found: Found.Type) -> Bool { instance is Found }

    /// The name of a type inside of the actor's starts like the actor's own. Classes and actors end in "C".
    private func belongsToNestedType(_ method: String, behind count: Int) -> Bool {
        prefixes(of: method, endingIn: "C", behind: count).contains { name in
            _typeByName(name) is any DistributedActor.Type
        }
    }

    /// What the name is up to each of these letters, without the "$s" that all have.
    private func prefixes(of method: String, endingIn letter: Character, behind count: Int) -> [String] {
        method.indices.dropFirst(count).filter { method[$0] == letter }.map { String(method[...$0].dropFirst(2)) }
    }
}
