internal import CBOR
public import Distributed
internal import DurableCore

/// Collects a call's arguments, each as CBOR. Used by Swift's distributed methods.
public struct CallEncoder: DistributedTargetInvocationEncoder {
    /// What arguments and results must be.
    public typealias SerializationRequirement = any Codable

    var arguments: [[UInt8]] = []
    /// Large byte strings of the arguments, which are sent beside them.
    private var parts: [BytePart] = []
    var genericSubstitutions: [String] = []
    /// Arguments that are references: the call is made when their values are there.
    var dependencies: [any CallDependency] = []
    /// The arguments by which the call is known when it is made again, if others than those that are sent: references
    /// have names of their own each time.
    private var numbered: [Int: [UInt8]] = [:]

    /// The arguments by which the call is known when it is made again.
    var identity: [[UInt8]] {
        get throws {
            try arguments.indices.map { try numbered[$0] ?? BytePart.whole(arguments[$0], parts) }
        }
    }

    /// What is sent beside the arguments.
    var detached: DetachedBytes? { DetachedBytes(parts) }

    /// What the call is told apart from others by that use its key, if not by what is sent.
    func checksum(of method: String) throws -> UInt32? {
        numbered.isEmpty ? nil : CallFrame.checksum(of: method, try identity)
    }

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
            let found = try EncodedReferences.collect {
                arguments.append(try CBOREncoder().encode(argument.value, detaching: &parts))
            }
            guard !found.isEmpty else { return }
            try EncodedReferences.numbered { numbered[arguments.count - 1] = try CBOREncoder().encode(argument.value) }
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
