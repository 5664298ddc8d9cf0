internal import DurableCore
internal import DurableStore
internal import DurableTransport
internal import Synchronization

/// Carries this process's calls to one actor: performs what `CallerChannel` decides.
final class ActorChannel: Sendable {
    /// Where the actor is. An object, because it is asked for at each call and is much to copy.
    final class Place: Sendable {
        let location: ActorLocation

        init(_ location: ActorLocation) { self.location = location }
    }

    /// What has arrived by the read under way on one connection.
    private final class Arrived: Sendable {
        let replies = Mutex<[ReplyFrame]>([])
    }

    private struct State {
        var channel: CallerChannel
        var order = SubmissionOrder<OutgoingCall>()
        var waiters = SequenceWindow<OutgoingCall>()
        var connection: Connection?
        var place: Place?
        var methods: MethodTable?
        var directWait = DirectWait()
        /// What the actor's constructor refers to.
        var references: [HeldObject] = []

        mutating func takeReferences() -> [HeldObject] {
            defer { references = [] }
            return references
        }
    }

    /// With more calls under way, what is sent may wait a moment for what follows.
    private static let urgentCallsMax = 8

    let actor: ActorID
    private let calls: CallClient
    private let state: Mutex<State>
    private let hasNoMethodOptions = Atomic(false)

    init(actor: ActorID, session: SessionID, calls: CallClient) {
        self.actor = actor
        self.calls = calls
        state = Mutex(State(channel: CallerChannel(actor: actor, session: session)))
    }

    /// Where the actor is, once somebody has said so.
    var place: Place? { state.withLock { $0.place } }

    /// Whether the actor is gone for good, as far as this process has seen.
    var isDead: Bool { state.withLock { $0.channel.isDead } }

    /// Whether the actor is being restarted, or its connection was lost and nobody knows why yet.
    var isInterrupted: Bool {
        switch state.withLock({ $0.channel.state }) {
        case .lost, .restarting: true
        case .idle, .connecting, .connected, .dead: false
        }
    }

    func located(_ location: ActorLocation) {
        state.withLock { state in
            state.place = Place(location)
            state.channel.sharesConnection = location.group != nil
            state.channel.maxPendingCalls = location.options.maxPendingCalls
        }
    }

    /// Keeps values for as long as the actor lives, or this process.
    func keep(_ references: [HeldObject]) { state.withLock { $0.references += references } }

    /// The actor has ended.
    func forgetReferences() { withExtendedLifetime(state.withLock { $0.takeReferences() }) {} }

    /// What the actor's type says of a method.
    func options(of method: String, _ type: any Any.Type) -> MethodOptions? {
        // Most types say nothing.
        if hasNoMethodOptions.load(ordering: .relaxed) { return nil }
        let table = MethodTable(type)
        if table.isEmpty { hasNoMethodOptions.store(true, ordering: .relaxed) }
        return state.withLock { state in
            if state.methods == nil { state.methods = table }
            return state.methods?.options(of: method)
        }
    }

    /// Draws the next place in the order of calls.
    func draw() -> SubmissionOrder<OutgoingCall>.Ticket { state.withLock { $0.order.draw() } }

    /// The ticket's call is there; it is sent when those before it are.
    func fill(_ ticket: SubmissionOrder<OutgoingCall>.Ticket, with call: OutgoingCall) {
        update { state in
            let (isNext, behind) = state.order.fill(ticket, with: call)
            guard isNext else { return [] }
            var actions: [CallerChannel.Action] = []
            Self.submit(call, &state, &actions)
            for call in behind { Self.submit(call, &state, &actions) }
            return actions
        }
    }

    /// Like `fill`, and if this is the only call under way, waits for its answer on this thread for a moment: it saves
    /// the way over the loop. Not on a loop's thread.
    func fillAndWait(_ ticket: SubmissionOrder<OutgoingCall>.Ticket, with call: OutgoingCall) {
        let connection = state.withLock { state -> Connection? in
            guard case .connected = state.channel.state, state.channel.pendingCount == 0, state.order.isNext(ticket),
                state.directWait.begins()
            else { return nil }
            return state.connection
        }
        guard let connection else { return fill(ticket, with: call) }
        let duration = connection.exchange {
            fill(ticket, with: call)
        } isAnswered: {
            call.isOver
        }
        if let duration { state.withLock { $0.directWait.ended(after: duration) } }
    }

    /// The ticket's holder makes no call.
    func release(_ ticket: SubmissionOrder<OutgoingCall>.Ticket) {
        update { state in
            var actions: [CallerChannel.Action] = []
            for call in state.order.release(ticket) { Self.submit(call, &state, &actions) }
            return actions
        }
    }

    /// The caller was cancelled, or its time is over, and it does not wait any more.
    func abandon(_ call: OutgoingCall, _ error: any Error) {
        update { state in
            guard let sequence = call.sequence else { return [] }
            state.waiters.remove(sequence)
            return state.channel.abandon(sequence)
        }
        call.resume(throwing: error)
    }

    /// The caller wants the call to end early, and still waits for what becomes of it.
    func cancel(_ call: OutgoingCall, _ cancellation: CallFrame.Cancellation) {
        var isUnsent = false
        update { state in
            guard let sequence = call.sequence else {
                isUnsent = true
                return []
            }
            return state.channel.cancel(sequence, cancellation)
        }
        if isUnsent { call.resume(throwing: CallerChannel.cancelledError(actor: actor)) }
    }

    /// The records of these calls are needed no more. Without a connection they stay until they expire.
    func release(_ keys: [CallKey]) {
        let frame = Frame(kind: FrameKind.release, payload: ReleaseFrame(actor: actor, keys: keys).encoded())
        state.withLock { state in
            guard case .connected = state.channel.state else { return }
            _ = state.connection?.send(frame)
        }
    }

    /// Fails every call: the runtime stops.
    func stop(_ error: ActorError) {
        update { $0.channel.stop(error) }
    }

    private static func submit(
        _ call: OutgoingCall,
        _ state: inout State,
        _ actions: inout [CallerChannel.Action]
    ) {
        let (sequence, next) = state.channel.submit(
            method: call.method,
            genericSubstitutions: call.genericSubstitutions,
            arguments: call.arguments,
            retries: call.effort.retries ?? state.place?.location.options.maxTaskRetries ?? 0,
            retriesUsed: call.effort.retriesUsed,
            identity: call.identity
        )
        guard call.assign(sequence) else {
            // Cancelled before it was sent: it holds no place.
            actions += next.filter { if case .send = $0 { false } else { true } }
            actions += state.channel.abandon(sequence)
            return
        }
        state.waiters.append(call, at: sequence)
        if actions.isEmpty { actions = next } else { actions += next }
    }

    /// Lets the machine decide under the lock. Frames are buffered under it as well, because their order is the order of
    /// calls; everything else is done after, so that whoever is woken by it does not meet the lock.
    private func update(_ decide: (inout State) -> [CallerChannel.Action]) {
        let now = max(1, MachineClock.bootMilliseconds)
        let (later, answered, failed, references, sending, isUrgent) = state.withLock { state in
            var sending: Connection?
            var later: [CallerChannel.Action] = []
            var answered: [(call: OutgoingCall, answer: CallerChannel.Answer)] = []
            var failed: [(call: OutgoingCall, error: ActorError)] = []
            state.channel.now = now
            for action in decide(&state) {
                switch action {
                case .connect:
                    connect(&state)
                case .disconnect:
                    disconnect(&state)
                case .refuse(let epoch):
                    refuse(superseded: epoch, &state)
                case .send(let frame):
                    // What a connection does not take is sent again on the next one.
                    let isTaken = state.connection?.buffer(frame)
                    sending = state.connection
                    if isTaken == false {
                        state.connection?.fail(TransportError(.bufferFull, "a call could not be sent"))
                    }
                case .resolve(let sequence, let answer):
                    if let call = state.waiters.remove(sequence) { answered.append((call, answer)) }
                case .fail(let sequence, let error):
                    if let call = state.waiters.remove(sequence) { failed.append((call, error)) }
                case .connectLater, .askSupervisor, .warn, .warnHeldUp:
                    later.append(action)
                }
            }
            // Among many, one may wait for those that are about to follow it.
            let isUrgent = state.channel.pendingCount <= Self.urgentCallsMax
            let references = state.channel.isDead ? state.takeReferences() : []
            return (later, answered, failed, references, sending, isUrgent)
        }
        withExtendedLifetime(references) {}
        sending?.push(isUrgent: isUrgent)
        for (call, answer) in answered {
            call.resume(
                with: .success(answer.outcome),
                isRecorded: answer.isRecorded,
                retriesUsed: answer.retriesUsed,
                stamp: answer.stamp
            )
        }
        for (call, error) in failed { call.resume(throwing: error) }
        for action in later { perform(action) }
    }

    private func perform(_ action: CallerChannel.Action) {
        switch action {
        case .connectLater:
            calls.loop.schedule(after: .milliseconds(2)) { [self] in
                update { state in
                    if !state.channel.isDead { connect(&state) }
                    return []
                }
            }
        case .askSupervisor(let lost):
            // Ends with the answer; the link answers every request, with an error at the latest when it stops.
            Task(executorPreference: calls.loop) { [self] in
                let status = await calls.status(of: actor, lost: lost)
                update { state in
                    switch status {
                    case .success(let status): state.channel.verdict(status)
                    case .failure(let error): state.channel.stop(error)
                    }
                }
            }
        case .warn(let count):
            let advice = "it gets more calls than it can run; maxPendingCalls sets a limit"
            calls.log("\(count) calls of this process to \(typeDescription) \(actor) are unanswered: \(advice)")
        case .warnHeldUp(let method):
            let name = MethodTable.name(of: method)
            let advice = "let such calls end now and then, or make them from another process"
            calls.log(
                """
                calls of this process to \(typeDescription) \(actor) wait: one to \(name) is unanswered, and no call is sent \
                that is \(Limits.unacknowledgedCallsMax) behind it; \(advice)
                """
            )
        case .connect, .disconnect, .refuse, .send, .resolve, .fail:
            break
        }
    }

    private var typeDescription: String { place?.location.typeDescription ?? "the actor" }

    private func connect(_ state: inout State) {
        guard state.connection == nil, let location = state.place?.location else { return }
        if location.group != nil {
            state.connection = calls.group(of: location.shard).join(self)
            return
        }
        // Of this connection alone: a replaced one may still deliver what it has, on another thread.
        let arrived = Arrived()
        state.connection = Connection.connect(
            path: calls.socket(of: location.shard),
            on: calls.loop,
            hello: Hello(role: ConnectionRole.caller.rawValue, info: []),
            limits: calls.limits,
            handler: ConnectionHandler(
                opened: { [self] in opened($0) },
                received: { [self] connection, frame, _ in received(frame, on: connection, arrived) },
                drained: { [self] connection in drained(connection, arrived) },
                closed: { [self] connection, _ in closed(connection) }
            )
        )
    }

    /// Tells a former owner that it is one, and leaves it.
    private func refuse(superseded epoch: Epoch, _ state: inout State) {
        let frame = Frame(kind: FrameKind.superseded, payload: SupersededFrame(epoch: epoch).encoded())
        _ = state.connection?.send(frame)
        disconnect(&state, isFlushed: true)
    }

    /// - Parameter isFlushed: Whether what was sent is to arrive.
    private func disconnect(_ state: inout State, isFlushed: Bool = false) {
        guard let connection = state.connection else { return }
        state.connection = nil
        guard let location = state.place?.location, location.group != nil else {
            return isFlushed ? connection.closeAfterFlush() : connection.close()
        }
        let group = calls.group(of: location.shard)
        // Not at once: the group's connection may be telling this channel something.
        calls.loop.execute { [self] in group.leave(self, connection, isFlushed: isFlushed) }
    }

    /// The worker said who it is.
    func opened(_ connection: Connection) {
        guard let hello = connection.peerHello, let greeting = try? HostGreeting(decoding: hello.info),
            greeting.actor == place?.location.group ?? actor
        else {
            connection.fail(TransportError(.protocolViolation, "the worker does not host \(actor)"))
            return
        }
        update { state in
            guard state.connection === connection else { return [] }
            return state.channel.opened(incarnation: greeting.incarnation, epoch: greeting.epoch)
        }
    }

    private func received(_ frame: Frame, on connection: Connection, _ arrived: Arrived) {
        guard frame.kind == FrameKind.reply,
            let reply = try? ReplyFrame(decoding: frame.payload, detached: frame.detached)
        else {
            connection.fail(TransportError(.protocolViolation, "a reply cannot be read"))
            return
        }
        arrived.replies.withLock { $0.append(reply) }
    }

    /// The replies of one read are there: their callers are found under the lock once.
    private func drained(_ connection: Connection, _ arrived: Arrived) {
        let replies = arrived.replies.withLock { replies in
            defer { replies = [] }
            return replies
        }
        if !replies.isEmpty { received(replies, on: connection) }
    }

    /// Replies arrived.
    func received(_ replies: [ReplyFrame], on connection: Connection) {
        update { state in
            // What a replaced connection still delivers is not listened to.
            guard state.connection === connection else { return [] }
            var actions: [CallerChannel.Action] = []
            for reply in replies where reply.actor == actor {
                actions += state.channel.replied(reply)
            }
            return actions
        }
    }

    /// The connection ended.
    func closed(_ connection: Connection) {
        update { state in
            guard state.connection === connection else { return [] }
            state.connection = nil
            return state.channel.closed()
        }
    }
}
