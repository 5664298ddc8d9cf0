internal import CBOR
public import Distributed
internal import DurableCore

/// Collects a call's arguments, each as CBOR. Used by Swift's distributed methods.
public struct CallEncoder: DistributedTargetInvocationEncoder {
    /// What arguments and results must be.
    public typealias SerializationRequirement = any Codable

    var arguments: [[UInt8]] = []
    var genericSubstitutions: [String] = []
    /// Arguments that are references: the call is made when their values are there.
    var dependencies: [any CallDependency] = []

    /// Notes a type that a generic method needs.
    public mutating func recordGenericSubstitution<Type>(_ type: Type.Type) throws {
        guard let name = _mangledTypeName(type) else {
            throw ActorError(.serialization, "the type \(type) has no name that another process could find it by")
        }
        genericSubstitutions.append(name)
    }

    /// Encodes an argument.
    public mutating func recordArgument<Value: Codable>(_ argument: RemoteCallArgument<Value>) throws {
        do {
            let found = try EncodedReferences.collect { arguments.append(try CBOREncoder().encode(argument.value)) }
            guard !found.isEmpty else { return }
            if let reference = argument.value as? any CallDependency { dependencies.append(reference) }
        } catch {
            let message = "the argument \"\(argument.name)\" cannot be encoded"
            throw ActorError(.serialization, message, cause: "\(error)")
        }
    }

    /// Does nothing: errors carry their type when they travel.
    public mutating func recordErrorType<Failure: Error>(_ type: Failure.Type) throws {}

    /// Does nothing: the caller knows what it expects.
    public mutating func recordReturnType<Value: Codable>(_ type: Value.Type) throws {}

    /// Does nothing.
    public mutating func doneRecording() throws {}
}
