internal import DurableCore
internal import DurableTransport
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
        /// Other processes' tokens that were sent away, and until when they are kept here.
        var sent: [ObjectName: (object: HeldObject, leaseEnd: ContinuousClock.Instant)] = [:]
    }

    private let owned: OwnedObjects
    private let borrowed: BorrowedObjects
    private let loop: EventLoop
    private let lease: Duration
    private let state = Mutex(State())

    init(owned: OwnedObjects, borrowed: BorrowedObjects, loop: EventLoop, lease: Duration) {
        self.owned = owned
        self.borrowed = borrowed
        self.loop = loop
        self.lease = lease
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

    /// Lets everything go.
    func stop() {
        let sent = state.withLock { state in
            defer { state.sent = [:] }
            return state.sent
        }
        withExtendedLifetime(sent) {}
    }

    private func wentOut(of actor: ActorID) {
        state.withLock { state in
            state.own[actor] = nil
            state.ending.insert(actor)
        }
    }

    private func token(_ object: HeldObject) -> HandleToken {
        HandleToken { [self] in
            guard EncodedReferences.areCollected else { return keep(object) }
            let id: ObjectID
            if let owner = object.name.owner {
                // Its owner is asked for it by the next process, and must not hear before that it is not needed here.
                linger(object)
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

    private func linger(_ object: HeldObject) {
        let isNew = state.withLock { state in
            defer { state.sent[object.name] = (object, .now + lease) }
            return state.sent[object.name] == nil
        }
        if isNew { releaseLater(object.name) }
    }

    private func releaseLater(_ name: ObjectName) {
        loop.schedule(after: lease) { [weak self] in self?.release(name) }
    }

    private func release(_ name: ObjectName) {
        let (object, goesOn) = state.withLock { state -> (HeldObject?, Bool) in
            guard let sent = state.sent[name] else { return (nil, false) }
            guard sent.leaseEnd <= .now else { return (nil, true) }
            state.sent[name] = nil
            return (sent.object, false)
        }
        // Let go outside of the lock, which its end takes.
        withExtendedLifetime(object) {}
        if goesOn { releaseLater(name) }
    }
}
