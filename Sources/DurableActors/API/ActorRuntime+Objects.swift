internal import DurableCore
internal import Synchronization

/// Putting values where all processes reach them.
extension ActorRuntime {
    /// Keeps a copy of a value for everybody who gets the reference. Ray: `ray.put`.
    ///
    /// A value of 1 MiB or more lies in shared memory: passing the reference to many actors copies nothing, and each maps
    /// it when it asks for the value. It is kept until no process has a reference any more, and ends with this process;
    /// actors that need a value longer have it in their checkpointed state.
    /// - Parameter value: The value. Later changes, of what it refers to, do not show in the copy.
    /// - Returns: A reference, ready at once.
    /// - Throws: ``ActorError`` with `serialization` when the value cannot be encoded, `limitExceeded` when it is larger
    ///   than 512 MiB, `runtimeStopped`.
    public func put<Value: Codable & Sendable>(_ value: Value) throws -> ObjectRef<Value> {
        guard !isStopped.withLock(\.self) else {
            throw ActorError(.runtimeStopped, "the runtime has been shut down")
        }
        var contents = ObjectContents.outcome(.returned([]))
        let nested: [HeldObject]
        do {
            nested = try EncodedReferences.collect { contents = try ObjectContents(encoding: value) }
        } catch {
            throw ActorError(.serialization, "the value of type \(Value.self) cannot be encoded", cause: "\(error)")
        }
        guard contents.count <= Limits.valueBytesMax else {
            let message = "the value has \(contents.count) bytes; one that is put may have \(Limits.valueBytesMax)"
            throw ActorError(.limitExceeded, message)
        }
        let object = objects.make(objects.owned.nextName(), nested: nested)
        object.contents.settle(.success(contents))
        return ObjectRef(object, on: self)
    }
}
