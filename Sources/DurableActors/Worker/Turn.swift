internal import DurableCore
internal import DurableTransport
internal import Synchronization

#if SEEDED_BUGS
internal import SeededBugs
#endif

/// The turn that a task belongs to: which actor runs which call. Carried by the task and by its children.
final class Turn: Sendable {
    @TaskLocal static var current: Turn?

    private struct State {
        var created: [[UInt8]: UInt64] = [:]
        var isEnded = false
        var note: CallNotes.Note?
        var cancelsCalls = false
        var job: UInt = 0
    }

    let actor: ActorHost
    /// The call; `nil` while the constructor runs.
    let call: CallFrame?
    /// The actor's generation when the turn began: when it has changed, what the turn has seen is not true any more.
    let generation: Int
    /// What the actor's code can ask for.
    let context: ActorContext?
    private let actorID: ActorID
    private let lease: UInt64
    private let children = ChildCalls()
    private let state = Mutex(State())

    init(_ actor: ActorHost, call: CallFrame?, generation: Int) {
        self.actor = actor
        self.call = call
        self.generation = generation
        context = actor.context
        actorID = actor.id
        lease = actor.host.sessionLeaseMilliseconds
    }

    /// Whether the instance that it runs on was dropped: nothing that it changes is kept. Only on the worker's loop.
    var isObsolete: Bool { generation != actor.generation }

    /// The job that it began in, which stays the same over its suspensions; 0 when it has ended.
    var job: UInt { state.withLock { $0.isEnded ? 0 : $0.job } }

    /// The turn begins, in the job that runs now.
    func begins() { state.withLock { $0.job = actor.host.loop.runningJob } }

    /// Who waits for a call that is made now and waited for: this turn, and those that wait for its own call. Nobody is
    /// known when the call is made by another task than the turn's own, as by one that `submit` makes: whether the turn
    /// waits for that cannot be told.
    var waitingNow: WaitingTurns {
        let job = actor.host.loop.runningJob
        guard job != 0, state.withLock({ $0.job == job && !$0.isEnded }) else { return WaitingTurns() }
        let type = actor.definition.typeDescription
        let own = WaitingTurn(actor: actorID, call: call?.name, epoch: actor.host.epoch, type: type)
        return (call?.waiting ?? WaitingTurns()).followed(by: own)
    }

    /// Where it is noted that the turn is open.
    func noted(at place: CallNotes.Note?) { state.withLock { $0.note = place } }

    /// The turn is open no longer, and its note is to be removed.
    func takeNote() -> CallNotes.Note? { state.withLock { $0.note.take() } }

    /// Whether what the turn waits for is cancelled together with it.
    var cancelsCalls: Bool { state.withLock { $0.cancelsCalls } }

    /// The turn is cancelled.
    func cancelled(_ cancellation: CallFrame.Cancellation) {
        state.withLock { $0.cancelsCalls = cancellation == .recursive }
    }

    /// A call that this turn makes gets a key that follows from the turn's own call, so that it is the same call when
    /// the turn is run again. None is needed, and `nil` returned, when nobody would make this turn's call again.
    func beginChild(
        of actor: ActorID,
        _ method: String,
        _ arguments: @autoclosure () throws -> [[UInt8]]
    ) rethrows -> ChildCall? {
        #if SEEDED_BUGS
        if SeededBug.childCallsUnnamed.isActive { return nil }
        #endif
        guard let call, call.isRetriable || call.deduplication != nil else { return nil }
        let arguments = try arguments()
        return children.begin(
            of: actor,
            retentionMilliseconds: call.deduplication?.retentionMilliseconds ?? lease,
            firstSent: call.firstSent
        ) { number in
            CallKey(parent: (actorID, call.name), actor: actor, method: method, arguments: arguments, number: number)
        }
    }

    /// The identity of the next actor of a kind that this turn creates, so that it is the same actor when the turn is
    /// run again, or the constructor by a later life. `nil` when each one is new: nobody would create it again, or
    /// nothing remembers what it was.
    func nextChild(_ kind: [UInt8]) -> ActorID? {
        if let call { guard actor.host.isStored, call.isRetriable || call.deduplication != nil else { return nil } }
        let number = state.withLock { state -> UInt64? in
            guard !state.isEnded else { return nil }
            defer { state.created[kind, default: 0] += 1 }
            return state.created[kind, default: 0]
        }
        return number.flatMap { ActorID(parent: (actorID, call?.name), kind: kind, number: $0) }
    }

    /// The life of the actor that what it creates now ends with, unless the next life creates it again. `nil` for what
    /// may be known to its stored state.
    var lifeOfChildren: Incarnation? {
        let host = actor.host
        let isForgotten = call == nil && !state.withLock(\.isEnded) && context?.wasRestored == true
        return isForgotten || !host.isStored ? host.assignment.incarnation : nil
    }

    /// The turn is over. Says whether it must leave a record because of the calls that it made, and which of their
    /// records are needed no more when that is stored.
    func end() -> (needsRecord: Bool, released: [ActorID: [CallKey]]) {
        state.withLock { $0.isEnded = true }
        return children.end()
    }
}
