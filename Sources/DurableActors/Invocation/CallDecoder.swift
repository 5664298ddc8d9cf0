internal import CBOR
public import Distributed
internal import DurableCore

/// Hands a call's arguments to the method that runs it. Used by Swift's distributed methods.
public struct CallDecoder: DistributedTargetInvocationDecoder {
    /// What arguments and results must be.
    public typealias SerializationRequirement = any Codable

    private let frame: CallFrame
    private let parts: [BytePart]
    private let actorType: any DurableActor.Type
    private let runtime: ActorRuntime
    private let types: ArgumentTypes?
    private var next = 0

    /// - Parameter types: Where the types of the arguments are noted, if anywhere.
    init(
        _ frame: CallFrame,
        for actorType: any DurableActor.Type,
        runtime: ActorRuntime,
        noting types: ArgumentTypes? = nil
    ) {
        self.types = types
        self.frame = frame
        parts = frame.detached?.parts ?? []
        self.actorType = actorType
        self.runtime = runtime
    }

    /// The types that a generic method was called with: that of the actor, for a method of a protocol's extension.
    public mutating func decodeGenericSubstitutions() throws -> [any Any.Type] {
        // Names of other types were refused before.
        frame.genericSubstitutions.isEmpty ? [] : [actorType]
    }

    /// The next argument.
    public mutating func decodeNextArgument<Argument: Codable>() throws -> Argument {
        guard next < frame.arguments.count else {
            throw ActorError(.serialization, "the call has \(frame.arguments.count) arguments, the method wants more")
        }
        defer { next += 1 }
        types?.note(Argument.self)
        do {
            return try runtime.decoder.decode(Argument.self, from: frame.arguments[next], parts: parts)
        } catch {
            let message = "argument \(next + 1) cannot be read as \(Argument.self)"
            throw ActorError(.serialization, message, cause: "\(error)")
        }
    }

    /// Not needed: errors carry their type when they travel.
    public mutating func decodeErrorType() throws -> (any Any.Type)? { nil }

    /// Not needed: the method knows what it returns.
    public mutating func decodeReturnType() throws -> (any Any.Type)? { nil }
}
