internal import DurableCore
internal import DurableSupervisor
internal import DurableTransport
internal import Glibc

/// A process's part of the object store: what it owns, and what it has of others.
final class ObjectStore: Sendable {
    let owned: OwnedObjects
    let borrowed: BorrowedObjects
    /// The handles of actors that end with their last one.
    let handles: HandleTokens

    /// - Parameters:
    ///   - loop: A loop that runs no user code, so that others do not wait for that.
    ///   - lease: How long a value is kept at least behind the sending of a reference to it.
    init(loop: EventLoop, layout: RuntimeLayout, lease: Duration) {
        let owned = OwnedObjects(loop: loop, layout: layout, lease: lease)
        self.owned = owned
        borrowed = BorrowedObjects(loop: loop, lease: lease) { owned.path(of: $0) }
        handles = HandleTokens(owned: owned, borrowed: borrowed)
    }

    /// The value of an id.
    func object(_ id: ObjectID) throws(ActorError) -> HeldObject { try owned.object(id) ?? borrowed.object(id) }

    /// A value of this process.
    func make(
        _ name: ObjectName,
        nested: [HeldObject] = [],
        cancellation: (@Sendable (CallFrame.Cancellation) -> Void)? = nil
    ) -> HeldObject {
        HeldObject(name, nested: nested, cancellation: cancellation) { [owned] in owned.forget(name.number) }
    }

    /// The bytes of those values that are large, by the processes that have them; `nil` when none is.
    func sharedBytes(of objects: [HeldObject]) -> [Int32: Int]? {
        var bytes: [Int32: Int] = [:]
        for object in objects {
            guard case .success(let contents)? = object.contents.outcome, contents.sharedCount > 0 else { continue }
            bytes[object.name.owner?.pid ?? getpid(), default: 0] += contents.sharedCount
        }
        return bytes.isEmpty ? nil : bytes
    }

    /// Lets everything go.
    func stop(_ error: ActorError) {
        borrowed.stop(error)
        owned.stop(error)
    }
}
