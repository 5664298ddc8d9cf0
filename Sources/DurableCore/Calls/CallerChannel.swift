#if SEEDED_BUGS
internal import SeededBugs
#endif

/// A caller's view of one actor: which calls are unanswered, and what to do with them when the connection goes.
///
/// A pure state machine. Calls keep their order over restarts and retries. A call that may not be retried is sent
/// again only to the same incarnation, where the worker knows its id; one that may be retried goes to the next.
package struct CallerChannel: Sendable {
    /// Where the channel stands.
    package enum State: Sendable, Hashable {
        /// Not used yet. Can become `connecting` or `dead`.
        case idle
        /// Waiting for a worker to accept, perhaps before the actor's first life. Can become `connected` or `lost`.
        case connecting
        /// A worker answers. Can become `lost` or `dead`.
        case connected(Incarnation)
        /// The connection ended and nobody knows why yet; the supervisor is asked. Can become any but `idle`.
        case lost(Incarnation?)
        /// The supervisor says that the next life is on its way. Can become `connected`, `lost` or `dead`.
        case restarting
        /// Gone for good. Indirect: the state is looked at for each call, and an error is much to copy.
        indirect case dead(ActorError)
    }

    /// What the driver has to do, in order.
    package enum Action: Sendable, Hashable {
        /// Open a connection to the shard's socket; `opened` or `closed` follows.
        case connect
        /// Open it after a short delay.
        case connectLater
        /// Close the present connection; no `closed` follows.
        case disconnect
        /// Tell the worker that the owner of this epoch has been seen, then close the connection; no `closed` follows.
        case refuse(superseded: Epoch)
        /// Send this frame.
        case send(CallFrame)
        /// The call has this outcome.
        case resolve(UInt64, Answer)
        /// The call fails.
        case fail(UInt64, ActorError)
        /// Ask the supervisor what became of the actor; `verdict` follows.
        case askSupervisor(lost: Incarnation?)
        /// Tell people that so many calls are unanswered.
        case warn(unanswered: Int)
        /// Tell people that calls are not sent before the oldest one, of this method, is answered.
        case warnHeldUp(by: String)
    }

    /// What came back.
    package struct Answer: Sendable, Hashable {
        /// How the call ended.
        package var outcome: CallOutcome
        /// Whether the worker keeps a record of it.
        package var isRecorded: Bool
        /// How many of its retries it had used.
        package var retriesUsed: Int
        /// When the actor answered.
        package var stamp = ReplyStamp(epoch: 0, version: 0)
    }

    private struct Call: Sendable {
        var frame: CallFrame
        var retries: RepeatLimit
        var used = 0
        /// The epoch of the life that has it. Not the incarnation: two lives may carry one number when a supervisor
        /// died before it could store that it had given it.
        var sentTo: Epoch?
    }

    /// What a call carries beyond its method and arguments.
    package struct Identity: Sendable, Hashable {
        /// The key that it is known by.
        package var deduplication: Deduplication?
        /// When the call that makes it was first sent, if that one may be running again; 0 otherwise.
        package var firstSent: UInt64
        /// The concurrency group that it asks for.
        package var group: String?
        /// Who waits for it.
        package var waiting = WaitingTurns()
        /// What it is told apart from other calls of its key by; `nil` for its method and arguments as they are.
        package var checksum: UInt32?
        /// Byte strings of its arguments that lie beside them.
        package var detached: DetachedBytes?

        package init(
            deduplication: Deduplication? = nil,
            firstSent: UInt64 = 0,
            checksum: UInt32? = nil,
            detached: DetachedBytes? = nil
        ) {
            self.deduplication = deduplication
            self.firstSent = firstSent
            self.checksum = checksum
            self.detached = detached
        }
    }

    /// The actor that is called.
    package let actor: ActorID
    /// Where the channel stands.
    package private(set) var state: State = .idle
    /// Whether the connection is that of a whole group. A channel without open calls does not ask why it ended.
    package var sharesConnection = false
    /// How many calls may be unanswered at once, beyond the bound of the framework.
    package var maxPendingCalls = RepeatLimit.unlimited
    /// The time since the machine's start in milliseconds, as the driver tells it before each event.
    package var now: UInt64 = 0
    private let session: SessionID
    private var calls = SequenceWindow<Call>()
    private var backlog = BacklogWarning()
    private var nextSequence: UInt64 = 1
    private var epoch: Epoch = 0
    private var hasConnection = false
    /// The call that holds up others and that people were told of.
    private var toldOf: UInt64 = 0
    /// Calls up to this one have been sent on the present connection.
    private var sentThrough: UInt64 = 0

    package init(actor: ActorID, session: SessionID) {
        self.actor = actor
        self.session = session
    }

    /// The first call that is waited for. Not kept: calls that fail at once move it as well.
    private var firstIncomplete: UInt64 { calls.first ?? nextSequence }

    /// How many calls are unanswered.
    package var pendingCount: Int { calls.count }

    /// Whether the actor is gone for good.
    package var isDead: Bool { if case .dead = state { true } else { false } }

    /// A call was made, after `retriesUsed` others that it replaces. Returns its sequence number and what to do.
    package mutating func submit(
        method: String,
        genericSubstitutions: [String],
        arguments: [[UInt8]],
        retries: RepeatLimit,
        retriesUsed: Int = 0,
        identity: Identity = Identity()
    ) -> (sequence: UInt64, actions: [Action]) {
        let sequence = nextSequence
        // A call that fails at once uses up its number as well: the driver finds the caller by it.
        nextSequence += 1
        if case .dead(let error) = state { return (sequence, [.fail(sequence, error)]) }
        if case .restarting = state, retries == 0 {
            return (sequence, [.fail(sequence, unavailable(mayHaveRun: false))])
        }
        guard calls.count < Limits.pendingCallsMax else {
            let message = "\(calls.count) calls to this actor are unanswered, the most that one process may have"
            return (sequence, [.fail(sequence, ActorError(.limitExceeded, message, actor: actor))])
        }
        guard maxPendingCalls.allows(after: calls.count) else {
            let message = "\(calls.count) calls of this process are unfinished, as many as maxPendingCalls allows"
            return (sequence, [.fail(sequence, ActorError(.limitExceeded, message, actor: actor))])
        }
        var frame = CallFrame(
            actor: actor,
            id: CallID(session: session, sequence: sequence),
            firstIncomplete: 0,
            method: method,
            genericSubstitutions: genericSubstitutions,
            arguments: arguments
        )
        frame.firstSent = identity.firstSent
        frame.isRetriable = retries != 0
        frame.deduplication = identity.deduplication
        frame.group = identity.group
        frame.waiting = identity.waiting
        frame.checksum = identity.checksum
        frame.detached = identity.detached
        calls.append(Call(frame: frame, retries: retries, used: retriesUsed), at: sequence)
        let warning = backlog.grew(to: calls.count).map { [Action.warn(unanswered: $0)] } ?? []
        switch state {
        case .idle:
            state = .connecting
            hasConnection = true
            return (sequence, warning + [.connect])
        case .connected:
            return (sequence, transmitMore(after: warning))
        case .connecting, .lost, .restarting, .dead:
            return (sequence, warning)
        }
    }

    /// A worker accepted the connection and said which life it hosts.
    package mutating func opened(incarnation: Incarnation, epoch: Epoch) -> [Action] {
        if case .dead = state { return [.disconnect] }
        guard epoch >= self.epoch else {
            // A former owner that does not know yet; its successor has been seen. It is told, because it may be the one
            // that the supervisor knows, and idle: then nobody else would tell it before it next commits.
            #if SEEDED_BUGS
            if SeededBug.formerOwnerNotTold.isActive { return [.disconnect, .connectLater] }
            #endif
            return [.refuse(superseded: self.epoch), .connectLater]
        }
        self.epoch = epoch
        state = .connected(incarnation)
        sentThrough = 0
        return transmitMore()
    }

    /// The connection ended, or could not be made.
    package mutating func closed() -> [Action] {
        hasConnection = false
        switch state {
        case .connected where sharesConnection && calls.isEmpty:
            state = .idle
            return []
        case .connected(let incarnation):
            state = .lost(incarnation)
            // The socket outlives the worker: wait there for the next one while the supervisor is asked.
            hasConnection = true
            return [.connect, .askSupervisor(lost: incarnation)]
        case .connecting, .restarting:
            state = .lost(nil)
            return [.askSupervisor(lost: nil)]
        case .lost(let incarnation):
            return [.askSupervisor(lost: incarnation)]
        case .idle, .dead:
            return []
        }
    }

    /// The supervisor said what became of the actor.
    package mutating func verdict(_ status: ActorStatus) -> [Action] {
        switch status {
        case .alive, .restarting:
            guard case .lost(let lost) = state else { return [] }
            var actions: [Action] = []
            if case .restarting = status, lost != nil {
                state = .restarting
                actions = failUnretriable()
            } else {
                state = .connecting
            }
            if !hasConnection {
                hasConnection = true
                actions.append(.connectLater)
            }
            return actions
        case .dead(let cause, let type, let restarts):
            return die(Self.diedError(actor: actor, type: type, cause: cause, restarts: restarts))
        case .unknown:
            let message = "no actor with this id is known to the runtime; it ended long ago or belongs to another one"
            return die(ActorError(.died, message, actor: actor))
        }
    }

    /// A reply arrived.
    package mutating func replied(_ reply: ReplyFrame) -> [Action] {
        #if SEEDED_BUGS
        if SeededBug.formerOwnersReplyTaken.isActive { epoch = min(epoch, reply.epoch) }
        #endif
        guard reply.epoch >= epoch, let call = calls.remove(reply.sequence) else { return [] }
        epoch = reply.epoch
        let stamp = ReplyStamp(epoch: reply.epoch, version: reply.version, isRepeated: reply.isRepeated)
        let answer = Answer(
            outcome: reply.outcome,
            isRecorded: reply.isRecorded,
            retriesUsed: call.used,
            stamp: stamp
        )
        return transmitMore(after: [.resolve(reply.sequence, answer)])
    }

    /// The caller no longer wants the outcome. Whether the call runs is open.
    @discardableResult
    package mutating func abandon(_ sequence: UInt64) -> [Action] {
        guard calls.remove(sequence) != nil else { return [] }
        return transmitMore()
    }

    /// The caller wants the call to end early. One that was not sent never runs; of one that was, the worker says what
    /// became of it, and a later life that has no record of it does not run it.
    package mutating func cancel(_ sequence: UInt64, _ cancellation: CallFrame.Cancellation) -> [Action] {
        guard let call = calls[sequence] else { return [] }
        guard call.sentTo != nil else {
            calls.remove(sequence)
            return transmitMore(after: [.fail(sequence, Self.cancelledError(actor: actor))])
        }
        calls.update(sequence) { $0.frame.cancellation = cancellation }
        guard case .connected = state, call.sentTo == epoch, sequence <= sentThrough, let action = transmit(sequence)
        else { return [] }
        return [action]
    }

    /// Fails everything: the runtime stops.
    package mutating func stop(_ error: ActorError) -> [Action] { die(error) }

    /// The error that a dead actor's callers get.
    package static func diedError(actor: ActorID, type: String, cause: DeathCause, restarts: Int) -> ActorError {
        if case .quarantined(let message) = cause {
            let advice = "its bytes are kept; look at them with `durable inspect`"
            return ActorError(.quarantined, "\(type) is quarantined: \(message); \(advice)", actor: actor)
        }
        let lives = restarts == 0 ? "" : " after \(restarts) restart\(restarts == 1 ? "" : "s")"
        return ActorError(.died, "\(type) died\(lives): \(cause)", actor: actor)
    }

    /// The error of a call that was cancelled before anybody could run it.
    package static func cancelledError(actor: ActorID) -> ActorError {
        ActorError(.cancelled, "the call was cancelled before it began, and did not run", actor: actor)
    }

    private mutating func die(_ error: ActorError) -> [Action] {
        state = .dead(error)
        let failed = calls.sequences.map { Action.fail($0, error) }
        calls.removeAll()
        defer { hasConnection = false }
        return (hasConnection ? [.disconnect] : []) + failed
    }

    private mutating func failUnretriable() -> [Action] {
        let failing = calls.sequences.filter { calls[$0]?.retries == 0 }
        let actions = failing.map { sequence in
            Action.fail(sequence, unavailable(mayHaveRun: calls[sequence]?.sentTo != nil))
        }
        for sequence in failing { calls.remove(sequence) }
        return actions
    }

    /// Sends what may be sent by now, in order. The worker keeps records down to the first call that is waited for, so
    /// calls do not run too far ahead of it.
    private mutating func transmitMore(after before: [Action] = []) -> [Action] {
        guard case .connected = state else { return before }
        var actions = before
        sentThrough = max(sentThrough, firstIncomplete - 1)
        while sentThrough + 1 < min(nextSequence, firstIncomplete + Limits.unacknowledgedCallsMax) {
            sentThrough += 1
            let isElsewhere = calls[sentThrough]?.sentTo.map { $0 != epoch } ?? false
            if let action = isElsewhere ? retry(sentThrough) : transmit(sentThrough) { actions.append(action) }
        }
        if sentThrough + 1 < nextSequence, let method = heldUp() { actions.append(.warnHeldUp(by: method)) }
        return actions
    }

    /// The method of a call that takes so long that others wait for it, when it is not known yet. Where there are just
    /// many of them, `BacklogWarning` says so.
    private mutating func heldUp() -> String? {
        guard firstIncomplete != toldOf, calls.count < Limits.pendingCallsWarned else { return nil }
        toldOf = firstIncomplete
        return calls[firstIncomplete]?.frame.method
    }

    private mutating func retry(_ sequence: UInt64) -> Action? {
        guard let call = calls[sequence] else { return nil }
        guard call.retries.allows(after: call.used) else {
            calls.remove(sequence)
            return .fail(sequence, unavailable(mayHaveRun: true))
        }
        calls.update(sequence) { $0.used += 1 }
        return transmit(sequence)
    }

    private mutating func transmit(_ sequence: UInt64) -> Action? {
        guard var frame = calls[sequence]?.frame else { return nil }
        calls.update(sequence) { call in
            call.sentTo = epoch
            // Sent again, it says when this was.
            if call.frame.firstSent == 0 { call.frame.firstSent = now }
        }
        #if SEEDED_BUGS
        let isRetry = calls[sequence].map { $0.used > 0 } ?? false
        if isRetry, SeededBug.retryUnderNewID.isActive {
            frame.id = CallID(session: SessionID(high: 0, low: UInt64(calls[sequence]?.used ?? 0)), sequence: sequence)
        }
        if isRetry, SeededBug.cancellationForgotten.isActive { frame.cancellation = nil }
        #endif
        frame.firstIncomplete = firstIncomplete
        #if SEEDED_BUGS
        if SeededBug.frontierTooEarly.isActive { frame.firstIncomplete = sequence }
        #endif
        return .send(frame)
    }

    private func unavailable(mayHaveRun: Bool) -> ActorError {
        let message =
            mayHaveRun
            ? "the actor's process died while it had the call, which may have run; allow retries or try again later"
            : "the actor is restarting and the call may not be retried; allow retries or try again later"
        return ActorError(.unavailable, message, actor: actor)
    }
}
