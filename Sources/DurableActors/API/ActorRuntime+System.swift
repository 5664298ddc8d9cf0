public import Distributed
internal import DurableCore

/// What Swift's distributed actors ask of their system.
extension ActorRuntime {
    /// Never a local instance: also an actor of this process is called through its mailbox, which checkpoints.
    public func resolve<Act: DistributedActor>(id: ActorID, as type: Act.Type) throws -> Act?
    where Act.ID == ActorID { nil }

    /// The identity of an actor that is being constructed.
    public func assignID<Act: DistributedActor>(_ type: Act.Type) -> ActorID where Act.ID == ActorID {
        guard let actor = Turn.current?.actor, actor.isBuilding, ObjectIdentifier(actor.type) == ObjectIdentifier(type)
        else {
            preconditionFailure("\(type) was constructed directly; a durable actor is made with `spawn`")
        }
        return actor.id
    }

    /// Nothing to do: the worker's host holds its actor.
    public func actorReady<Act: DistributedActor>(_ actor: Act) where Act.ID == ActorID {}

    /// Nothing to do: the supervisor ends actors.
    public func resignID(_ id: ActorID) {}

    /// Starts a call.
    public func makeInvocationEncoder() -> CallEncoder { CallEncoder() }

    /// Calls a method that returns a value.
    public func remoteCall<Act, Err, Res>(
        on actor: Act,
        target: RemoteCallTarget,
        invocation: inout CallEncoder,
        throwing: Err.Type,
        returning: Res.Type
    ) async throws -> Res
    where Act: DistributedActor, Act.ID == ActorID, Err: Error, Res: Codable {
        let outcome = try await call(actor, target, invocation)
        return try CallResult.value(Res.self, of: outcome, decoder)
    }

    /// Calls a method that returns nothing.
    public func remoteCallVoid<Act, Err>(
        on actor: Act,
        target: RemoteCallTarget,
        invocation: inout CallEncoder,
        throwing: Err.Type
    ) async throws where Act: DistributedActor, Act.ID == ActorID, Err: Error {
        try CallResult.check(await call(actor, target, invocation), decoder)
    }

    private func call<Act: DistributedActor>(
        _ callee: Act,
        _ target: RemoteCallTarget,
        _ encoder: CallEncoder
    ) async throws -> CallOutcome where Act.ID == ActorID {
        let actor = callee.id.bare
        // An actor that ends with its last handle has not lost it before its answer.
        defer { withExtendedLifetime(callee) {} }
        let channel = SubmissionCancellation.current?.channel(to: actor) ?? calls.channel(to: actor)
        let method = channel.options(of: target.identifier, Act.self)
        let pending = PendingOptions.current?.take(for: actor)
        if pending != nil || method != nil {
            return try await call(channel, Act.self, target, encoder, pending ?? CallOptions(), method)
        }
        if !encoder.dependencies.isEmpty || !isDriver {
            let overtakes = Self.overtakes(Act.self)
            return try await attempt(channel, target, encoder, nil, nil, CallEffort(), overtakes: overtakes).outcome
        }
        let made = OutgoingCall(
            target.identifier,
            genericSubstitutions: encoder.genericSubstitutions,
            arguments: encoder.arguments,
            identity: CallerChannel.Identity(
                checksum: try encoder.checksum(of: target.identifier),
                detached: encoder.detached
            )
        )
        return try await calls.make(made, on: channel)
    }

    /// A call with options, made as often as they say.
    // Not inlined: each task has the memory for what its functions could need.
    @inline(never)
    private func call(
        _ channel: ActorChannel,
        _ type: any DistributedActor.Type,
        _ target: RemoteCallTarget,
        _ encoder: CallEncoder,
        _ options: CallOptions,
        _ method: MethodOptions?
    ) async throws -> CallOutcome {
        var effort = try options.effort(for: channel.actor, method)
        let key = try options.deduplication(of: channel.actor)
        let group = try options.group(of: type, channel.actor)
        let overtakes = Self.overtakes(type)
        while true {
            let end = try await attempt(channel, target, encoder, key, group, effort, overtakes: overtakes)
            guard effort.retryOn != .never, let error = CallResult.error(of: end.outcome, decoder),
                let next = effort.next(after: error, end)
            else { return end.outcome }
            effort = next
        }
    }

    private static func overtakes(_ type: any DistributedActor.Type) -> Bool {
        (type as? any DurableActor.Type)?.concurrencyGroups.isEmpty == false
    }

    /// A call that is the same one when what makes it is run again.
    private static func child(
        of actor: ActorID,
        _ target: RemoteCallTarget,
        _ encoder: CallEncoder
    ) throws -> ChildCall? {
        if let turn = Turn.current { return try turn.beginChild(of: actor, target.identifier, encoder.identity) }
        return try TaskRun.current?.beginChild(of: actor, target.identifier, encoder.identity)
    }

    /// Makes the call once; as a call of its own, so that the record of an earlier attempt does not answer it.
    @inline(never)
    private func attempt(
        _ channel: ActorChannel,
        _ target: RemoteCallTarget,
        _ encoder: CallEncoder,
        _ key: Deduplication?,
        _ group: String?,
        _ effort: CallEffort,
        overtakes: Bool
    ) async throws -> CallEnd {
        let actor = channel.actor
        var child: ChildCall?
        var waiting = WaitingTurns()
        if case .worker(let host) = membership {
            // What finished turns changed must not be seen outside before it is durable.
            try await host.flushFinishedTurns()
            // A wait that ends by itself is no deadlock.
            if effort.deadline == nil, let turn = Turn.current { waiting = turn.waitingNow }
            // It is not reachable before it has started. If that start is over, by a crash, nobody waits for this turn.
            if waiting.includesStart(of: actor) { throw waiting.error(of: actor) }
            if key == nil { child = try Self.child(of: actor, target, encoder) }
        }
        var identity = child?.identity ?? CallerChannel.Identity(deduplication: key)
        identity.group = group
        identity.checksum = try encoder.checksum(of: target.identifier)
        identity.detached = encoder.detached
        identity.waiting = waiting
        let call = OutgoingCall(
            target.identifier,
            genericSubstitutions: encoder.genericSubstitutions,
            arguments: encoder.arguments,
            identity: identity,
            effort: effort
        )
        do {
            let outcome =
                encoder.dependencies.isEmpty
                ? try await calls.make(call, on: channel)
                : try await calls.make(call, on: channel, after: encoder.dependencies, overtakes: overtakes)
            child?.ended(isRecorded: call.answer.isRecorded)
            return CallEnd(call, outcome, on: channel)
        } catch {
            child?.endedUnknown()
            throw error
        }
    }
}
