internal import DurableCore
internal import DurableStore
internal import DurableSupervisor
internal import DurableTransport

/// Which actor a call is for.
extension WorkerHost {
    /// A frame arrived from a caller.
    func received(_ frame: Frame, on connection: Connection) {
        assertOnLoop()
        if frame.kind == FrameKind.release, let release = try? ReleaseFrame(decoding: frame.payload) {
            return released(release)
        }
        if frame.kind == FrameKind.superseded, let later = try? SupersededFrame(decoding: frame.payload) {
            return superseded(later)
        }
        guard frame.kind == FrameKind.call, let call = try? CallFrame(decoding: frame.payload, detached: frame.detached)
        else {
            connection.fail(TransportError(.protocolViolation, "a call cannot be read"))
            return
        }
        let inbound = InboundCall(call, from: connection)
        guard sessionConnections.admits(call.id.session, on: connection.id) else {
            return turnAway(inbound, late(call))
        }
        deliver(inbound)
    }

    /// A caller refuses this worker, because it has seen a later owner. Without this, a worker that is idle, and whose
    /// shard was taken by a former life that went on for a moment, would be refused until it next looked.
    private func superseded(_ later: SupersededFrame) {
        guard later.epoch > epoch else { return }
        do throws(StoreError) {
            // What is stored says who is right. Where nothing is, two lives of one actor must not go on.
            guard isStored else {
                throw StoreError(.fenced, "a caller of \(assignment.record.id) has seen a life that began later")
            }
            try store?.verifyOwnership()
        } catch {
            if error.code == .fenced { fenced(error) }
        }
    }

    private func late(_ call: CallFrame) -> ActorError {
        let message = "call \(call.id.sequence) came on a connection that its caller had replaced; it was not run"
        return ActorError(.staleCall, message, actor: call.actor)
    }

    /// Gives a call to its actor.
    private func deliver(_ call: InboundCall) {
        let id = call.frame.actor
        if let error = refusals[id] { return turnAway(call, error) }
        if let actor = actors[id] { return actor.admit(call) }
        guard isShared else { return turnAway(call, noActor(id)) }
        if unknown[id] != nil {
            unknown[id]?.append(call)
            return
        }
        do throws(StoreError) {
            if let stored = try store?.record(of: id) {
                return introduce(ActorHost.Definition(id, stored, group: assignment.record), [call])
            }
        } catch {
            return turnAway(call, error.callerError(for: id))
        }
        unknown[id] = [call]
        // Ends with the answer; the link answers every request.
        Task(executorPreference: loop) { [self] in await ask(id) }
    }

    /// An actor that was never stored: the supervisor knows what it is.
    private func ask(_ id: ActorID) async {
        let answer: Result<SupervisorResponse, ActorError>
        do throws(ActorError) {
            answer = .success(try await link.request(.describe(id)))
        } catch {
            answer = .failure(error)
        }
        assertOnLoop()
        let waiting = unknown.removeValue(forKey: id) ?? []
        switch answer {
        case .success(.record(let record)) where record.group == assignment.record.id:
            introduce(ActorHost.Definition(record), waiting)
        case .success(.status(.dead(let cause, let type, let restarts))):
            let error = CallerChannel.diedError(actor: id, type: type, cause: cause, restarts: restarts)
            for call in waiting { turnAway(call, error) }
        case .success(.failed(let error)), .failure(let error):
            for call in waiting { turnAway(call, error) }
        case .success:
            for call in waiting { turnAway(call, noActor(id)) }
        }
    }

    private func introduce(
        _ definition: ActorHost.Definition,
        _ waiting: [InboundCall]
    ) {
        guard let actor = actors[definition.id] ?? makeActor(definition) else {
            let type = definition.typeDescription
            let message = "this executable has no actor type \(type); call it from a program that has"
            for call in waiting { turnAway(call, ActorError(.quarantined, message, actor: definition.id)) }
            return
        }
        for call in waiting { actor.admit(call) }
    }

    private func noActor(_ id: ActorID) -> ActorError {
        ActorError(.died, "this worker does not host the actor", actor: id)
    }

    private func turnAway(_ call: InboundCall, _ error: ActorError) {
        let reply = ReplyFrame(
            sequence: call.frame.id.sequence,
            actor: call.frame.actor,
            epoch: epoch,
            version: store?.fence.version ?? 0,
            outcome: .failed(error)
        )
        send(reply, to: call)
    }

    /// Actors have ended for good: their callers are told, and their rows go.
    /// - Throws: When they cannot be removed; it is tried again by the next life of this worker.
    func remove(_ ids: [ActorID]) throws(StoreError) {
        for id in ids { refusals[id] = nil }
        for actor in ids.compactMap({ actors[$0] }) {
            let type = actor.definition.typeDescription
            let cause: DeathCause = actor.isExiting ? .intendedExit : .killed
            actor.refuse(CallerChannel.diedError(actor: actor.id, type: type, cause: cause, restarts: 0))
        }
        flush()
        guard isOpen, !ids.isEmpty else { return }
        passes(.workerBeforeRemoval)
        try store?.commit(ids.map { WriteSet(actor: $0, changes: [.removeActor]) })
        passes(.workerAfterRemoval)
        for id in ids {
            actors[id] = nil
            store?.history[id] = nil
        }
        report(.membersRemoved(ids))
        sweepSoon()
    }

    /// The supervisor wants something of one actor.
    func perform(_ command: MemberCommand) {
        assertOnLoop()
        switch command {
        case .remove(let ids):
            do throws(StoreError) {
                try remove(ids)
            } catch {
                if error.code == .fenced { fenced(error) }
                WorkerMain.log("rows of \(ids.count) actors cannot be removed, the next life tries again: \(error)")
            }
        case .restart(let id):
            guard let actor = actors[id], actor.activation != nil else { return }
            flush()
            let message = "the actor's life was ended by kill while it had the call, which may have run"
            actor.drop(ActorError(.unavailable, message, actor: id))
            actor.build()
        }
    }
}
