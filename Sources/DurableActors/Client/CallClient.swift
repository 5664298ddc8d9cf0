internal import CBOR
internal import DurableCore
internal import DurableProcess
internal import DurableSupervisor
internal import DurableTransport
internal import Glibc
internal import Synchronization

/// The calling side of a runtime, in drivers and workers alike: a channel for each actor that is called.
final class CallClient: Sendable {
    let loop: EventLoop
    private let link: SupervisorLink
    private let layout: RuntimeLayout
    private let session: SessionID
    private let channels = Mutex<[ActorID: ActorChannel]>([:])
    private let groups = Mutex<[ShardNumber: GroupConnection]>([:])
    private let stopped = Mutex<ActorError?>(nil)
    private let isStopped = Atomic(false)
    /// How many calls of this process are under way.
    private let openCalls = Atomic(0)
    private static let cores = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    private let isDriver: Bool
    /// The bounds of a caller's connection.
    let limits: FrameLimits
    /// Takes what people should know.
    let log: @Sendable (String) -> Void

    init(
        loop: EventLoop,
        link: SupervisorLink,
        layout: RuntimeLayout,
        isDriver: Bool,
        log: @escaping @Sendable (String) -> Void
    ) {
        self.isDriver = isDriver
        limits = .forCalls(ofDriver: isDriver)
        self.log = log
        self.loop = loop
        self.link = link
        self.layout = layout
        var generator = SystemRandomNumberGenerator()
        session = SessionID(random: &generator)
    }

    /// The channel to an actor; the same one for all handles of this process.
    func channel(to actor: ActorID) -> ActorChannel {
        channels.withLock { channels in
            if let known = channels[actor] { return known }
            let actor = actor.bare
            let channel = ActorChannel(actor: actor, session: session, calls: self)
            // A channel keeps its client, so a client that is stopped keeps no channel.
            if stopped.withLock({ $0 == nil }) { channels[actor] = channel }
            return channel
        }
    }

    /// An actor has ended, and its constructor's arguments are not needed any more.
    func forgetReferences(of actor: ActorID) { channels.withLock { $0[actor] }?.forgetReferences() }

    /// Makes a call and waits for its outcome.
    func make(_ call: OutgoingCall, on channel: ActorChannel) async throws -> CallOutcome {
        let submission = SubmissionCancellation.current
        let ticket = submission?.takePlace(on: channel) ?? channel.draw()
        return try await make(call, on: channel, ticket, submission)
    }

    /// Makes a call when the values are there that its arguments refer to.
    /// - Parameter overtakes: Whether the actor has groups of calls that run beside one another.
    // Not inlined: each task has the memory for what its functions could need.
    @inline(never)
    func make(
        _ call: OutgoingCall,
        on channel: ActorChannel,
        after dependencies: [any CallDependency],
        overtakes: Bool
    ) async throws -> CallOutcome {
        let submission = SubmissionCancellation.current
        let place = submission?.takePlace(on: channel) ?? channel.draw()
        let ticket = try await ready(dependencies, place, channel, call.effort, overtakes: overtakes)
        return try await make(call, on: channel, ticket, submission)
    }

    private func make(
        _ call: OutgoingCall,
        on channel: ActorChannel,
        _ ticket: SubmissionOrder<OutgoingCall>.Ticket,
        _ submission: SubmissionCancellation?
    ) async throws -> CallOutcome {
        do {
            try check(call, on: channel)
            try submission?.enter(channel, call)
        } catch {
            channel.release(ticket)
            throw error
        }
        defer { submission?.leave(call) }
        // As many callers as there are cores may hold their threads.
        let isAlone = openCalls.add(1, ordering: .relaxed).newValue <= Self.cores && submission == nil && mayHoldThread
        defer { openCalls.subtract(1, ordering: .relaxed) }
        let timer = call.effort.deadline.map { deadline in
            loop.schedule(after: deadline.left) { channel.abandon(call, deadline.error(of: channel.actor)) }
        }
        defer { timer?.cancel() }
        // A driver has neither turns nor tasks.
        let turn = isDriver ? nil : Turn.current
        let run = isDriver ? nil : TaskRun.current
        defer { if StampCollector.isUsed { StampCollector.current?.note(call.stamp) } }
        return try await withTaskCancellationHandler {
            try await call.wait {
                if channel.place == nil {
                    locate(for: call, ticket, channel)
                } else if isAlone {
                    channel.fillAndWait(ticket, with: call)
                } else {
                    channel.fill(ticket, with: call)
                }
            }
        } onCancel: {
            guard turn?.cancelsCalls == true || run?.cancelsCalls == true else {
                return channel.abandon(call, CancellationError())
            }
            channel.cancel(call, .recursive)
        }
    }

    private func check(_ call: OutgoingCall, on channel: ActorChannel) throws {
        if isStopped.load(ordering: .acquiring), let error = stopped.withLock({ $0 }) { throw error }
        let bytes = call.byteCount
        guard bytes < Limits.valueBytesMax else {
            let message = "the arguments have \(bytes) bytes; a call may have \(Limits.valueBytesMax)"
            throw ActorError(.limitExceeded, message, actor: channel.actor)
        }
    }

    /// Waits for arguments. Calls of this process to a serial actor stay in order meanwhile; where calls run beside one
    /// another, those that are ready overtake.
    /// - Parameter overtakes: Whether the actor has groups of calls that run beside one another.
    /// - Returns: The call's place in the order.
    private func ready(
        _ dependencies: [any CallDependency],
        _ ticket: SubmissionOrder<OutgoingCall>.Ticket,
        _ channel: ActorChannel,
        _ effort: CallEffort,
        overtakes: Bool
    ) async throws -> SubmissionOrder<OutgoingCall>.Ticket {
        var held: SubmissionOrder<OutgoingCall>.Ticket? = ticket
        do {
            if !dependencies.allSatisfy(\.isReady) {
                let location = try await locate(channel.actor, channel)
                if overtakes || location.options.maxConcurrency > 1 {
                    channel.release(ticket)
                    held = nil
                }
            }
            for dependency in dependencies {
                try await dependency.ready(timeout: effort.deadline.map { max(.zero, $0.left) })
            }
            return held ?? channel.draw()
        } catch {
            if let held { channel.release(held) }
            throw error
        }
    }

    /// Whether this code runs on a thread of Swift's pool: one that is not a loop's, nor that of an executor that the
    /// task prefers, and about which nothing is known.
    private var mayHoldThread: Bool {
        !loop.isCurrent && withUnsafeCurrentTask { $0.map { $0.unownedTaskExecutor == nil } ?? false }
    }

    /// What became of an actor, by the supervisor's word.
    func status(of actor: ActorID, lost: Incarnation?) async -> Result<ActorStatus, ActorError> {
        do {
            switch try await link.request(.locate(actor, lost: lost)) {
            case .status(let status): return .success(status)
            case .failed(let error): return .failure(error)
            default: return .failure(ActorError(.internalError, "the supervisor gave an answer of another kind"))
            }
        } catch {
            return .failure(error)
        }
    }

    /// Fails everything that is still open.
    func stop(_ error: ActorError) {
        stopped.withLock { $0 = error }
        isStopped.store(true, ordering: .releasing)
        let open = channels.withLock { channels in
            defer { channels = [:] }
            return Array(channels.values)
        }
        for channel in open { channel.stop(error) }
        groups.withLock { $0 = [:] }
    }

    /// The one connection to a group's worker.
    func group(of shard: ShardNumber) -> GroupConnection {
        groups.withLock { groups in
            if let known = groups[shard] { return known }
            let group = GroupConnection(path: socket(of: shard), loop: loop, limits: limits)
            groups[shard] = group
            return group
        }
    }

    func socket(of shard: ShardNumber) -> String { layout.shardSocket(shard) }

    /// Sends a call when the supervisor has said where its actor is.
    private func locate(
        for call: OutgoingCall,
        _ ticket: SubmissionOrder<OutgoingCall>.Ticket,
        _ channel: ActorChannel
    ) {
        // Not waited for: the caller may be cancelled before. Ends with the answer; the link answers every request.
        Task(executorPreference: loop) { [self] in
            do {
                _ = try await locate(channel.actor, channel)
                channel.fill(ticket, with: call)
            } catch {
                channel.release(ticket)
                call.resume(throwing: error)
            }
        }
    }

    /// A handle that came from elsewhere knows only the actor's id: the supervisor knows the rest.
    private func locate(_ actor: ActorID, _ channel: ActorChannel) async throws -> ActorLocation {
        if let known = channel.place { return known.location }
        switch try await status(of: actor, lost: nil).get() {
        case .alive(let location, _), .restarting(let location):
            channel.located(location)
            return location
        case .dead(let cause, let type, let restarts):
            throw CallerChannel.diedError(actor: actor, type: type, cause: cause, restarts: restarts)
        case .unknown:
            throw ActorError(.died, "no actor with this id is known to the runtime", actor: actor)
        }
    }
}

extension FrameLimits {
    /// Those of a caller's connection: what its calls hold is there already, so that sending them has no bound.
    static func forCalls(ofDriver isDriver: Bool) -> FrameLimits {
        var limits = FrameLimits()
        limits.sendBufferBytesMax = .max
        // In a worker, methods run on the loop.
        limits.leavesWritingToLoop = isDriver
        return limits
    }
}
