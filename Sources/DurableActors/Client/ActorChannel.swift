internal import DurableCore
internal import DurableStore
internal import DurableTransport
internal import Synchronization

/// Carries this process's calls to one actor: performs what `CallerChannel` decides.
final class ActorChannel: Sendable {
    /// A call on its way, and who waits for it.
    struct Submission: Sendable {
        var method: String
        var genericSubstitutions: [String]
        var arguments: [[UInt8]]
        var retries: RepeatLimit
        var retriesUsed: Int
        var identity: CallerChannel.Identity
        var waiter: CallWaiter
    }

    private struct State {
        var channel: CallerChannel
        var order = SubmissionOrder<Submission>()
        var waiters: [UInt64: CallWaiter] = [:]
        var connection: Connection?
        var location: ActorLocation?
        var methods: MethodTable?
        var directWait = DirectWait()
        /// What the actor's constructor refers to.
        var references: [HeldObject] = []

        mutating func takeReferences() -> [HeldObject] {
            defer { references = [] }
            return references
        }
    }

    let actor: ActorID
    private let calls: CallClient
    private let state: Mutex<State>
    /// What has arrived by the read under way.
    private let replies = Mutex<[ReplyFrame]>([])

    init(actor: ActorID, session: SessionID, calls: CallClient) {
        self.actor = actor
        self.calls = calls
        state = Mutex(State(channel: CallerChannel(actor: actor, session: session)))
    }

    /// Where the actor is, once somebody has said so.
    var location: ActorLocation? { state.withLock { $0.location } }

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
            state.location = location
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
        if let table = state.withLock({ $0.methods }) {
            // Most types say nothing, and most methods have been called before.
            if table.isEmpty { return nil }
        } else {
            let table = MethodTable(type)
            state.withLock { $0.methods = $0.methods ?? table }
        }
        return state.withLock { $0.methods?.options(of: method) }
    }

    /// Draws the next place in the order of calls.
    func draw() -> SubmissionOrder<Submission>.Ticket { state.withLock { $0.order.draw() } }

    /// The ticket's call is there; it is sent when those before it are.
    func fill(_ ticket: SubmissionOrder<Submission>.Ticket, with submission: Submission) {
        update { state in
            Self.submit(state.order.fill(ticket, with: submission), &state)
        }
    }

    /// Like `fill`, and if this is the only call under way, waits for its answer on this thread for a moment: it saves
    /// the way over the loop. Not on a loop's thread.
    func fillAndWait(_ ticket: SubmissionOrder<Submission>.Ticket, with submission: Submission) {
        let connection = state.withLock { state -> Connection? in
            guard case .connected = state.channel.state, state.channel.pendingCount == 0, state.order.isNext(ticket),
                state.directWait.begins()
            else { return nil }
            return state.connection
        }
        guard let connection else { return fill(ticket, with: submission) }
        let waiter = submission.waiter
        let duration = connection.exchange {
            fill(ticket, with: submission)
        } isAnswered: {
            waiter.isOver
        }
        if let duration { state.withLock { $0.directWait.ended(after: duration) } }
    }

    /// The ticket's holder makes no call.
    func release(_ ticket: SubmissionOrder<Submission>.Ticket) {
        update { state in
            Self.submit(state.order.release(ticket), &state)
        }
    }

    /// The caller was cancelled, or its time is over, and it does not wait any more.
    func abandon(_ waiter: CallWaiter, _ error: any Error) {
        update { state in
            guard let sequence = waiter.sequence else { return [] }
            state.waiters[sequence] = nil
            return state.channel.abandon(sequence)
        }
        waiter.resume(throwing: error)
    }

    /// The caller wants the call to end early, and still waits for what becomes of it.
    func cancel(_ waiter: CallWaiter, _ cancellation: CallFrame.Cancellation) {
        var isUnsent = false
        update { state in
            guard let sequence = waiter.sequence else {
                isUnsent = true
                return []
            }
            return state.channel.cancel(sequence, cancellation)
        }
        if isUnsent { waiter.resume(throwing: CallerChannel.cancelledError(actor: actor)) }
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

    private static func submit(_ submissions: [Submission], _ state: inout State) -> [CallerChannel.Action] {
        var actions: [CallerChannel.Action] = []
        for submission in submissions {
            let (sequence, next) = state.channel.submit(
                method: submission.method,
                genericSubstitutions: submission.genericSubstitutions,
                arguments: submission.arguments,
                retries: submission.retries,
                retriesUsed: submission.retriesUsed,
                identity: submission.identity
            )
            guard submission.waiter.assign(sequence) else {
                // Cancelled before it was sent: it holds no place.
                actions += next.filter { if case .send = $0 { false } else { true } }
                actions += state.channel.abandon(sequence)
                continue
            }
            state.waiters[sequence] = submission.waiter
            actions += next
        }
        return actions
    }

    /// Lets the machine decide under the lock. Frames leave under it as well, because their order is the order of
    /// calls and sending never blocks; everything else is done after.
    private func update(_ decide: (inout State) -> [CallerChannel.Action]) {
        let (later, finished, references) = state.withLock { state in
            var later: [CallerChannel.Action] = []
            var finished: [(CallWaiter, Result<CallOutcome, any Error>)] = []
            state.channel.now = max(1, MachineClock.bootMilliseconds)
            for action in decide(&state) {
                switch action {
                case .connect:
                    connect(&state)
                case .disconnect:
                    disconnect(&state)
                case .send(let frame):
                    // What a connection does not take is sent again on the next one.
                    if state.connection?.send(Frame(frame)) == false {
                        state.connection?.fail(TransportError(.bufferFull, "a call could not be sent"))
                    }
                case .resolve(let sequence, let outcome):
                    if let waiter = state.waiters.removeValue(forKey: sequence) {
                        finished.append((waiter, .success(outcome)))
                    }
                case .fail(let sequence, let error):
                    if let waiter = state.waiters.removeValue(forKey: sequence) {
                        finished.append((waiter, .failure(error)))
                    }
                case .connectLater, .askSupervisor, .warn:
                    later.append(action)
                }
            }
            return (later, finished, state.channel.isDead ? state.takeReferences() : [])
        }
        withExtendedLifetime(references) {}
        for (waiter, result) in finished { waiter.resume(with: result) }
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
            let type = location?.typeDescription ?? "the actor"
            let advice = "it gets more calls than it can run; maxPendingCalls sets a limit"
            calls.log("\(count) calls of this process to \(type) \(actor) are unanswered: \(advice)")
        case .connect, .disconnect, .send, .resolve, .fail:
            break
        }
    }

    private func connect(_ state: inout State) {
        guard state.connection == nil, let location = state.location else { return }
        if location.group != nil {
            state.connection = calls.group(of: location.shard).join(self)
            return
        }
        state.connection = Connection.connect(
            path: calls.socket(of: location.shard),
            on: calls.loop,
            hello: Hello(role: ConnectionRole.caller.rawValue, info: []),
            limits: calls.limits,
            handler: ConnectionHandler(
                opened: { [self] in opened($0) },
                received: { [self] connection, frame, _ in received(frame, on: connection) },
                drained: { [self] connection in drained(connection) },
                closed: { [self] connection, _ in closed(connection) }
            )
        )
    }

    private func disconnect(_ state: inout State) {
        guard let connection = state.connection else { return }
        state.connection = nil
        guard let location = state.location, location.group != nil else { return connection.close() }
        let group = calls.group(of: location.shard)
        // Not at once: the group's connection may be telling this channel something.
        calls.loop.execute { [self] in group.leave(self, connection) }
    }

    /// The worker said who it is.
    func opened(_ connection: Connection) {
        guard let hello = connection.peerHello, let greeting = try? HostGreeting(decoding: hello.info),
            greeting.actor == location?.group ?? actor
        else {
            connection.fail(TransportError(.protocolViolation, "the worker does not host \(actor)"))
            return
        }
        update { state in
            guard state.connection === connection else { return [] }
            return state.channel.opened(incarnation: greeting.incarnation, epoch: greeting.epoch)
        }
    }

    private func received(_ frame: Frame, on connection: Connection) {
        guard frame.kind == FrameKind.reply,
            let reply = try? ReplyFrame(decoding: frame.payload, detached: frame.detached)
        else {
            connection.fail(TransportError(.protocolViolation, "a reply cannot be read"))
            return
        }
        replies.withLock { $0.append(reply) }
    }

    /// The replies of one read are there: their callers are found under the lock once.
    private func drained(_ connection: Connection) {
        let arrived = replies.withLock { replies in
            defer { replies = [] }
            return replies
        }
        if !arrived.isEmpty { received(arrived, on: connection) }
    }

    /// Replies arrived.
    func received(_ replies: [ReplyFrame], on connection: Connection) {
        update { state in
            // What a replaced connection still delivers is not listened to.
            guard state.connection === connection else { return [] }
            var actions: [CallerChannel.Action] = []
            for reply in replies where reply.actor == actor {
                let waiter = state.waiters[reply.sequence]
                if let waiter, let retriesUsed = state.channel.retriesUsed(by: reply.sequence) {
                    waiter.note(isRecorded: reply.isRecorded, retriesUsed: retriesUsed)
                }
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
