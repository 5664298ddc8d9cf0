internal import DurableCore
internal import Synchronization

/// The handles of actors that end with their last handle: counted like references to a value, which is nothing here but
/// that it is kept.
final class HandleTokens: Sendable {
    private struct Weak { weak var object: HeldObject? }

    private struct State {
        /// Of actors that this process has made.
        var own: [ActorID: Weak] = [:]
        /// Actors that this process has made, and that have no handles any more but have not ended.
        var ending: Set<ActorID> = []
    }

    private let owned: OwnedObjects
    private let borrowed: BorrowedObjects
    private let state = Mutex(State())

    init(owned: OwnedObjects, borrowed: BorrowedObjects) {
        self.owned = owned
        self.borrowed = borrowed
    }

    /// The token for an actor that this process has made, the same for all its handles.
    /// - Parameters:
    ///   - isFound: Whether an earlier life of this process's actor had made it: nobody knows its handles then.
    ///   - ended: Called when nobody has a handle any more; followed by ``hasEnded(_:)``.
    func make(_ actor: ActorID, isFound: Bool, ended: @escaping @Sendable () -> Void) -> HandleToken? {
        let object = state.withLock { state -> HeldObject? in
            if let known = state.own[actor]?.object { return known }
            guard !isFound else { return nil }
            let name = owned.nextName()
            let object = HeldObject(name) { [weak self, owned] in
                owned.forget(name.number)
                self?.wentOut(of: actor)
                ended()
            }
            state.own[actor] = Weak(object: object)
            return object
        }
        object?.contents.settle(.success(.outcome(.returned([]))))
        return object.map(token)
    }

    /// The token of a handle that was received. None when its owner keeps it no more, because its actor is ending.
    func received(_ id: ObjectID) -> HandleToken? {
        do throws(ActorError) {
            return token(try owned.object(id) ?? borrowed.object(id))
        } catch {
            return nil
        }
    }

    /// Whether the actor was made here, and is about to end because nobody has a handle.
    func isEnding(_ actor: ActorID) -> Bool { state.withLock { $0.ending.contains(actor) } }

    /// It has ended.
    func hasEnded(_ actor: ActorID) { state.withLock { _ = $0.ending.remove(actor) } }

    private func wentOut(of actor: ActorID) {
        state.withLock { state in
            state.own[actor] = nil
            state.ending.insert(actor)
        }
    }

    private func token(_ object: HeldObject) -> HandleToken {
        HandleToken { [self] in
            // The identity of the actor says it all.
            if EncodedReferences.nextNumber() != nil { return nil }
            guard EncodedReferences.areCollected else { return keep(object) }
            let id: ObjectID
            if let owner = object.name.owner {
                borrowed.linger(object)
                id = ObjectID(owner: owner, number: object.name.number)
            } else {
                do throws(ActorError) {
                    id = try owned.export(object)
                } catch {
                    // Who gets the handle cannot say that it is there.
                    return keep(object)
                }
            }
            EncodedReferences.note(object)
            return id
        }
    }

    /// The handle goes where nobody counts it.
    private func keep(_ object: HeldObject) -> ObjectID? {
        if let owner = object.name.owner {
            borrowed.keep(ObjectID(owner: owner, number: object.name.number))
        } else {
            owned.keep(object)
        }
        return nil
    }
}
